import type { LeaseStore } from '../../src/runtime/lease.ts';
import type { Time } from '../../src/runtime/time.ts';
import type { VirtualClock } from '../../src/runtime/virtual-clock.ts';

/** Leases as a Redis keeps them, by the virtual time; a call may take its time, or lose its answer. */
export class FakeLeaseStore implements LeaseStore {
  readonly #clock: VirtualClock;
  #token = '';
  #endsAt = 0;
  /** What happens to the next calls: how long each way takes, and whether the answer gets lost. */
  fault: () => { thereMs: number; backMs: number; lost: boolean } = () => ({
    thereMs: 0,
    backMs: 0,
    lost: false,
  });

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get holder(): string {
    return this.#clock.now() < this.#endsAt ? this.#token : '';
  }

  forget(): void {
    this.#endsAt = 0;
  }

  acquire(_name: string, token: string, ttlMs: number): Promise<boolean> {
    return this.#call(() => this.holder === '' && this.#grant(token, ttlMs));
  }

  renew(_name: string, token: string, ttlMs: number): Promise<boolean> {
    return this.#call(() => this.holder === token && this.#grant(token, ttlMs));
  }

  release(_name: string, token: string): Promise<boolean> {
    return this.#call(() => {
      if (this.holder !== token) return false;
      this.forget();
      return true;
    });
  }

  #grant(token: string, ttlMs: number): true {
    this.#token = token;
    this.#endsAt = this.#clock.now() + ttlMs;
    return true;
  }

  async #call(act: () => boolean): Promise<boolean> {
    const { thereMs, backMs, lost } = this.fault();
    await this.#clock.sleep(thereMs);
    const answer = act();
    await this.#clock.sleep(backMs);
    if (lost) throw new Error('the answer got lost');
    return answer;
  }
}

/** The time of a process that can be frozen, as by SIGSTOP: the clock goes on, and nothing of it runs. */
export class FreezableTime implements Time {
  readonly #clock: VirtualClock;
  #thawed = Promise.resolve();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    await this.#thawed;
  }

  freeze(): () => void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#thawed = promise.then(() => undefined);
    return () => resolve(undefined);
  }
}
