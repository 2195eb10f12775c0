/** Assembles what a model should know of a user for its next answer, out of hot, warm and cold, within a budget. */
import { DAY_MS, SECOND_MS } from '../model/duration.ts';
import { UsageError, errorMessage } from '../model/errors.ts';
import type { Insight } from '../model/insight.ts';
import type { Clock } from '../ports/clock.ts';
import type { ColdStore } from '../ports/cold.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import { type CountTokens, type Filled, type Piece, type Tier, fillBudget } from './budget.ts';
import { type Candidates, candidatesOf } from './candidates.ts';
import { headingOf, insightText } from './context.ts';
import { type Answer, Deadline } from './deadline.ts';
import { HOT_FIELDS, type HotThing, hotPieces, immediateOf } from './hot.ts';
import { parseInsights, rankInsights } from './insights.ts';
import { messageOf, turnPieces } from './pieces.ts';
import { rankTurns } from './rank.ts';
import type { Dropped, RecallRequest, Recalled } from './recalled.ts';
import type { Turn } from './turn.ts';

export const BUDGET_TOKENS = 2_700;

/** A model's answer takes longer by far; a tier that takes this long is in trouble. */
const DEADLINE_MS = SECOND_MS / 2;

/** What has the same topic comes first if it was said within so long. */
const SAME_TOPIC_MS = 7 * DAY_MS;

export interface RecallPorts {
  readonly clock: Pick<Clock, 'now'>;
  readonly records: Pick<SessionRecords, 'recent' | 'names'>;
  readonly warm: Pick<WarmStore, 'find' | 'search' | 'similar' | 'recalled'>;
  /** Undefined: there is no cold tier. */
  readonly cold: Pick<ColdStore, 'current'> | undefined;
  readonly countTokens: CountTokens;
}

/**
 * Recalls a user. Every tier is asked at once, hot in one round trip; one that is away or late is left out and named.
 * @param ref of the session, or where one user has several of the user, see `SessionNames`: then nothing hot is recalled
 * @throws UsageError for a budget that is none; the reason of `signal` once it aborts
 */
export async function recall(
  ref: string,
  request: RecallRequest,
  { clock, records, warm, cold, countTokens }: RecallPorts,
): Promise<Recalled> {
  const { query, topic, embedding, signal } = request;
  const { budgetTokens = BUDGET_TOKENS, deadlineMs = DEADLINE_MS, at = clock.now() } = request;
  if (!Number.isSafeInteger(budgetTokens) || budgetTokens < 0)
    throw new UsageError(`a budget is a whole number of tokens from 0; got ${budgetTokens}`);
  const user = records.names.ownerOf(ref);
  const asked = query ?? topic ?? '';
  using deadline = new Deadline(deadlineMs, signal);
  const [recent, candidates, current] = await Promise.all([
    deadline.answerOf(() => records.recent(ref, HOT_FIELDS)),
    candidatesOf(warm, user, { query: asked, embedding, deadline }),
    cold ? deadline.answerOf(() => cold.current(user)) : { value: undefined },
  ]);
  const dropped: Dropped[] = [];
  const erasedAt = ('value' in recent ? recent.value.erasedAt : undefined) ?? -Infinity;
  noteWarm(candidates, dropped);
  const { likeness } = candidates;
  const turns = candidates.turns.filter((turn) => (turn.at ?? Infinity) > erasedAt);
  const ranked = rankTurns(turns, asked, { at, likeness }).map(({ turn }) => turn);
  const insights = insightsOf(current, dropped).filter(({ lastAt }) => lastAt > erasedAt);
  const filled = fillBudget<HotThing, Turn, Insight>(
    budgetTokens,
    {
      hot: 'value' in recent ? hotPieces(recent.value, dropped) : [],
      warm: turnPieces(topicFirst(ranked, topic, at), turns, 'relevant'),
      cold: rankInsights(insights, asked, at).map(insightPiece),
    },
    countTokens,
  );
  if (!('value' in recent)) dropped.push({ tier: 'hot', ...recent });
  noteRest(filled, dropped);
  noteRecalled(warm, user, filled, at);
  return {
    immediate: immediateOf(filled.hot),
    relevant: filled.warm.map(messageOf),
    insights: filled.cold.map(({ of: { id, kind, text, lastAt, sources }, tokens }) => ({
      ...{ id, kind, text, lastAt, sources, tokens },
    })),
    tokens: filled.tokens,
    dropped,
  };
}

/** What is of the topic and lately said, then the rest; each in its order. */
function topicFirst(turns: readonly Turn[], topic: string | undefined, now: number): Turn[] {
  if (topic === undefined) return [...turns];
  const wanted = topic.toLowerCase();
  const isFirst = (turn: Turn): boolean =>
    turn.topic?.toLowerCase() === wanted && (turn.at ?? 0) > now - SAME_TOPIC_MS;
  const { first = [], rest = [] } = Object.groupBy(turns, (turn) =>
    isFirst(turn) ? 'first' : 'rest',
  );
  return [...first, ...rest];
}

function insightPiece(of: Insight): Piece<Insight> {
  return { of, text: insightText(of), headings: [headingOf('insights')] };
}

function insightsOf(
  current: Answer<Awaited<ReturnType<ColdStore['current']>>>,
  dropped: Dropped[],
): Insight[] {
  if (!('value' in current)) {
    dropped.push({ tier: 'cold', ...current });
    return [];
  }
  try {
    return current.value ? parseInsights(current.value.text) : [];
  } catch (error) {
    dropped.push({ tier: 'cold', reason: 'unreadable', detail: errorMessage(error) });
    return [];
  }
}

function noteWarm({ failures, unreadable, more }: Candidates, dropped: Dropped[]): void {
  for (const failure of failures) dropped.push({ tier: 'warm', ...failure });
  for (const one of unreadable) dropped.push({ tier: 'warm', reason: 'unreadable', ...one });
  if (more)
    dropped.push({
      tier: 'warm',
      reason: 'unread',
      detail: 'older entries, in which a search found nothing better',
    });
}

function noteRest(
  { rest, isDelivered }: Filled<HotThing, Turn, Insight>,
  dropped: Dropped[],
): void {
  const note = (tier: Tier, pieces: readonly Piece<{ readonly id: string }>[]): void => {
    for (const { of, identity } of pieces)
      dropped.push({ tier, reason: isDelivered(identity) ? 'duplicate' : 'budget', id: of.id });
  };
  note('hot', rest.hot);
  note('warm', rest.warm);
  note('cold', rest.cold);
}

/** Nobody waits for it, and nothing depends on it. */
function noteRecalled(
  warm: RecallPorts['warm'],
  user: string,
  { warm: taken }: Pick<Filled<HotThing, Turn, Insight>, 'warm'>,
  at: number,
): void {
  const ids = new Set(taken.flatMap(({ of }) => of.memoryId ?? []));
  if (ids.size > 0) warm.recalled(user, [...ids], at).catch(() => undefined);
}
