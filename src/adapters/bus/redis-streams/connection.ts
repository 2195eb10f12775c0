import { once } from 'node:events';
import type { Redis, RedisOptions } from 'ioredis';
import { BusUnavailableError, errorMessage } from '../../../model/errors.ts';
import type { LuaScript } from './lua-script.ts';

/** Replies of a server that will serve again by itself: starting, failing over, busy, out of memory or disk. */
const PASSING_REPLIES =
  /^-?(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF|NOREPLICAS|ERR max number of clients)\b/;

/** Replies that say that the stream, or the group, was removed: by FLUSHALL, DEL or XGROUP DESTROY. */
const GROUP_GONE = /^-?(NOGROUP|UNBLOCKED)\b/;

/** Connection to the bus for everything that does not wait: each call is answered, or fails, within a bounded time. */
export class BusConnection {
  readonly #redis: Redis;
  readonly #readiness: Readiness;
  readonly #answerWithinMs: number;

  constructor(redis: Redis, answerWithinMs: number) {
    this.#redis = redis;
    this.#redis.on('error', () => undefined); // Whoever calls is told.
    this.#readiness = new Readiness(redis);
    this.#answerWithinMs = answerWithinMs;
  }

  /**
   * Runs a script.
   * @throws BusUnavailableError with the cause
   */
  async run(
    script: LuaScript,
    keys: readonly string[],
    args: readonly (string | number)[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.#bounded((redis) => script.run(redis, keys, args.map(String)), signal);
  }

  /** Sends one command, as `run` does. */
  async call(command: string, args: readonly (string | number)[]): Promise<unknown> {
    return this.#bounded((redis) => redis.call(command, ...args));
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #bounded(work: (redis: Redis) => Promise<unknown>, signal?: AbortSignal): Promise<unknown> {
    const gaveUp = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => gaveUp.reject(new Error(`no answer within ${this.#answerWithinMs} ms`)),
      this.#answerWithinMs,
    );
    const onAbort = (): void => gaveUp.reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#readiness.wait(), gaveUp.promise]);
      return await Promise.race([work(this.#redis), gaveUp.promise]);
    } catch (error) {
      if (error === signal?.reason) throw error;
      throw new BusUnavailableError(`the event bus is away: ${reasonOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** Waits for a connection, on behalf of any number of callers with one pair of listeners. */
export class Readiness {
  readonly #redis: Redis;
  #waiting: Promise<void> | undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Settles when the connection is ready; rejects with the reason of the next failed attempt to connect. */
  async wait(): Promise<void> {
    if (this.ready) return;
    if (this.#redis.status === 'end') throw new Error('the connection was closed');
    if (this.#redis.status === 'wait') this.#redis.connect().catch(() => undefined);
    this.#waiting ??= once(this.#redis, 'ready')
      .then(() => undefined)
      .finally(() => (this.#waiting = undefined));
    await this.#waiting;
  }
}

/** What the bus lays over the settings of whoever opens a connection for it. */
export type ConnectionSettings = Omit<RedisOptions, 'replyMapping'>;

/**
 * What every connection of the bus asks of its client: fail at once, repeat nothing. What a client keeps through an
 * outage comes out at its end, long after it was given up and done again.
 */
const FAIL_AT_ONCE: ConnectionSettings = {
  maxRetriesPerRequest: 0, // What is in flight when the connection goes is rejected then.
  enableOfflineQueue: false,
  commandTimeout: undefined, // Calls are bounded here, and reads that block by what they ask for.
  blockingTimeout: undefined,
  retryStrategy: (times) => Math.min(50 * times, 1_000),
};

/** Settings of the connection for calls; one on which nothing has come for `silentForMs` is replaced. */
export function callerSettings(silentForMs: number): ConnectionSettings {
  return { ...FAIL_AT_ONCE, lazyConnect: true, socketTimeout: silentForMs };
}

/** Settings of a subscription's connection, for reads that block; none may be silent for longer than `silentForMs`. */
export function readerSettings(silentForMs: number): ConnectionSettings {
  return {
    ...FAIL_AT_ONCE,
    lazyConnect: false,
    protocol: 2, // XREADGROUP's answer then has one shape, whatever else is asked for.
    socketTimeout: silentForMs, // A peer that is gone without a word is noticed.
  };
}

/** True for what passes without anybody's help: a lost connection, a server that starts or fails over. */
export function isPassing(error: unknown): boolean {
  const reason = rootOf(error);
  return reason.name !== 'ReplyError' || PASSING_REPLIES.test(reason.message);
}

export function isGroupGone(error: unknown): boolean {
  return GROUP_GONE.test(rootOf(error).message);
}

/** The client's own words for a connection that went are about a setting of ours. */
export function reasonOf(error: unknown): string {
  const lost = error instanceof Error && error.name === 'MaxRetriesPerRequestError';
  return lost ? 'the connection was lost' : errorMessage(error);
}

function rootOf(error: unknown): Error {
  const reason =
    error instanceof BusUnavailableError && error.cause !== undefined ? error.cause : error;
  return reason instanceof Error ? reason : new Error(String(reason));
}
