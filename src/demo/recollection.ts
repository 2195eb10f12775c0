import type { Rekindle } from '../index.ts';
import { SECOND_MS } from '../model/duration.ts';
import { type Context, contextOf } from '../recall/build-context.ts';
import type { Recalled } from '../recall/recalled.ts';

/** What recall knew of somebody who asks something after days. */
export interface Recollection {
  readonly user: string;
  /** When they asked, Unix milliseconds. */
  readonly at: number;
  readonly question: string;
  readonly recalled: Recalled;
}

/** A busy machine is no tier that is away. */
const DEADLINE_MS = 5 * SECOND_MS;

/** Lines of each part that an excerpt shows. */
const LINES_SHOWN = 2;

export async function recollect(
  rekindle: Pick<Rekindle, 'recall'>,
  user: string,
  question: string,
  at: number,
): Promise<Recollection> {
  const recalled = await rekindle.recall(user, { query: question, deadlineMs: DEADLINE_MS, at });
  return { user, at, question, recalled };
}

export function hasAllParts({ recalled }: Recollection): boolean {
  const { immediate, relevant, insights } = recalled;
  return immediate.messages.length > 0 && relevant.length > 0 && insights.length > 0;
}

interface Part {
  /** Of the whole part. */
  readonly tokens: number;
  /** A few lines of it. */
  readonly lines: readonly string[];
}

/** A look into a context, as it would stand in a prompt. */
export interface Excerpt extends Readonly<Record<keyof Context, Part>> {
  readonly user: string;
  readonly question: string;
  readonly tokens: number;
}

export function excerptOf({ user, question, recalled }: Recollection): Excerpt {
  const context = contextOf(recalled);
  const [relevant, insights] = [tokensOf(recalled.relevant), tokensOf(recalled.insights)];
  return {
    ...{ user, question, tokens: recalled.tokens },
    immediate: {
      tokens: recalled.tokens - relevant - insights,
      // Above stand cart and state, and what was said first.
      lines: linesOf(context.immediate).slice(-LINES_SHOWN),
    },
    relevant: { tokens: relevant, lines: linesOf(context.relevant).slice(0, LINES_SHOWN) },
    insights: { tokens: insights, lines: linesOf(context.insights).slice(0, LINES_SHOWN) },
  };
}

function tokensOf(each: readonly { readonly tokens: number }[]): number {
  return each.reduce((sum, { tokens }) => sum + tokens, 0);
}

/** Without headings. */
function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('> '));
}
