import type { Redis } from 'ioredis';
import type { Logger } from '../../../runtime/logger.ts';
import { Connection, type RedisCredentials } from '../../redis/connection.ts';

/** A lost connection is tried again after this at the most. */
const RECONNECT_MAX_MS = 2_000;

/** BullMQ blocks for 10 s at most, so a socket that is silent for longer leads nowhere. */
const SOCKET_TIMEOUT_MS = 20_000;

/** BullMQ wants no limit of retries: a worker's commands wait for Redis however long it is away. */
const RECONNECTING = {
  retryStrategy: (attempt: number) => Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6)),
  maxRetriesPerRequest: null,
} as const;

/** How soon a worker asks again after a failed command. BullMQ's own 15 s would hold up a stop. */
export const WORKER_RETRY_MS = 1_000;

/** What every queue and worker is given. */
export interface StoreAccess {
  /** First part of all keys. */
  readonly prefix: string;
  readonly connections: Connections;
  readonly trouble: TroubleLog;
  readonly log: Logger;
  /** After how long without a sign of life what a worker took counts as abandoned. */
  readonly lockMs: number;
}

/** The connections of all queues and workers together. */
export class Connections {
  /** For registering and asking: gives up on a command after a while. */
  readonly commands: Redis;
  /** For workers, whose commands may wait. */
  readonly work: Redis;
  readonly #all: Redis[] = [];

  constructor(
    url: string,
    timeouts: { readonly connectMs: number; readonly commandMs: number },
    credentials?: RedisCredentials,
  ) {
    const { connectMs: connectTimeout, commandMs } = timeouts;
    this.commands = this.#track(
      new Connection(
        url,
        { ...RECONNECTING, connectTimeout, commandTimeout: commandMs, socketTimeout: commandMs },
        credentials,
      ),
    );
    this.work = this.#track(
      new Connection(
        url,
        { ...RECONNECTING, connectTimeout, socketTimeout: SOCKET_TIMEOUT_MS },
        credentials,
      ),
    );
  }

  /** Ends every connection, whatever it waits for. */
  cut(): void {
    for (const redis of this.#all) {
      // For one that has ended already ioredis would wait 2 s for a close that has been.
      if (redis.status !== 'end') redis.disconnect();
    }
  }

  /** BullMQ opens a copy for every worker; one that waits for a Redis that is away can only be ended by its holder. */
  #track(redis: Redis): Redis {
    this.#all.push(redis);
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (override) => this.#track(duplicate(override));
    return redis;
  }
}

/** Logs each trouble once until it is over: every queue and worker tells of the same outage, at each attempt. */
export class TroubleLog {
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  readonly report = (error: Error): void => {
    const { code } = error as NodeJS.ErrnoException;
    // BullMQ's messages name single jobs.
    const kind = code ?? error.message.replaceAll(/\d+/g, '#');
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#log.warn({ err: error }, 'trouble with the job queues, goes on by itself');
  };

  readonly over = (): void => {
    if (this.#told.size > 0) this.#log.info({}, 'the job queues answer again');
    this.#told.clear();
  };
}

/** Rejects in words when the Redis does not answer: a connection that waits says nothing. */
export async function answered(redis: Redis, withinMs: number): Promise<void> {
  let last: Error | undefined;
  const remember = (error: Error): void => {
    last = error;
  };
  redis.on('error', remember);
  try {
    await redis.ping();
  } catch (error) {
    throw new Error(`the Redis of the job queues does not answer within ${withinMs} ms`, {
      cause: last ?? error,
    });
  } finally {
    redis.off('error', remember);
  }
}
