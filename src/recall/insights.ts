/** What was learned of a user, in the order in which it answers a query. */
import { DAY_MS } from '../model/duration.ts';
import { INSIGHT_KINDS, type Insight } from '../model/insight.ts';
import { TermIndex } from './term-index.ts';
import { termsOf } from './words.ts';

const HALF_LIFE_MS = 30 * DAY_MS;

const KINDS: ReadonlySet<unknown> = new Set(INSIGHT_KINDS);

/** Those that can be read of `current`; what cannot is left out. @throws if it is no JSON */
export function parseInsights(text: string): Insight[] {
  const value = JSON.parse(text) as { readonly insights?: unknown } | null;
  return Array.isArray(value?.insights) ? value.insights.filter(isInsight) : [];
}

function isInsight(value: unknown): value is Insight {
  if (typeof value !== 'object' || value === null) return false;
  const { id, kind, text, lastAt, sources } = value as Partial<Insight>;
  return (
    typeof id === 'string' &&
    KINDS.has(kind) &&
    typeof text === 'string' &&
    typeof lastAt === 'number' &&
    Array.isArray(sources)
  );
}

/**
 * By the words of the query, then by what supports them, the latest first: an insight that nothing asks for counts by how
 * often it was seen and how lately, half of it a month ago.
 */
export function rankInsights(insights: readonly Insight[], query: string, at: number): Insight[] {
  const index = new TermIndex(insights.map(({ text }) => termsOf(text)));
  const scores = index.scores(new Map(termsOf(query).map((term) => [term, 1])));
  const worth = ({ conversations, lastAt }: Insight): number =>
    // Tolerant: written by others, it may lack them.
    (Array.isArray(conversations) ? Math.max(1, conversations.length) : 1) *
    2 ** (-Math.max(0, at - lastAt) / HALF_LIFE_MS);
  return insights
    .map((insight, place) => ({ insight, score: scores[place] ?? 0, worth: worth(insight) }))
    .toSorted((one, other) => other.score - one.score || other.worth - one.worth)
    .map(({ insight }) => insight);
}
