import { isDeepStrictEqual } from 'node:util';
import type { Activity } from '../abandonment/activity.ts';
import type { Cart } from '../model/cart.ts';
import type { Clock } from '../ports/clock.ts';
import type { ResumedFrom } from '../tiers/promote.ts';
import type { ForeignShop } from './foreign-shop.ts';
import { type Messages, NOTHING, type Owing, answer, byLink, isLeftOut } from './messages.ts';
import type { Recollection } from './recollection.ts';
import type { Shopper } from './shoppers.ts';
import type { Act } from './story.ts';

/** Something that a user really did, as the application remembers it. */
export interface Deed extends Owing {
  readonly did: 'touched' | 'changed the cart' | 'ordered' | 'opted out';
  /** When, as written into the session; Unix milliseconds. */
  readonly at: number;
  /** When Redis had it for sure. */
  readonly knownAt: number;
  /** The cart afterwards. */
  readonly cart: Cart;
  /** Of an order. */
  readonly orderId?: string;
}

/** Somebody was back after the life of a session, and the shop brought the session back. */
export interface Return {
  readonly user: string;
  readonly at: number;
  readonly from: ResumedFrom;
  /** What was there again. */
  readonly messages: number;
  readonly items: number;
  /** What was not as it had been left, in words. */
  readonly problem: string | undefined;
}

/** A shopper, and what came of the plan so far. */
export interface Visit {
  readonly shopper: Shopper;
  readonly deeds: Deed[];
  /** Ids of all messages, in their order, those of the past first; none where another program writes. */
  readonly said: string[];
}

/** How the shop takes up sessions again; without it, who comes back late begins anew. */
export interface Returning {
  /** Logical life of a session after the last activity. */
  readonly hotLifeMs: number;
  /** Whoever was away for so long is asked for; a little shorter, for a session may end while its user writes. */
  readonly awayMs: number;
  readonly windowMessages: number;
  readonly resume: (user: string, at: number) => Promise<ResumedFrom>;
  /** Whoever has been here before comes when their past has been compacted. */
  readonly mayCome: (user: string) => boolean;
  readonly recall: (user: string, question: string, at: number) => Promise<Recollection>;
}

/** Where nothing is known of a last deed but that it was days ago. */
const DAYS_AGO: Pick<Deed, 'at' | 'cart'> = { at: -Infinity, cart: [] };

const POLL_MS = 50;

/** The application of the demo: lets people do what they plan, and keeps its own record of it. */
export class Shop {
  readonly visits: readonly Visit[];
  readonly returns: Return[] = [];
  readonly recollections: Recollection[] = [];
  messages = 0;
  #activity: Activity;
  #foreign: ForeignShop;
  #clock: Clock;
  #returning: Returning | undefined;
  #sent: Messages | undefined;

