import { Activity } from '../../src/abandonment/activity.ts';
import { Announcer } from '../../src/abandonment/announce.ts';
import { Looker } from '../../src/abandonment/look.ts';
import type { LookPorts, LookSettings } from '../../src/abandonment/look.ts';
import type { Observations, Observe } from '../../src/abandonment/observe.ts';
import { reconcile } from '../../src/abandonment/reconcile.ts';
import type { ReconcileReport } from '../../src/abandonment/reconcile.ts';
import type { Cart } from '../../src/model/cart.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { FakeBus } from './fake-bus.ts';
import type { Hot } from './hot-options.ts';
import { POLICY } from './watched-user.ts';

export const START = 1_800_000_000_000;

/** More would be a worker that goes round and round. */
const LOOKS_MAX = 5_000;

export type WorldPorts = LookPorts & { readonly bus: Bus };

/** What an application does, through the library or as a program that knows nothing of Rekindle. */
export interface Application {
  acts(user: string, cart?: Cart): Promise<void>;
  orders(user: string, left?: Cart): Promise<void>;
  optsOut(user: string): Promise<void>;
}

/** A hot tier, a bus, a clock, and whoever looks: the whole of noticing, with time that is moved by hand. */
export class LookWorld {
  readonly clock = new VirtualClock(START);
  readonly bus = new FakeBus();
  /** Users whose demotion was queued, in order. */
  readonly demotions: string[] = [];
  readonly jobs: LookPorts['jobs'] = {
    add: async (_queue, users) => void this.demotions.push(...users),
  };
  readonly hot: Hot;
  readonly settings: LookSettings;
  readonly faults: { user: string; error: unknown }[] = [];
  readonly observed: { [K in keyof Observations]?: Observations[K][] } = {};
  readonly observe: Observe = (what, observation) => {
    const seen: unknown[] = (this.observed[what] ??= []);
    seen.push(observation);
  };
  readonly library: Activity;
  readonly looker: Looker;
  looks = 0;

  /** @param wrap as that of `newLooker`, for the worker that runs with time */
  constructor(
    hot: Hot,
    settings: Partial<LookSettings> = {},
    wrap?: (ports: WorldPorts) => WorldPorts,
  ) {
    this.hot = hot;
    this.settings = {
      ...POLICY,
      attribution: { chat: DAY_MS, email: 5 * DAY_MS },
      quietHours: undefined,
      timezone: 'UTC',
      prefix: 'rekindle',
      sessionKey: (ref) => hot.sessions.keyOf(ref),
      nameOf: (ref) => hot.keys.names.nameOf(ref),
      manageTtlMs: undefined,
      ...settings,
    };
    const limits = { hotTtlMs: DAY_MS, maxCart: 65_536 };
    this.library = new Activity(hot.sessions, this.clock, limits, (text) => text.length);
    this.looker = this.newLooker(wrap);
  }

  get now(): number {
    return this.clock.now();
  }

  /** A worker of its own; `wrap` may put faults into its ports. */
  newLooker(wrap: (ports: WorldPorts) => WorldPorts = (ports) => ports): Looker {
    const ports = wrap({ ...this.hot, clock: this.clock, bus: this.bus, jobs: this.jobs });
    const announcer = new Announcer(ports.bus, this.clock, this.observe);
    return new Looker(ports, announcer, this.settings, this.observe, (user, error) => {
      this.faults.push({ user, error });
    });
  }

  /** Moves time on to `at`; every look comes when it is due. */
  async runUntil(at: number, looker = this.looker): Promise<void> {
    for (this.looks = 0; ; ) {
      const { users, nextDueAt } = await looker.lookOnce();
      if (users > 0) {
        if ((this.looks += 1) > LOOKS_MAX) throw new Error(`looks for ever at ${this.now}`);
        continue;
      }
      if (nextDueAt === undefined || nextDueAt > at) break;
      this.clock.jumpTo(Math.max(nextDueAt, this.now));
    }
    this.clock.jumpTo(at);
  }

  runFor(ms: number): Promise<void> {
    return this.runUntil(this.now + ms);
  }

  /** Nobody looks. */
  outage(ms: number): void {
    this.clock.jumpTo(this.now + ms);
  }

  reconcile(): Promise<ReconcileReport> {
    return reconcile({ ...this.hot, clock: this.clock }, this.settings, this.observe, {
      fullSpeed: true,
    });
  }

  /** What is still to be told of the user. */
  async pendingOf(user: string): Promise<number> {
    return (await this.hot.ledgers.read([user], this.now))[0]!.pending.length;
  }

  application(kind: 'library' | 'foreign'): Application {
    if (kind === 'library') {
      return {
        acts: (user, cart) =>
          cart ? this.library.updateCart(user, cart) : this.library.recordActivity(user),
        orders: (user, left = []) => this.library.placeOrder(user, { cart: left }),
        optsOut: (user) => this.library.optOut(user),
      };
    }
    const write = (user: string, fields: Record<string, string>): Promise<void> =>
      this.foreign(user, { last_activity: formatInstant(this.now), ...fields });
    return {
      acts: (user, cart) => write(user, cart ? { cart: JSON.stringify(cart) } : {}),
      orders: (user, left = []) =>
        write(user, { cart: JSON.stringify(left), last_order_at: formatInstant(this.now) }),
      optsOut: (user) => this.foreign(user, { consent: '{"status":"no"}' }),
    };
  }

  /** Another program's write, and what hears its notification. */
  async foreign(user: string, fields: Record<string, string>): Promise<void> {
    await this.hot.raw.hset(this.hot.keys.session(user), fields);
    await this.hot.sessions.armTouched([user], this.now);
  }
}
