import { Announcer } from '../src/abandonment/announce.ts';
import { type LookPorts, Looker } from '../src/abandonment/look.ts';
import { LOOK_LOOPS } from '../src/abandonment/watcher.ts';
import { type Hot, lookSettings, openBus, openHot } from '../src/compose.ts';
import type { Bus } from '../src/ports/bus.ts';
import type { Clock } from '../src/ports/clock.ts';
import { cartDigest } from '../src/model/cart.ts';
import type { Bench } from './harness.ts';
import { inFlight } from './harness.ts';

/** For sessions that are not near their end. */
export const NO_JOBS: LookPorts['jobs'] = {
  add: () => Promise.reject(new Error('nothing is demoted here')),
};

/** The real pipeline without its timers: looks are made when the bench says so. */
export class Pipeline implements AsyncDisposable {
  readonly hot: Hot;
  readonly bus: Bus;
  readonly #looker: Looker;
  readonly #clock: ShiftedClock;

  constructor(hot: Hot, bus: Bus, clock: ShiftedClock, bench: Bench, jobs = NO_JOBS) {
    this.hot = hot;
    this.bus = bus;
    this.#clock = clock;
    const observe = (): void => undefined;
    this.#looker = new Looker(
      { ...hot, clock, jobs },
      new Announcer(bus, clock, observe),
      lookSettings(bench.config, hot),
      observe,
      (user, error) => {
        throw new Error(`${user} could not be judged`, { cause: error });
      },
    );
  }

  static async open(bench: Bench, jobs = NO_JOBS): Promise<Pipeline> {
    const hot = await openHot(bench.config);
    const bus = await openBus(bench.config);
    const subscription = await bus.subscribe({ group: 'bench' });
    await subscription.close();
    return new Pipeline(hot, bus, new ShiftedClock(hot.clock), bench, jobs);
  }

  get clock(): Clock {
    return this.#clock;
  }

  now(): number {
    return this.#clock.now();
  }

  shift(ms: number): void {
    this.#clock.shiftMs += ms;
  }

  /** Sessions with a cart, as an application writes them. */
  async leaveCarts(users: readonly string[], at: (index: number) => number): Promise<void> {
    const items = [{ product_id: 'p-4711', size: 'M', quantity: 1, price: 19.9 }];
    const cart = { json: JSON.stringify(items), digest: cartDigest(items) };
    const fields = { active_channel: 'whatsapp', language: 'en' };
    await inFlight(users, 5_000, (user, index) =>
      this.hot.sessions.write({ user, at: at(index), activity: true, fields, cart }),
    );
  }

  /** Looks until nobody is due. @returns how many users were looked at */
  async drain(): Promise<number> {
    const looked = await Promise.all(
      Array.from({ length: LOOK_LOOPS }, async () => {
        let users = 0;
        for (;;) {
          const result = await this.#looker.lookOnce();
          if (result.users === 0) return users;
          users += result.users;
        }
      }),
    );
    return looked.reduce((sum, users) => sum + users, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bus.close();
    await this.hot.close();
  }
}

/** The store's time, moved on: half an hour passes at once. */
class ShiftedClock implements Clock {
  readonly #clock: Clock;
  shiftMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.shiftMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }
}
