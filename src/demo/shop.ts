import type { Activity } from '../abandonment/activity.ts';
import type { Cart } from '../model/cart.ts';
import type { Clock } from '../ports/clock.ts';
import type { ForeignShop } from './foreign-shop.ts';
import type { Act, Shopper } from './shoppers.ts';

/** Something that a user really did, as the application remembers it. */
export interface Deed {
  readonly did: 'touched' | 'changed the cart' | 'ordered' | 'opted out';
  /** When, as written into the session; Unix milliseconds. */
  readonly at: number;
  /** When Redis had it for sure. */
  readonly knownAt: number;
  /** The cart afterwards. */
  readonly cart: Cart;
}

/** A shopper, and what came of the plan so far. */
export interface Visit {
  readonly shopper: Shopper;
  readonly deeds: Deed[];
}

/** The application of the demo: lets people do what they plan, and keeps its own record of it. */
export class Shop {
  readonly visits: readonly Visit[];
  messages = 0;
  #activity: Activity;
  #foreign: ForeignShop;
  #clock: Clock;

  constructor(
    shoppers: readonly Shopper[],
    activity: Activity,
    foreign: ForeignShop,
    clock: Clock,
  ) {
    this.visits = shoppers.map((shopper) => ({ shopper, deeds: [] }));
    this.#activity = activity;
    this.#foreign = foreign;
    this.#clock = clock;
  }

  /** Runs until everybody is done, `untilAt`, or `signal` aborts. Rejects when a write fails. */
  async open(startAt: number, untilAt: number, signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const visits = this.visits.map((visit) =>
      this.#visit(visit, startAt, untilAt, either).catch((error: unknown) => failed.abort(error)),
    );
    await Promise.all(visits);
    failed.signal.throwIfAborted();
  }

  async #visit(visit: Visit, startAt: number, untilAt: number, signal: AbortSignal): Promise<void> {
    for (const act of visit.shopper.acts) {
      await this.#clock.sleep(Math.max(0, startAt + act.atMs - this.#clock.now()), signal);
      const at = this.#clock.now();
      if (signal.aborted || at >= untilAt) return;
      await (visit.shopper.foreign
        ? this.#foreign.act(visit.shopper, act, at)
        : this.#act(visit.shopper, act, at, visit.deeds.length === 0));
      this.#note(visit, act, at);
    }
  }

  #note({ deeds }: Visit, act: Act, at: number): void {
    if (act.does === 'says' || act.does === 'replies') this.messages += 1;
    if (act.does === 'replies') return;
    const knownAt = this.#clock.now();
    const cart = deeds.at(-1)?.cart ?? [];
    switch (act.does) {
      case 'says':
      case 'views':
        deeds.push({ did: 'touched', at, knownAt, cart });
        return;
      case 'cart':
        deeds.push({ did: 'changed the cart', at, knownAt, cart: act.cart });
        return;
      case 'orders':
        deeds.push({ did: 'ordered', at, knownAt, cart: [] });
        return;
      case 'opts out':
        deeds.push({ did: 'opted out', at, knownAt, cart });
        return;
    }
  }

  async #act(shopper: Shopper, act: Act, at: number, first: boolean): Promise<void> {
    const { user, channel, language, consents } = shopper;
    const details = {
      at,
      channel,
      language,
      ...(first && consents && { fields: { consent: consentAt(at) } }),
    };
    switch (act.does) {
      case 'says':
        await this.#activity.appendMessage(user, { role: 'user', content: act.text }, details);
        return;
      case 'replies':
        await this.#activity.appendMessage(user, { role: 'assistant', content: act.text }, { at });
        return;
      case 'views':
        await this.#activity.recordActivity(user, details);
        return;
      case 'cart':
        await this.#activity.updateCart(user, act.cart, details);
        return;
      case 'orders':
        await this.#activity.placeOrder(user, { at, orderId: act.orderId });
        return;
      case 'opts out':
        await this.#activity.optOut(user, { at });
        return;
    }
  }
}

function consentAt(at: number): string {
  return JSON.stringify({ status: 'yes', basis: 'opt-in', at });
}
