/** What holds of a user, and how it changes with each conversation. */
import type { Finding, Insight, InsightSource, SupersededInsight } from './insight.ts';
import { shortDigest } from './short-digest.ts';

/** A user has at most so many: they are read before every call of a model. */
export const INSIGHTS_MAX = 30;

export interface MergeContext {
  readonly user: string;
  /** Name of the transcript that the findings come from. */
  readonly conversation: string;
  /** When it ended, Unix milliseconds. */
  readonly at: number;
}

export interface MergedInsights {
  /** What holds now: at most INSIGHTS_MAX, the best supported first. */
  readonly current: readonly Insight[];
  /** What holds no longer; the successor of each is in `current` or among these. */
  readonly superseded: readonly SupersededInsight[];
  /** What there is no place for: the least supported, of these the longest unsaid. */
  readonly dropped: readonly Insight[];
}

/**
 * Adds what one conversation says to what was known. What is said again gains support, and what is superseded goes,
 * unless it was said later than its successor: then the successor is the one that holds no longer. So conversations may
 * come in any order, except that a place beyond INSIGHTS_MAX is lost to whoever was there first.
 *
 * A conversation that is merged again changes nothing while what it said stands; whoever repeats one after later ones
 * were merged asks its record first whether it was merged.
 */
export function mergeInsights(
  current: readonly Insight[],
  findings: readonly Finding[],
  context: MergeContext,
): MergedInsights {
  const insights = new Map(current.map((insight) => [insight.id, insight]));
  const found = foundIn(findings, context);
  for (const { insight } of found.values()) {
    const before = insights.get(insight.id);
    insights.set(insight.id, before ? joined(before, insight) : insight);
  }
  const superseded = supersede(insights, found);
  const successors = new Set(superseded.map(({ supersededBy }) => supersededBy));
  const order = [...insights.values()].sort(bySupport);
  // A successor stays for this time: it took a place that was given up, and what it replaces names it.
  const spare = order.filter(({ id }) => !successors.has(id)).slice(INSIGHTS_MAX - order.length);
  const dropped = order.length > INSIGHTS_MAX ? new Set(spare) : new Set<Insight>();
  return {
    current: order.filter((insight) => !dropped.has(insight)),
    superseded,
    dropped: [...dropped],
  };
}

/** The id of what is said of a user: the same for the same words, however they are spaced and written. */
export function insightId(user: string, { kind, text }: Pick<Finding, 'kind' | 'text'>): string {
  const words = text.normalize('NFC').toLowerCase().replaceAll(/\s+/g, ' ').trim();
  return shortDigest(JSON.stringify([user, kind, words.replace(/[.!।]+$/u, '')]));
}

interface Found {
  readonly insight: Insight;
  readonly supersedes: ReadonlySet<string>;
}

/** By id, in the order of ids: a conversation has no order of its own that anything may hang on. */
function foundIn(findings: readonly Finding[], context: MergeContext): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const { kind, text, sources, supersedes = [] } of findings) {
    const id = insightId(context.user, { kind, text });
    const other = found.get(id);
    const insight: Insight = {
      id,
      kind,
      text: other && other.insight.text < text ? other.insight.text : text,
      sources: union(other?.insight.sources ?? [], sources),
      conversations: [context.conversation],
      firstAt: context.at,
      lastAt: context.at,
    };
    found.set(id, { insight, supersedes: new Set([...(other?.supersedes ?? []), ...supersedes]) });
  }
  return new Map([...found].sort(([one], [other]) => compare(one, other)));
}

/** Takes out of `insights` what holds no longer. What one conversation says supersedes nothing of the same. */
function supersede(
  insights: Map<string, Insight>,
  found: ReadonlyMap<string, Found>,
): SupersededInsight[] {
  const superseded: SupersededInsight[] = [];
  const retire = (old: Insight, supersededBy: string): void => {
    if (!insights.delete(old.id)) return;
    superseded.push({ ...old, supersededBy });
  };
  for (const [id, { supersedes }] of found) {
    for (const oldId of [...supersedes].sort(compare)) {
      const [successor, old] = [insights.get(id), insights.get(oldId)];
      if (successor === undefined || old === undefined || found.has(oldId)) continue;
      if (old.lastAt <= successor.lastAt) retire(old, id);
      else retire(successor, oldId);
    }
  }
  return superseded;
}

function joined(before: Insight, again: Insight): Insight {
  if (again.conversations.every((one) => before.conversations.includes(one))) return before;
  return {
    ...before,
    text: before.text < again.text ? before.text : again.text,
    sources: union(before.sources, again.sources),
    conversations: [...new Set([...before.conversations, ...again.conversations])].sort(compare),
    firstAt: Math.min(before.firstAt, again.firstAt),
    lastAt: Math.max(before.lastAt, again.lastAt),
  };
}

function union(one: readonly InsightSource[], other: readonly InsightSource[]): InsightSource[] {
  const all = new Map([...one, ...other].map((source) => [keyOf(source), source]));
  return [...all].sort(([left], [right]) => compare(left, right)).map(([, source]) => source);
}

function keyOf({ message, hash }: InsightSource): string {
  return JSON.stringify([message, hash]);
}

/** Most supported first, then the latest said; ids decide the rest. */
function bySupport(one: Insight, other: Insight): number {
  return (
    other.conversations.length - one.conversations.length ||
    other.lastAt - one.lastAt ||
    compare(one.id, other.id)
  );
}

/** By code units: the same on every machine. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
