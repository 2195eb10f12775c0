/**
 * Replays a file of events through the real pipeline: the library's writes, the agenda, looks, ledgers and bus on a real
 * store, in virtual time. What is due at an instant happens before the event of that instant, as in `backtest`; the two
 * therefore announce the same, event for event.
 */
import type { AnyEvent } from '../model/event.ts';
import type { Looker } from '../abandonment/look.ts';
import type { Sessions } from '../ports/sessions.ts';
import type { Bus } from '../ports/bus.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import type { Promoter } from '../tiers/promote.ts';
import { type Account, accountFor } from './account.ts';
import type { ShopEvent } from './shop-event.ts';
import { VisitorCart, sessionWrite } from './visitor.ts';

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
  readonly looks: number;
  /** Sessions that were brought back from warm. */
  readonly resumed: number;
  /** In which tier each event is found at the end. */
  readonly account: Account;
}

const NOTHING = { events: 0, from: 0, to: 0, received: 0, announced: 0, cancelled: 0, resumed: 0 };

/** Events a subscriber is given at a time. */
const RECEIVE_BATCH = 500;
const RECEIVE_WAIT_MS = 1_000;

/** The subscriber reads while this many are unread, so that it is never far behind. */
const UNREAD_MAX = 1_000;

export class Replay {
  readonly #ports: ReplayPorts;
  readonly #onEvent: (event: AnyEvent) => void;
  readonly #published: () => number;
  #looks = 0;
  #nextLookAt: number | undefined;

  /** @param published how many events have been put on the bus so far */
  constructor(ports: ReplayPorts, published: () => number, onEvent: (event: AnyEvent) => void) {
    this.#ports = ports;
    this.#published = published;
    this.#onEvent = onEvent;
  }

  /** @param events by time; those of the same instant in the order in which they happened */
  async run(events: AsyncIterable<ShopEvent>): Promise<ReplayReport> {
    const { sessions, bus, clock, jobs, promoter, hotTtlMs } = this.#ports;
    const subscription = await bus.subscribe({ group: 'replay' });
    const counts = { ...NOTHING };
    const carts = new Map<string, VisitorCart>();
    const said = new Map<string, string[]>();
    const lastAt = new Map<string, number>();
    const drain = async (unreadMax: number): Promise<void> => {
      while (this.#published() - counts.received > unreadMax) {
        for (const delivery of await subscription.receive(RECEIVE_BATCH, RECEIVE_WAIT_MS)) {
          counts.received += 1;
          counts[delivery.event.type === 'cart.abandoned' ? 'announced' : 'cancelled'] += 1;
          this.#onEvent(delivery.event);
          await delivery.done();
        }
      }
    };
    try {
      for await (const event of events) {
        if (counts.events === 0) {
          // Schedules count from the first event, not from 1970.
          clock.jumpTo(event.at);
          await jobs.start();
          counts.from = event.at;
        }
        await this.#advanceTo(event.at);
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
        await sessions.write(sessionWrite(event, change, cart, id));
        await this.#look();
        counts.to = event.at;
        await drain(UNREAD_MAX);
      }
      await drain(0);
    } finally {
      await subscription.close();
    }
    const { received: _received, ...rest } = counts;
    const account = await accountFor(this.#ports, said);
    return { ...rest, visitors: carts.size, looks: this.#looks, account };
  }

  /** Lets everything happen that is due up to `at`, each at its own instant. */
  async #advanceTo(at: number): Promise<void> {
    const { clock, jobs } = this.#ports;
    for (;;) {
      const next = Math.min(jobs.nextAt() ?? Infinity, this.#nextLookAt ?? Infinity);
      if (next > at) break;
      clock.jumpTo(Math.max(next, clock.now()));
      await jobs.runDue();
      await this.#look();
    }
    clock.jumpTo(at);
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
