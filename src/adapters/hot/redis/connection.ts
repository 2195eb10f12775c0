import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../../runtime/logger.ts';

export interface ConnectionTimeouts {
  readonly redisConnectTimeoutMs: number;
  readonly redisCommandTimeoutMs: number;
}

/** A lost connection is tried again after this at the most. */
const RECONNECT_MAX_MS = 2_000;

/**
 * Opens a connection that comes back by itself; an outage is logged when it begins and when it ends.
 * @param settings over ours, for a connection that has its own ideas of waiting
 */
export function connectRedis(
  url: string,
  timeouts: ConnectionTimeouts,
  log: Logger,
  settings: Omit<RedisOptions, 'replyMapping'> = {},
): Redis {
  const redis = new Redis(url, {
    connectTimeout: timeouts.redisConnectTimeoutMs,
    commandTimeout: timeouts.redisCommandTimeoutMs,
    // A command in flight when the connection broke may have taken effect: whoever sent it decides about a repeat.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6)),
    ...settings,
  });
  let away: string | undefined;
  redis.on('error', (error: Error) => {
    if (away === error.message) return;
    away = error.message;
    log.warn({ err: error.message }, 'Redis is away');
  });
  redis.on('ready', () => {
    if (away !== undefined) log.info({}, 'Redis is back');
    away = undefined;
  });
  return redis;
}

/** The database that keyspace notifications name. */
export function databaseOf(redis: Redis): number {
  return redis.options.db ?? 0;
}
