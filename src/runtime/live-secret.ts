import { Loop } from './loop.ts';
import type { Logger } from './logger.ts';
import type { Service } from './service.ts';
import type { Time } from './time.ts';

/** A secret whose value may change while we run. No dump shows it. */
export interface LiveSecret {
  /** The last that was read. */
  readonly value: string;
  /** Has a listener told of each new value. @returns what ends that */
  onChange(listener: (value: string) => void): () => void;
}

export interface LiveSecretsOptions {
  /** Reads the latest version of a secret. */
  readonly read: (name: string, signal?: AbortSignal) => Promise<string>;
  readonly time: Time;
  readonly log: Logger;
  /** How often all are read again. Default 5 min. */
  readonly everyMs?: number;
}

const EVERY_MS = 5 * 60_000;

/** A store that is away is asked less and less often, and never less than one that is not. */
const FIRST_RETRY_MS = 5_000;

/** All secrets that settings refer to: read once before anything starts, and again and again from then on. */
export class LiveSecrets {
  readonly #options: LiveSecretsOptions;
  readonly #secrets: ReadonlyMap<string, Value>;
  /** Reads all again from time to time; what cannot be had keeps its last value, and is logged once. */
  readonly service: Service;

  private constructor(secrets: ReadonlyMap<string, Value>, options: LiveSecretsOptions) {
    const { time, log, everyMs = EVERY_MS } = options;
    this.#options = options;
    this.#secrets = secrets;
    let isFirst = true;
    this.service = new Loop({
      name: 'secrets',
      time,
      log,
      backoff: { baseMs: Math.min(FIRST_RETRY_MS, everyMs), capMs: everyMs },
      runOnce: async (signal) => {
        // They have just been read.
        if (!isFirst) await this.refresh(signal);
        isFirst = false;
        return { sleepMs: everyMs };
      },
    });
  }

  /** Reads each for the first time. @throws what `read` rejects with */
  static async open(names: Iterable<string>, options: LiveSecretsOptions): Promise<LiveSecrets> {
    const secrets = await Promise.all(
      [...new Set(names)].map(
        async (name) => [name, new Value(name, await options.read(name), options.log)] as const,
      ),
    );
    return new LiveSecrets(new Map(secrets), options);
  }

  /** @throws RangeError for one that was not opened */
  of(name: string): LiveSecret {
    const secret = this.#secrets.get(name);
    if (!secret) throw new RangeError(`the secret ${name} was not asked for`);
    return secret;
  }

  /**
   * Reads all again, and tells who listens of those that are new.
   * @throws the first error, after all that could be had were
   */
  async refresh(signal?: AbortSignal): Promise<void> {
    const reads = [...this.#secrets].map(async ([name, secret]) =>
      secret.become(await this.#options.read(name, signal)),
    );
    const failed = (await Promise.allSettled(reads)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }
}

class Value implements LiveSecret {
  readonly #name: string;
  readonly #log: Logger;
  readonly #listeners = new Set<(value: string) => void>();
  #value: string;

  constructor(name: string, value: string, log: Logger) {
    this.#name = name;
    this.#value = value;
    this.#log = log;
  }

  get value(): string {
    return this.#value;
  }

  onChange(listener: (value: string) => void): () => void {
    // A listener of its own, though the same function may listen twice.
    const one = (value: string): void => listener(value);
    this.#listeners.add(one);
    return () => void this.#listeners.delete(one);
  }

  become(value: string): void {
    if (value === this.#value) return;
    this.#value = value;
    this.#log.info({ name: this.#name }, 'a secret has a new value');
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch (error) {
        // What it says may hold the value.
        const type = error instanceof Error ? error.name : typeof error;
        this.#log.error({ name: this.#name, type }, 'a listener of a secret failed');
      }
    }
  }
}
