/** What was learned of a user, with where it comes from. */
import type { Said } from './said.ts';

/** What an insight is about; see docs/insights.md. */
export type InsightKind = 'preference' | 'mistake' | 'pattern' | 'lesson' | 'fact';

export const INSIGHT_KINDS = [
  'preference',
  'mistake',
  'pattern',
  'lesson',
  'fact',
] as const satisfies readonly InsightKind[];

/** A message that an insight comes from. */
export interface InsightSource {
  /** The message's own id; where it has none, its identity. */
  readonly message: string;
  /** `Said.identity`: tells whether a text is the one that was meant. */
  readonly hash: string;
}

/** What a summarizer finds in one conversation. */
export interface Finding {
  readonly kind: InsightKind;
  /** A sentence that stands alone. */
  readonly text: string;
  /** At least one, all of this conversation. */
  readonly sources: readonly InsightSource[];
  /** Ids of known insights that this one takes the place of. */
  readonly supersedes?: readonly string[];
}

/** What holds of a user now, over all conversations. */
export interface Insight extends Omit<Finding, 'supersedes'> {
  /** The same for the same user, kind and text. */
  readonly id: string;
  /** Names of the transcripts that say so: their number is its support. */
  readonly conversations: readonly string[];
  /** When it was first and last said, Unix milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** An insight that another took the place of. */
export interface SupersededInsight extends Insight {
  /** Id of its successor. */
  readonly supersededBy: string;
}

/** How a message is named as a source. */
export function sourceOf({ named, message, identity }: Said): InsightSource {
  return { message: named ? (message.id ?? identity) : identity, hash: identity };
}