  constructor(
    shoppers: readonly Shopper[],
    activity: Activity,
    foreign: ForeignShop,
    clock: Clock,
    returning?: Returning,
    sent?: Messages,
  ) {
    this.visits = shoppers.map((shopper) => ({ shopper, deeds: [], said: [] }));
    this.#activity = activity;
    this.#foreign = foreign;
    this.#clock = clock;
    this.#returning = returning;
    this.#sent = sent;
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
    const { acts } = visit.shopper;
    const beginsAt = startAt + (await this.#waited(visit, startAt, untilAt, signal));
    for (const act of acts) {
      await this.#clock.sleep(Math.max(0, beginsAt + act.atMs - this.#clock.now()), signal);
      if (signal.aborted || this.#clock.now() >= untilAt) return;
      if (isLeftOut(visit.shopper, act, this.#sent)) return;
      await this.#welcome(visit, act);
      const at = this.#clock.now();
      let owing = NOTHING;
      if (visit.shopper.foreign) await this.#foreign.act(visit.shopper, act, at);
      else owing = await this.#act(visit, act, at);
      this.#note(visit, act, at, owing);
      if (act.does === 'says' && act.recalls && this.#returning) {
        const { user } = visit.shopper;
        this.recollections.push(await this.#returning.recall(user, act.text, this.#clock.now()));
      }
    }
  }

  /** @returns how much later than planned somebody comes, in milliseconds */
  async #waited(
    { shopper: { user, past, acts } }: Visit,
    startAt: number,
    untilAt: number,
    signal: AbortSignal,
  ): Promise<number> {
    if (!past || !this.#returning) return 0;
    const plannedAt = startAt + (acts[0]?.atMs ?? 0);
    await this.#clock.sleep(Math.max(0, plannedAt - this.#clock.now()), signal);
    while (!this.#returning.mayCome(user) && !signal.aborted && this.#clock.now() < untilAt)
      await this.#clock.sleep(POLL_MS, signal);
    return Math.max(0, this.#clock.now() - plannedAt);
  }

  /** Whoever is back after a while finds the session as it was left. */
  async #welcome({ shopper, deeds, said }: Visit, act: Act): Promise<void> {
    const last = deeds.at(-1) ?? (shopper.past && DAYS_AGO);
    if (!last || !this.#returning || shopper.foreign || act.does === 'replies') return;
    const { hotLifeMs, awayMs, windowMessages, resume } = this.#returning;
    const at = this.#clock.now();
    if (at - last.at < awayMs) return;
    const { user } = shopper;
    const from = await resume(user, at);
    if (from === 'nothing' && at - last.at < hotLifeMs) return;
    const knownAt = this.#clock.now();
    const session = await this.#activity.readSession(user);
    const messages = session?.messages.map(({ id }) => id) ?? [];
    const cart = session?.cart ?? [];
    const problems = [
      ...(from === 'nothing' ? ['came back to nothing'] : []),
      ...(isDeepStrictEqual(cart, last.cart) ? [] : ['came back to another cart']),
      ...(isDeepStrictEqual(messages, said.slice(-windowMessages))
        ? []
        : ['came back to another conversation']),
    ];
    this.returns.push({
      ...{ user, at, from, messages: messages.length, items: cart.length },
      problem: problems.length > 0 ? problems.join(', ') : undefined,
    });
    deeds.push({ did: 'touched', at, knownAt, cart: last.cart });
  }

  #note({ deeds }: Visit, act: Act, at: number, owing: Owing): void {
    if (act.does === 'says' || act.does === 'replies') this.messages += 1;
    if (act.does === 'replies') return;
    const knownAt = this.#clock.now();
    const cart = deeds.at(-1)?.cart ?? [];
    switch (act.does) {
      case 'says':
      case 'views':
        deeds.push({ did: 'touched', at, knownAt, cart, ...owing });
        return;
      case 'cart':
        deeds.push({ did: 'changed the cart', at, knownAt, cart: act.cart });
        return;
      case 'orders':
        deeds.push({ did: 'ordered', at, knownAt, cart: [], orderId: act.orderId, ...owing });
        return;
      case 'opts out':
        deeds.push({ did: 'opted out', at, knownAt, cart });
        return;
    }
  }

  async #act({ shopper, deeds, said }: Visit, act: Act, at: number): Promise<Owing> {
    const { user, channel, language, consents } = shopper;
    const first = deeds.length === 0;
    const details = {
      at,
      channel,
      language,
      ...(first && consents && { fields: { consent: consentAt(at) } }),
    };
    switch (act.does) {
      case 'says':
        said.push(
          await this.#activity.appendMessage(user, { role: 'user', content: act.text }, details),
        );
        return act.answers ? answer(user, at, this.#sent) : NOTHING;
      case 'replies':
        said.push(
          await this.#activity.appendMessage(
            user,
            { role: 'assistant', content: act.text },
            { at },
          ),
        );
        return NOTHING;
      case 'views':
        await this.#activity.recordActivity(user, details);
        return NOTHING;
      case 'cart':
        await this.#activity.updateCart(user, act.cart, details);
        return NOTHING;
      case 'orders': {
        const owing = byLink(user, act, this.#sent);
        await this.#activity.placeOrder(user, {
          ...{ at, orderId: act.orderId },
          ...(owing.ref !== undefined && { recovery_ref: owing.ref }),
        });
        return owing;
      }
      case 'opts out':
        await this.#activity.optOut(user, { at });
        return NOTHING;
    }
  }
}

/** As the field `consent` of those who agreed. */
export function consentAt(at: number): string {
  return JSON.stringify({ status: 'yes', basis: 'opt-in', at });
}
