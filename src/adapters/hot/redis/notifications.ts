import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

/** Not the user's doing: the store took the key away. The ledger knows when that is due. */
const NOT_A_TOUCH: ReadonlySet<string> = new Set(['expired', 'evicted']);

export interface NotificationOptions {
  /** Number of the database, as notifications name it. */
  readonly database: number;
  /** Opens a connection that only listens. */
  readonly connect: () => Redis;
}

/**
 * Listens to keyspace notifications of session keys. They are fire-and-forget and come from the node that holds the
 * key; nothing is ever concluded from their absence.
 */
export class NotificationWatch {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: NotificationOptions;
  #onSentinel: (() => void) | undefined;

  constructor(redis: Redis, keys: Keys, options: NotificationOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
  }

  async watch(
    onTouched: (user: string, messages: boolean) => void,
    signal: AbortSignal,
    onListening?: () => void,
  ): Promise<void> {
    const channel = `__keyspace@${String(this.#options.database)}__:`;
    const listener = this.#options.connect();
    const over = Promise.withResolvers<undefined>();
    // It may be lost while nobody waits for it yet.
    over.promise.catch(() => undefined);
    const stop = (): void => {
      over.resolve(undefined);
    };
    signal.addEventListener('abort', stop, { once: true });
    // The first lost connection ends the watch: what was missed is for the caller to find.
    listener.once('close', () => {
      over.reject(new Error('the connection that listens for notifications was lost'));
    });
    listener.on('pmessage', (_pattern: string, on: string, event: string) => {
      const key = on.slice(channel.length);
      if (key === this.#keys.sentinel) {
        this.#onSentinel?.();
        return;
      }
      const owner = event.startsWith('h') ? undefined : this.#keys.messagesUser(key);
      for (const user of this.#usersTouched(key, event)) onTouched(user, user === owner);
    });
    try {
      const subscribed = listener.psubscribe(
        `${channel}${this.#keys.sessionPattern}`,
        `${channel}${this.#keys.sentinel}`,
      );
      await Promise.race([subscribed, over.promise]);
      if (signal.aborted) return;
      onListening?.();
      await over.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      // What is on its way yet comes too late.
      listener.removeAllListeners('pmessage');
      listener.disconnect();
    }
  }

  #usersTouched(key: string, event: string): readonly string[] {
    if (NOT_A_TOUCH.has(event)) return [];
    // An impossible id is put into quarantine by reconcile; it is never armed.
    return this.#keys.usersTouched(key, event).filter((user) => !this.#keys.names.problemOf(user));
  }

  async probe(timeoutMs: number): Promise<boolean> {
    const heard = Promise.withResolvers<boolean>();
    this.#onSentinel = () => {
      heard.resolve(true);
    };
    const timer = new AbortController();
    try {
      await this.#redis.hset(this.#keys.sentinel, 'at', String(Date.now()));
      return await Promise.race([heard.promise, sleep(timeoutMs, false, { signal: timer.signal })]);
    } finally {
      timer.abort();
      this.#onSentinel = undefined;
    }
  }
}
