import { isDeepStrictEqual } from 'node:util';
import type { Decision, PolicySettings } from '../../src/abandonment/decision.ts';
import { decide } from '../../src/abandonment/policy.ts';
import { cartDigest, parseCart } from '../../src/model/cart.ts';

import type { CartEvent } from '../../src/model/event.ts';
import { decodeLedger, encodeLedger } from '../../src/model/ledger.ts';
import type { Reading } from '../../src/ports/ledger.ts';

export interface Recorded {
  /** When it was decided. */
  readonly at: number;
  readonly event: CartEvent;
}

/** Deciding twice is most of the work of a history; impurity shows soon enough. */
const PURITY_EVERY = 8;

/**
 * What is true of the user of a history, whatever anybody noticed. What looks decide, record and tell is held against
 * it; the first that breaks a promise throws.
 */
export class PolicyOracle {
  readonly recorded: Recorded[] = [];
  readonly #settings: PolicySettings;
  readonly #told = new Set<string>();
  #decisions = 0;

  activeAt = Number.NEGATIVE_INFINITY;
  nothingAddedSinceOrder = false;
  optedOutAt: number | undefined;
  consent: { status: string; at: number } | undefined;
  /** How many things happened, and how many of them the latest look had seen that found the session. */
  happened = 0;
  seen = 0;

  constructor(settings: PolicySettings) {
    this.#settings = settings;
  }

  get announced(): Recorded[] {
    return this.recorded.filter(({ event }) => event.type === 'cart.abandoned');
  }

  /** That a decision is a function of its arguments alone, and that it is final. */
  checkDecision(reading: Reading, now: number): void {
    deepFreeze(reading);
    const decision = this.#decide(reading, reading.ledger, now);
    this.#decisions += 1;
    if (this.#decisions % PURITY_EVERY === 0) {
      const again = this.#decide(reading, reading.ledger, now);
      if (!isDeepStrictEqual(decision, again)) throw new Error('the same look decides otherwise');
    }
    const { ledger, nextAt } = decision;
    if (nextAt !== undefined && nextAt <= now)
      throw new Error(`a look at ${now} asks for one at ${nextAt}`);
    if (!ledger) {
      if (decision.events.length > 0) throw new Error('events without a ledger');
      return;
    }
    const stored = decodeLedger(encodeLedger(ledger))!;
    if (encodeLedger(stored) !== encodeLedger(ledger))
      throw new Error('a ledger is not what was stored');
    const next = this.#decide(reading, stored, now);
    if (next.ledger !== undefined || next.events.length > 0)
      throw new Error(`a repeated look finds something new: ${JSON.stringify(next)}`);
    if (next.nextAt !== nextAt) throw new Error('a repeated look comes back at another time');
  }

  #decide(reading: Reading, ledger: Reading['ledger'], now: number): Decision {
    return decide(reading, ledger, this.#settings, now);
  }

  /** A look at what still stands recorded this event. */
  record(event: CartEvent, reading: Reading): void {
    const latest = this.recorded.at(-1)?.event.sequence ?? '';
    if (event.sequence <= latest) throw new Error('the sequence does not grow');
    if (event.type === 'cart.abandoned') this.#checkAnnouncement(event, reading);
    else if (event.type === 'cart.rescue_cancelled') this.#checkCancellation(event);
    else if (event.type === 'cart.recovered') this.#checkRecovery(event);
    this.recorded.push({ at: Date.parse(event.time), event });
  }

  #checkAnnouncement(
    event: Extract<CartEvent, { type: 'cart.abandoned' }>,
    { fields }: Reading,
  ): void {
    const { episode, stage, cart, valid_until } = event.data;
    const at = Date.parse(event.time);
    const same = this.announced.filter((one) => one.event.data.episode === episode);
    if (same.some((one) => one.event.data.stage >= stage))
      throw new Error('a stage is announced again');
    if (at >= Date.parse(valid_until)) throw new Error('announced when it is over');
    // What was written and expired before any look could see it, nobody knows of.
    if (!fields && this.seen < this.happened) return;
    if (at - this.activeAt < this.#settings.stagesMs[stage]!)
      throw new Error('announced while active');
    if (cart.count === 0) throw new Error('announced with an empty cart');
    if (fields) {
      const parsed = parseCart(fields.cart);
      if (!('items' in parsed) || cartDigest(parsed.items) !== cartDigest(cart.items ?? []))
        throw new Error('announced another cart');
    }
    if (this.nothingAddedSinceOrder) throw new Error('announced after an order');
    if (this.#isOptedOut) throw new Error('announced after an opt-out');
  }

  get #isOptedOut(): boolean {
    const { status, at } = this.consent ?? { status: 'unknown', at: 0 };
    if (status === 'no') return true;
    return this.optedOutAt !== undefined && !(status === 'yes' && at > this.optedOutAt);
  }

  #checkRecovery({
    data: { episode, stage, class: owedTo },
  }: Extract<CartEvent, { type: 'cart.recovered' }>): void {
    const ofSame = ({ event: { data } }: Recorded): boolean => data.episode === episode;
    if (!this.announced.some((one) => ofSame(one) && one.event.data.stage === stage))
      throw new Error('an order is owed to what was not announced');
    if (this.recorded.some((one) => one.event.type === 'cart.recovered' && ofSame(one)))
      throw new Error('an episode is recovered twice');
    if (owedTo !== 'organic') throw new Error('nobody had sent a message');
  }

  #checkCancellation({ data: { episode, stage } }: CartEvent): void {
    const ofSame = ({ event: { data } }: Recorded): boolean =>
      data.episode === episode && data.stage === stage;
    if (!this.announced.some(ofSame)) throw new Error('a cancellation of what was not announced');
    if (this.recorded.some((one) => one.event.type === 'cart.rescue_cancelled' && ofSame(one)))
      throw new Error('a second cancellation');
  }

  /** This event is on the bus now. */
  told(event: CartEvent): void {
    const recorded = this.recorded.find((one) => one.event.id === event.id);
    if (!recorded || JSON.stringify(recorded.event) !== JSON.stringify(event))
      throw new Error('what is told is not what was recorded');
    this.#told.add(event.id);
  }

  /** Nothing is left to be told. */
  checkTold(): void {
    for (const { event } of this.recorded) {
      if (!this.#told.has(event.id))
        throw new Error(`${event.type} ${event.data.stage} is not told`);
    }
  }
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}
