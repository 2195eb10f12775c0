import { type Expected, type Terms, compare, expectationOf } from './expectations.ts';
import type { ColdHeld } from './cold-share.ts';
import { type Heard, type Listener, percentile } from './listener.ts';
import { type Excerpt, excerptOf, hasAllParts } from './recollection.ts';
import {
  type RescueChecks,
  type RescueSeen,
  type RescueSummary,
  type RescueTerms,
  checkRescue,
  rescueSummary,
} from './rescue-summary.ts';
import type { Shop, Visit } from './shop.ts';
import { type Whereabouts, total, wrongWith } from './whereabouts.ts';

/** What the demo tells a program. Durations of `stages` and `seconds` are seconds. */
export interface DemoSummary {
  readonly seed: number;
  readonly seconds: number;
  readonly stages: readonly number[];
  readonly redis: 'private' | 'given';
  readonly sessions: number;
  /** Of these, written by another program with plain Redis commands. */
  readonly foreign_sessions: number;
  readonly messages: number;
  readonly carts: number;
  readonly orders: number;
  readonly announced: number;
  readonly announced_by_stage: Readonly<Record<string, number>>;
  readonly cancelled: Readonly<Record<string, number>>;
  /** From the instant an announcement was due to its arrival at the subscriber. */
  readonly lateness_ms: {
    readonly p50: number | null;
    readonly p95: number | null;
    readonly max: number | null;
  };
  /** For how long a session stays hot after the last activity. */
  readonly hot_life_seconds: number;
  /** Sessions that were seen to leave Redis for warm. */
  readonly sank: number;
  /** Users who were back after that time, by where their session was found. */
  readonly resumed: Readonly<Record<string, number>>;
  /** Where the messages are at the end, of all whose messages have ids: those of the library. */
  readonly kept: Whereabouts;
  /** What cold holds at the end, of those who had been here before. */
  readonly compacted: ColdHeld;
  /** Of whom recall was asked when they were back, and of how many it knew something in each of its three parts. */
  readonly recalled: { readonly users: number; readonly in_all_parts: number };
  /** What was recalled of one of them; null where nobody was known in all parts. */
  readonly excerpt: Excerpt | null;
  /** What the example agent did about the announcements, and what came of it. */
  readonly rescue: RescueSummary;
  /** Events that arrived more than once, under the same id. */
  readonly duplicates: number;
  readonly checks: Checks;
}

/** What was heard against what the application's own record calls for. */
export interface Checks extends RescueChecks {
  readonly ok: boolean;
  readonly announcements_expected: number;
  readonly cancellations_expected: number;
  readonly missing: number;
  readonly unexpected: number;
  /** Users who did something so close to a due instant that what should be heard of them is open. */
  readonly undecided: number;
  /** Messages that are in no tier, twice in one, or were never said. */
  readonly misplaced: number;
  /** Users who came back and did not find what they had left. */
  readonly bereft: number;
  /** Users who came back after days, and of whom recall knew no insight. */
  readonly forgotten: number;
  /** What is wrong, at most a few lines of it. */
  readonly problems: readonly string[];
}

/** More users than this share undecided would make the check an empty one. */
const UNDECIDED_MAX = 0.2;

const PROBLEMS_SHOWN = 5;

export interface Given {
  readonly seed: number;
  readonly seconds: number;
  readonly redis: 'private' | 'given';
  readonly terms: Terms;
  readonly hotLifeMs: number;
  /** What is due later counts neither as missing nor as unexpected. */
  readonly until: number;
}

/** What was seen of the tiers. */
export interface TiersSeen {
  readonly sunk: number;
  readonly found: ReadonlyMap<string, Whereabouts>;
  readonly compacted: ColdHeld;
}

