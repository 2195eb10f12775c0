import type { Clock } from '../../src/ports/clock.ts';

export interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Time that stands until it is moved, and those who sleep by it. Wakes nobody by itself. */
export class StandingClock implements Clock {
  #now: number;
  /** In the order of waking. */
  readonly #sleepers: Sleeper[] = [];

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** When the next one is to be woken. */
  get nextAt(): number {
    return this.#sleepers[0]?.at ?? Infinity;
  }

  moveTo(at: number): void {
    this.#now = Math.max(at, this.#now);
  }

  /** Wakes all whose time has come. */
  wake(): void {
    while (this.nextAt <= this.#now) this.#sleepers.shift()?.wake();
  }

  /** Calls back once when `at` has come. */
  at(at: number, wake: () => void): Sleeper {
    const sleeper = { at, wake };
    const after = this.#sleepers.findIndex((other) => other.at > at);
    this.#sleepers.splice(after === -1 ? this.#sleepers.length : after, 0, sleeper);
    return sleeper;
  }

  cancel(sleeper: Sleeper): void {
    const place = this.#sleepers.indexOf(sleeper);
    if (place !== -1) this.#sleepers.splice(place, 1);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = this.at(this.#now + ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        this.cancel(sleeper);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** Where a process stops: before a call takes effect, or after it, when it has not heard. */
export type Place = 'before' | 'after';

/**
 * A process that stops where it is told to, and goes on or dies there.
 *
 *   running ──the n-th call from now──▶ halted ──resume──▶ running
 *      └────────────kill────────────▶ dead ◀──kill──┘
 *
 * All that it does goes through `call`, and all its waiting through its clock: halted it does nothing, and what it was
 * told meanwhile it hears when it goes on. Dead it never hears of anything again.
 */
export class Process {
  readonly clock: Clock;
  dead = false;
  /** Since when it has been halted. */
  haltedAt: number | undefined;
  #halt: { calls: number; readonly place: Place } | undefined;
  #resumed: PromiseWithResolvers<undefined> | undefined;

  constructor(clock: Clock) {
    this.clock = {
      now: () => clock.now(),
      sleep: (ms, signal) =>
        clock.sleep(ms, signal).then(() => (this.#isStill ? this.#awake() : undefined)),
    };
  }

  haltIn(calls: number, place: Place): void {
    if (this.haltedAt === undefined) this.#halt = { calls, place };
  }

  resume(): void {
    this.#halt = undefined;
    this.haltedAt = undefined;
    this.#resumed?.resolve(undefined);
    this.#resumed = undefined;
  }

  kill(): void {
    this.dead = true;
  }

  /** A call of this process to the outside. */
  async call<T>(effect: () => Promise<T>): Promise<T> {
    if (this.#halt) this.#count('before');
    if (this.#isStill) await this.#awake();
    try {
      return await effect();
    } finally {
      if (this.#halt) this.#count('after');
      if (this.#isStill) await this.#awake();
    }
  }

  /** The port with all its methods as calls of this process. */
  gated<P extends object>(
    port: P,
    around: <T>(name: string, effect: () => Promise<T>) => Promise<T>,
  ): P {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        const method = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.call(() => around(String(key), () => method(...args)));
      },
    });
  }

  get #isStill(): boolean {
    return this.dead || this.haltedAt !== undefined;
  }

  #count(place: Place): void {
    const halt = this.#halt;
    if (!halt) return;
    if (place === 'before') halt.calls -= 1;
    if (halt.calls > 0 || halt.place !== place) return;
    this.#halt = undefined;
    this.haltedAt = this.clock.now();
  }

  async #awake(): Promise<void> {
    while (this.#isStill) {
      if (this.dead) await NEVER;
      this.#resumed ??= Promise.withResolvers();
      await this.#resumed.promise;
    }
  }
}

const NEVER = new Promise<never>(() => undefined);
