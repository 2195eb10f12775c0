/**
 * What should the subscriber have heard? Derived from the application's own record alone, by the promise as a person
 * would tell it, not by the code that is on trial:
 *
 *   a cart with something in it is announced once for each stage, when its user has done nothing for so long;
 *   whoever does something after that is taken back, once; an order, an emptied cart or an opt-out ends it.
 */
import { cartValue } from '../model/cart.ts';
import type { RescueEvent, RescueCancelledData } from '../model/event.ts';
import type { Deed } from './shop.ts';

export type Reason = RescueCancelledData['reason'];

export type Expected =
  | {
      readonly type: 'cart.abandoned';
      readonly stage: number;
      readonly dueAt: number;
      readonly activityAt: number;
      readonly count: number;
      readonly value: number;
    }
  | {
      readonly type: 'cart.rescue_cancelled';
      readonly stage: number;
      readonly dueAt: number;
      /** More than one where the user did several things before anybody could look. */
      readonly reasons: readonly Reason[];
    };

export interface Expectation {
  /** In the order in which they happen. */
  readonly events: readonly Expected[];
  /** The user did something so close to a due instant that from there on either is right. */
  readonly undecided: boolean;
}

/** What is promised, in numbers. */
export interface Terms {
  readonly stagesMs: readonly number[];
  /** An announcement is out for sure this long after it was due. */
  readonly sureMs: number;
  /** What a user does is noticed for sure within this time. */
  readonly noticeMs: number;
}

/** What should be heard of one user, who did this and nothing else. */
export function expectationOf(
  deeds: readonly Deed[],
  { stagesMs, sureMs, noticeMs }: Terms,
): Expectation {
  const events: Expected[] = [];
  let open = false;
  let deaf = false;
  let stage = 0;
  let outstanding: number | undefined;
  let last: Deed | undefined;

  const announceNext = (quiet: Deed, dueAt: number): void => {
    const cart = { count: quiet.cart.length, value: cartValue(quiet.cart) };
    events.push({ type: 'cart.abandoned', stage, dueAt, activityAt: quiet.at, ...cart });
    outstanding = stage;
    stage += 1;
  };
  const dueAfter = (quiet: Deed): number => quiet.at + (stagesMs[stage] ?? Infinity);

  for (const [index, deed] of deeds.entries()) {
    while (open && last && dueAfter(last) <= deed.knownAt) {
      const dueAt = dueAfter(last);
      if (deed.at < dueAt + sureMs) return { events, undecided: true };
      announceNext(last, dueAt);
    }
    const ends = endOf(deed);
    if (outstanding !== undefined) {
      const soon = deeds.slice(index + 1).filter(({ at }) => at <= deed.knownAt + noticeMs);
      const reasons: Reason[] = ends
        ? [ends]
        : ['resumed', ...soon.flatMap((next) => endOf(next) ?? [])];
      events.push({ type: 'cart.rescue_cancelled', stage: outstanding, dueAt: deed.at, reasons });
      outstanding = undefined;
    }
    deaf ||= deed.did === 'opted out';
    if (ends) open = false;
    else if (!open && !deaf && deed.did === 'changed the cart') {
      open = true;
      stage = 0;
    }
    last = deed;
  }
  while (open && last && stage < stagesMs.length) announceNext(last, dueAfter(last));
  return { events, undecided: false };
}

function endOf(deed: Deed): Reason | undefined {
  if (deed.did === 'opted out') return 'opted_out';
  if (deed.did === 'ordered') return 'ordered';
  return deed.did === 'changed the cart' && deed.cart.length === 0 ? 'emptied' : undefined;
}

export interface Comparison {
  readonly missing: readonly Expected[];
  readonly unexpected: readonly RescueEvent[];
}

/**
 * Compares what was heard of one user, each event once and in their order, with what was expected.
 * @param until what is due later may be heard, and may be missing
 */
export function compare(
  { events, undecided }: Expectation,
  heard: readonly RescueEvent[],
  until: number,
): Comparison {
  const missing: Expected[] = [];
  const unexpected: RescueEvent[] = [];
  let next = 0;
  let announced: string | undefined;
  for (const event of heard) {
    const index = events.findIndex((one, at) => at >= next && matches(one, event, announced));
    if (index >= 0) {
      missing.push(...events.slice(next, index));
      next = index + 1;
    } else if (!undecided || next < events.length) {
      unexpected.push(event);
    }
    announced = event.type === 'cart.abandoned' ? event.id : undefined;
  }
  missing.push(...events.slice(next).filter(({ dueAt }) => dueAt <= until));
  return { missing, unexpected };
}

function matches(expected: Expected, event: RescueEvent, announced: string | undefined): boolean {
  if (expected.stage !== event.data.stage) return false;
  if (expected.type === 'cart.abandoned') {
    if (event.type !== 'cart.abandoned') return false;
    const { cart, last_activity } = event.data;
    return (
      Date.parse(last_activity) === expected.activityAt &&
      cart.count === expected.count &&
      cart.value === expected.value
    );
  }
  return (
    event.type === 'cart.rescue_cancelled' &&
    expected.reasons.includes(event.data.reason) &&
    event.data.announcement_id === announced
  );
}