export function summarise(
  shop: Shop,
  listener: Listener,
  { sunk, found, compacted }: TiersSeen,
  rescue: RescueSeen & RescueTerms,
  given: Given,
): DemoSummary {
  const came = shop.visits.filter(({ deeds }) => deeds.length > 0);
  const deeds = came.flatMap((visit) => visit.deeds);
  const { latenessMs, announced, cancelled } = listener;
  const { recollections } = shop;
  const whole = recollections.filter(hasAllParts);
  return {
    seed: given.seed,
    seconds: given.seconds,
    stages: given.terms.stagesMs.map((ms) => ms / 1_000),
    redis: given.redis,
    sessions: came.length,
    foreign_sessions: came.filter(({ shopper }) => shopper.foreign).length,
    messages: shop.messages,
    carts: came.filter((visit) => visit.deeds.some(({ cart }) => cart.length > 0)).length,
    orders: deeds.filter(({ did }) => did === 'ordered').length,
    announced: announced.reduce((sum, count) => sum + count, 0),
    announced_by_stage: Object.fromEntries(announced.entries()),
    cancelled: Object.fromEntries([...cancelled].sort(([, a], [, b]) => b - a)),
    lateness_ms: {
      p50: percentile(latenessMs, 0.5),
      p95: percentile(latenessMs, 0.95),
      max: percentile(latenessMs, 1),
    },
    hot_life_seconds: given.hotLifeMs / 1_000,
    sank: sunk,
    resumed: Object.fromEntries(
      [...Map.groupBy(shop.returns, ({ from }) => from)].map(([from, all]) => [from, all.length]),
    ),
    kept: total([...found.values()]),
    compacted,
    recalled: { users: recollections.length, in_all_parts: whole.length },
    excerpt: whole[0] ? excerptOf(whole[0]) : null,
    rescue: rescueSummary(listener, rescue),
    duplicates: listener.duplicates,
    checks: checked(
      check(shop.visits, listener.heard, given.terms, given.until),
      shop,
      found,
      checkRescue(shop.visits, listener, rescue),
    ),
  };
}

/** What was heard, and what the tiers hold. */
function checked(
  heard: HeardChecks,
  { visits, returns, recollections }: Pick<Shop, 'visits' | 'returns' | 'recollections'>,
  found: ReadonlyMap<string, Whereabouts>,
  rescued: ReturnType<typeof checkRescue>,
): Checks {
  const bereft = returns.filter(({ problem }) => problem !== undefined);
  const forgotten = recollections.filter(({ recalled }) => recalled.insights.length === 0);
  const { lost, repeated, unknown } = total([...found.values()]);
  const problems = [
    ...heard.problems,
    ...rescued.problems,
    ...bereft.map(({ user, problem = '' }) => `${user} ${problem}`),
    ...(recollections.length === 0 && visits.some(({ shopper }) => shopper.past)
      ? ['nobody could be recalled: what had been said days ago was not compacted in time']
      : []),
    ...forgotten.map(({ user }) => `${user} came back, and recall knew no insight`),
    ...[...found].flatMap(([user, one]) => {
      const wrong = wrongWith(one);
      return wrong === undefined ? [] : [`${user}: ${wrong}`];
    }),
  ];
  return {
    ...heard,
    ...rescued,
    ok: problems.length === 0,
    misplaced: lost + repeated + unknown,
    bereft: bereft.length,
    forgotten: forgotten.length,
    problems: problems.slice(0, PROBLEMS_SHOWN),
  };
}

type HeardChecks = Omit<Checks, 'misplaced' | 'bereft' | 'forgotten' | keyof RescueChecks>;

/** How many of the events that must come by `until` have not been heard yet. */
export function outstanding(shop: Shop, listener: Listener, terms: Terms, until: number): number {
  return check(shop.visits, listener.heard, terms, until).missing;
}

function check(
  visits: readonly Visit[],
  heard: readonly Heard[],
  terms: Terms,
  until: number,
): HeardChecks {
  const heardOf = Map.groupBy(heard, ({ event }) => event.data.user);
  const expected: Expected[] = [];
  const problems: string[] = [];
  const counts = { missing: 0, unexpected: 0, undecided: 0 };
  for (const { shopper, deeds } of visits) {
    const { user } = shopper;
    const expectation = expectationOf(deeds, terms);
    const events = (heardOf.get(user) ?? [])
      .map(({ event }) => event)
      .sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
    heardOf.delete(user);
    const { missing, unexpected } = compare(expectation, events, until);
    expected.push(...expectation.events.filter(({ dueAt }) => dueAt <= until));
    counts.missing += missing.length;
    counts.unexpected += unexpected.length;
    if (expectation.undecided) counts.undecided += 1;
    for (const { type, stage } of missing) problems.push(`${user}: no ${type} of stage ${stage}`);
    for (const { type, data, id } of unexpected) {
      problems.push(`${user}: ${type} ${id} of stage ${data.stage} was not called for`);
    }
  }
  for (const [user, events] of heardOf) {
    counts.unexpected += events.length;
    problems.push(`${user}: not one of ours`);
  }
  if (counts.undecided > UNDECIDED_MAX * visits.length) {
    problems.push(`the machine was too slow to tell what is right for ${counts.undecided} people`);
  }
  const announcements = expected.filter(({ type }) => type === 'cart.abandoned').length;
  return {
    ok: problems.length === 0,
    announcements_expected: announcements,
    cancellations_expected: expected.length - announcements,
    ...counts,
    problems,
  };
}
