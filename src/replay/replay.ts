/**
 * Replays a file of events through the real pipeline: the library's writes, the agenda, looks, ledgers and bus on a real
 * store, in virtual time. What is due at an instant happens before the event of that instant, as in `backtest`; the two
 * therefore announce the same, event for event.
 */
import type { AnyEvent } from '../model/event.ts';
import type { Looker } from '../abandonment/look.ts';
import type { Sessions } from '../ports/sessions.ts';
import type { Bus, Subscription } from '../ports/bus.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import type { Promoter } from '../tiers/promote.ts';
import { type Account, accountFor } from './account.ts';
import type { ShopEvent } from './shop-event.ts';
import { VisitorCart, sessionWrite } from './visitor.ts';

/** Somebody who acts on what is announced, in virtual time. */
export interface TimedAgent {
  /** Gives it an event that came from the bus. */
  hear(event: AnyEvent): void;
  /** Lets it do all that is to be done now. @returns how many events it was given */
  rest(): Promise<number>;
  /** When something that it holds is due; undefined: it holds nothing. */
  nextAt(): number | undefined;
}

export interface ReplayPorts {
  readonly sessions: Sessions;
  readonly records: SessionRecords;
  readonly warm: WarmStore;
  readonly promoter: Promoter;
  /** Logical life of a session after its last activity. */
  readonly hotTtlMs: number;
  readonly bus: Bus;
  readonly looker: Looker;
  readonly jobs: TimedJobs;
  readonly clock: { now(): number; jumpTo(at: number): void };
  /** Undefined: nobody acts on what is announced. */
  readonly agent?: TimedAgent | undefined;
  /** Fields of a visitor's session that no event tells. */
  readonly profileOf?: ((visitor: string) => Readonly<Record<string, string>>) | undefined;
}

/** Schedules that run in virtual time. */
export interface TimedJobs {
  start(): Promise<void>;
  nextAt(): number | undefined;
  runDue(): Promise<number>;
}

export interface ReplayReport {
  readonly events: number;
  readonly visitors: number;
  /** First and last instant of the file, Unix milliseconds; 0 when it is empty. */
  readonly from: number;
  readonly to: number;
  readonly announced: number;
  readonly cancelled: number;
  readonly touched: number;
  /** Orders of announced carts. */
  readonly recovered: number;
  readonly looks: number;
  /** Sessions that were brought back from warm. */
  readonly resumed: number;
  /** In which tier each event is found at the end. */
  readonly account: Account;
}

const NOTHING = { events: 0, from: 0, to: 0, resumed: 0 };

/** What is counted of each type of event. */
const COUNTED = {
  'cart.abandoned': 'announced',
  'cart.rescue_cancelled': 'cancelled',
  'cart.touched': 'touched',
  'cart.recovered': 'recovered',
  'user.erased': undefined,
} as const;

/** Events a subscriber is given at a time. */
const RECEIVE_BATCH = 500;
const RECEIVE_WAIT_MS = 1_000;

/** The subscriber reads while this many are unread, so that it is never far behind. */
const UNREAD_MAX = 1_000;

export class Replay {
  readonly #ports: ReplayPorts;
  readonly #onEvent: (event: AnyEvent) => unknown;
  readonly #published: () => number;
  readonly #heard = { announced: 0, cancelled: 0, touched: 0, recovered: 0 };
  #received = 0;
  #looks = 0;
  #nextLookAt: number | undefined;

  /**
   * @param published how many events have been put on the bus so far
   * @param onEvent is waited for
   */
  constructor(ports: ReplayPorts, published: () => number, onEvent: (event: AnyEvent) => unknown) {
    this.#ports = ports;
    this.#published = published;
    this.#onEvent = onEvent;
  }

  /** @param events by time; those of the same instant in the order in which they happened */
  async run(events: AsyncIterable<ShopEvent>): Promise<ReplayReport> {
    const { sessions, bus, clock, jobs, promoter, hotTtlMs, profileOf } = this.#ports;
    const subscription = await bus.subscribe({ group: 'replay' });
    const counts = { ...NOTHING };
    const carts = new Map<string, VisitorCart>();
    const said = new Map<string, string[]>();
    const lastAt = new Map<string, number>();
    try {
      for await (const event of events) {
        if (counts.events === 0) {
          // Schedules count from the first event, not from 1970.
          clock.jumpTo(event.at);
          await jobs.start();
          counts.from = event.at;
        }
        await this.#advanceTo(event.at, subscription);
        let cart = carts.get(event.user);
        if (!cart) carts.set(event.user, (cart = new VisitorCart()));
        const ids = said.get(event.user) ?? [];
        said.set(event.user, ids);
        // As an application does whose user comes back.
        const awayMs = event.at - (lastAt.get(event.user) ?? event.at);
        lastAt.set(event.user, event.at);
        if (awayMs >= hotTtlMs && (await promoter.resume(event.user, event.at)) === 'warm')
          counts.resumed += 1;
        const change = cart.apply(event);
        counts.events += 1;
        const id = `event ${counts.events}`;
        ids.push(id);
        await sessions.write(sessionWrite(event, change, cart, id, profileOf?.(event.user)));
        await this.#look();
        counts.to = event.at;
        await this.#listen(subscription, UNREAD_MAX);
      }
      await this.#listen(subscription, 0);
    } finally {
      await subscription.close();
    }
    const account = await accountFor(this.#ports, said);
    return { ...counts, ...this.#heard, visitors: carts.size, looks: this.#looks, account };
  }

  /** Lets everything happen that is due up to `at`, each at its own instant. */
  async #advanceTo(at: number, subscription: Subscription): Promise<void> {
    const { clock, jobs, agent } = this.#ports;
    for (;;) {
      const next = Math.min(
        ...[jobs.nextAt(), this.#nextLookAt, agent?.nextAt()].map((one) => one ?? Infinity),
      );
      if (next > at) break;
      clock.jumpTo(Math.max(next, clock.now()));
      await jobs.runDue();
      await this.#look();
      if (agent) await this.#listen(subscription, 0);
    }
    clock.jumpTo(at);
  }

  /**
   * Hears what is on the bus. Where somebody acts on it, time stands until all of it was heard and acted on, and until what
   * that led to was looked at, heard and acted on.
   * @param unreadMax where nobody acts, so many may wait
   */
  async #listen(subscription: Subscription, unreadMax: number): Promise<void> {
    const { agent } = this.#ports;
    await this.#drain(subscription, agent ? 0 : unreadMax);
    while (agent && (await agent.rest()) > 0) {
      await this.#look();
      await this.#drain(subscription, 0);
    }
  }

  async #drain(subscription: Subscription, unreadMax: number): Promise<void> {
    while (this.#published() - this.#received > unreadMax) {
      for (const delivery of await subscription.receive(RECEIVE_BATCH, RECEIVE_WAIT_MS)) {
        const { event } = delivery;
        this.#received += 1;
        const counted = COUNTED[event.type];
        if (counted) this.#heard[counted] += 1;
        await this.#onEvent(event);
        this.#ports.agent?.hear(event);
        await delivery.done();
      }
    }
  }

  /** Looks until nobody is due. */
  async #look(): Promise<void> {
    for (;;) {
      const { users, nextDueAt } = await this.#ports.looker.lookOnce();
      this.#looks += users;
      this.#nextLookAt = nextDueAt;
      if (users === 0) return;
    }
  }
}
