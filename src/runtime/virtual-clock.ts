import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Time } from './time.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Lets everybody act who waits for promises only, or for a turn of the event loop on the way. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await yieldToOthers();
}

/**
 * Time that stands until somebody moves it. Sleepers wake in the order of their instants, and of their going to sleep
 * where these are the same, each with `now()` at its own instant, and with time to act before the next one wakes.
 */
export class VirtualClock implements Time {
  #now: number;
  /** In the order of waking. */
  #sleepers: readonly Sleeper[] = [];

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** When the next sleeper wakes; undefined: nobody sleeps. */
  nextAt(): number | undefined {
    return this.#sleepers[0]?.at;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          signal?.removeEventListener('abort', sleeper.wake);
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      const after = this.#sleepers.findIndex((other) => other.at > sleeper.at);
      this.#sleepers =
        after === -1 ? [...this.#sleepers, sleeper] : this.#sleepers.toSpliced(after, 0, sleeper);
    });
  }

  /** Moves time without waking anybody: for one who drives everything that is due. Never backwards. */
  jumpTo(at: number): void {
    if (at < this.#now) throw new RangeError('time does not run backwards');
    this.#now = at;
  }

  /** Moves time to `at`, waking all who sleep until then, and those who go back to sleep on the way. */
  async advanceTo(at: number): Promise<void> {
    if (at < this.#now) throw new RangeError('time does not run backwards');
    await settle();
    for (;;) {
      const next = this.#sleepers[0];
      if (next === undefined || next.at > at) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = at;
  }
}
