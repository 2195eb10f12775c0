import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { errorMessage } from '../model/errors.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { Logger } from './logger.ts';
import { BaseService } from './service.ts';
import { type Time, sleepFor } from './time.ts';

export interface RunResult {
  /** How long until the next run: 0 for at once, Infinity for when somebody wakes the loop. */
  readonly sleepMs: number;
}

export interface LoopOptions {
  readonly name: string;
  /** One run. `signal` aborts when it has to give up what is in hand. */
  readonly runOnce: (signal: AbortSignal) => Promise<RunResult>;
  readonly time: Time;
  readonly log: Logger;
  readonly backoff?: BackoffOptions;
}

/**
 * Runs something again and again, and sleeps in between as each run says:
 *
 *   running ──done──▶ sleeping ──time is up · wake──▶ running
 *      └────threw───▶ backing off ──time is up──▶ running
 *
 * A wake during a run makes the next one follow at once; during a backoff it shortens nothing, or a storm of wakes
 * would make a failing loop a busy one. Each error of a run of failures is logged once, and that it is over.
 */
export class Loop extends BaseService {
  readonly #options: LoopOptions;
  readonly #backoff: Backoff;
  readonly #quieting = new AbortController();
  readonly #givingUp = new AbortController();
  #nap: AbortController | undefined;
  #woken = false;
  /** What went wrong since the last success. */
  readonly #told = new Set<string>();
  #trouble: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LoopOptions) {
    super(options.name);
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** Why the last run failed; undefined if it did not. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Runs as soon as may be; once, however often it is called before that. */
  wake(): void {
    this.#woken = true;
    this.#nap?.abort();
  }

  protected override async onStart(): Promise<void> {
    this.#running = this.#run().catch((error: unknown) => this.die(error));
  }

  protected override async onQuiet(): Promise<void> {
    this.#quieting.abort();
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    this.#quieting.abort();
    const giveUp = (): void => this.#givingUp.abort(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    await this.#running;
    signal.removeEventListener('abort', giveUp);
  }

  async #run(): Promise<void> {
    while (!this.#quieting.signal.aborted) {
      this.#woken = false;
      const next = await this.#attempt();
      if (next.failed) await sleepFor(this.#options.time, next.sleepMs, this.#quieting.signal);
      else await this.#sleep(next.sleepMs);
    }
  }

  async #attempt(): Promise<{ readonly sleepMs: number; readonly failed: boolean }> {
    try {
      const { sleepMs } = await this.#options.runOnce(this.#givingUp.signal);
      if (Number.isNaN(sleepMs)) throw new TypeError(`${this.name} said to sleep for no number`);
      if (this.#trouble !== undefined) {
        this.#options.log.info(
          { loop: this.name, failures: this.#backoff.failures },
          'works again',
        );
      }
      this.#trouble = undefined;
      this.#told.clear();
      this.#backoff.reset();
      return { sleepMs, failed: false };
    } catch (error) {
      // What fails because it was told to give up is no news.
      if (!this.#givingUp.signal.aborted) this.#report(error);
      return { sleepMs: this.#backoff.next(), failed: true };
    }
  }

  #report(error: unknown): void {
    this.#trouble = errorMessage(error);
    if (this.#told.has(this.#trouble)) return;
    this.#told.add(this.#trouble);
    this.#options.log.error({ loop: this.name, err: error }, 'failed, tries again');
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#woken || ms <= 0) {
      // Runs that follow at once may never touch the network: timers and signals must have their turn.
      await yieldToOthers();
      return;
    }
    this.#nap = new AbortController();
    await sleepFor(
      this.#options.time,
      ms,
      AbortSignal.any([this.#nap.signal, this.#quieting.signal]),
    );
    this.#nap = undefined;
  }
}
