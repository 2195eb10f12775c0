import type { Logger } from './logger.ts';
import { Loop } from './loop.ts';
import { type Time, monotonicTime } from './time.ts';

/** A value as it was given, and how long it may be used before somebody asks again. */
export interface Renewal<T> {
  readonly value: T;
  readonly askAgainInMs: number;
}

export interface RenewedOptions<T> {
  readonly name: string;
  /** Asks for the value. While it fails, the one before holds. */
  readonly renew: (signal: AbortSignal) => Promise<Renewal<T>>;
  readonly log: Logger;
  /** Default: the host's own. */
  readonly time?: Time;
}

/** While it fails it is asked again this often at the least: an Entra token is renewed minutes before its end. */
const RETRY_MAX_MS = 15_000;

/**
 * A value that others replace in time: a token that ends, a secret that is rotated. It is renewed for as long as anybody
 * listens, so that whoever closes what uses it has closed this.
 */
export class Renewed<T> {
  readonly #options: RenewedOptions<T>;
  readonly #listeners = new Set<() => void>();
  #value: T;
  #askAgainAt: number;
  #loop: Loop | undefined;

  private constructor(options: RenewedOptions<T>, { value, askAgainInMs }: Renewal<T>) {
    this.#options = options;
    this.#value = value;
    this.#askAgainAt = this.#time.now() + askAgainInMs;
  }

  /** Asks once. @throws what `renew` throws */
  static async open<T>(options: RenewedOptions<T>): Promise<Renewed<T>> {
    return new Renewed(options, await options.renew(new AbortController().signal));
  }

  /** The latest value. */
  current(): T {
    return this.#value;
  }

  /** Calls `listener` whenever there is another value. @returns what ends that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (!this.#loop) this.#renewFromNowOn();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      void this.#loop?.stop(AbortSignal.abort()).catch(() => undefined);
      this.#loop = undefined;
    };
  }

  get #time(): Time {
    return this.#options.time ?? monotonicTime;
  }

  #renewFromNowOn(): void {
    const { name, renew, log } = this.#options;
    this.#loop = new Loop({
      ...{ name, log, time: this.#time, backoff: { capMs: RETRY_MAX_MS } },
      runOnce: async (signal) => {
        const leftMs = this.#askAgainAt - this.#time.now();
        if (leftMs > 0) return { sleepMs: leftMs };
        const { value, askAgainInMs } = await renew(signal);
        this.#askAgainAt = this.#time.now() + askAgainInMs;
        this.#replace(value);
        return { sleepMs: askAgainInMs };
      },
    });
    void this.#loop.start();
  }

  #replace(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (err) {
        this.#options.log.error({ err, name: this.#options.name }, 'a listener failed');
      }
    }
  }
}
