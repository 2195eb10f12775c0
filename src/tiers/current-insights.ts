/** `current`: what holds of a user now, as it stands in the cold tier. */
import { z } from 'zod';
import { DamagedObjectError, UserErasedError } from '../model/errors.ts';
import { INSIGHT_KINDS, type Insight, type SupersededInsight } from '../model/insight.ts';
import { mergeInsights } from '../model/insights.ts';
import type { ColdStore } from '../ports/cold.ts';
import type { InsightRecord } from './cold-records.ts';

const VERSION = 1;

/** What is superseded names its successor for so many insights; the records keep all that was found. */
const SUPERSEDED_MAX = 100;

/** Conversations that are known to be merged, the latest: a compactor that died repeats one of them. */
const MERGED_MAX = 100;

/** How often another writer may come first. */
const ATTEMPTS_MAX = 10;

const insight = z.object({
  id: z.string(),
  kind: z.enum(INSIGHT_KINDS),
  text: z.string(),
  sources: z.array(z.object({ message: z.string(), hash: z.string() })),
  conversations: z.array(z.string()),
  firstAt: z.number(),
  lastAt: z.number(),
});

const schema = z.object({
  version: z.literal(VERSION),
  /** Token of the compactor that wrote it: one with a smaller token writes no more. */
  fence: z.number(),
  /** When the latest of its conversations ended. */
  at: z.number(),
  insights: z.array(insight),
  superseded: z.array(insight.extend({ supersededBy: z.string() })),
  /** Names of the transcripts that were merged last. */
  merged: z.array(z.string()),
});

interface Current {
  readonly fence: number;
  readonly at: number;
  readonly insights: readonly Insight[];
  readonly superseded: readonly SupersededInsight[];
  readonly merged: readonly string[];
}

const NONE: Current = { fence: 0, at: 0, insights: [], superseded: [], merged: [] };

/** @throws DamagedObjectError if it is none */
export function parseCurrent(text: string): Current {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Its words would quote what was learned.
    throw new DamagedObjectError('`current` of a user cannot be understood');
  }
}

/** What holds of a user; of whom nothing was learned, nothing does. */
export async function insightsOf(
  cold: Pick<ColdStore, 'current'>,
  user: string,
): Promise<readonly Insight[]> {
  const standing = await cold.current(user);
  return standing ? parseCurrent(standing.text).insights : [];
}

/**
 * Merges what was learned of one conversation, against what stands at that moment; a repeat changes nothing.
 * @param fence the compactor's token
 * @throws UserErasedError if the user was erased since
 */
export async function mergeIntoCurrent(
  cold: Pick<ColdStore, 'current' | 'putCurrent'>,
  { user, transcript, findings }: InsightRecord,
  endedAt: number,
  fence: number,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const standing = await cold.current(user);
    const before = standing ? parseCurrent(standing.text) : NONE;
    if (before.fence > fence)
      throw new Error('another compactor has taken this user over; it goes on where this one was');
    if (before.merged.includes(transcript)) return;
    const context = { user, conversation: transcript, at: endedAt };
    const { current: insights, superseded } = mergeInsights(before.insights, findings, context);
    const at = Math.max(before.at, endedAt);
    const text = JSON.stringify({
      version: VERSION,
      fence,
      at,
      insights,
      superseded: [...before.superseded, ...superseded].slice(-SUPERSEDED_MAX),
      merged: [...before.merged, transcript].slice(-MERGED_MAX),
    });
    const outcome = await cold.putCurrent(user, text, { expected: standing?.version, at });
    if (outcome === 'erased') throw new UserErasedError();
    if (outcome === 'written') return;
  }
  throw new Error('`current` of the user was changed again and again');
}
