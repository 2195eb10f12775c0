import { type Command, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../../runtime/logger.ts';

export interface ConnectionTimeouts {
  readonly redisConnectTimeoutMs: number;
  readonly redisCommandTimeoutMs: number;
}

/** A client that never sends late what was given up. */
class Connection extends Redis {
  override sendCommand(command: Command, stream?: Parameters<Redis['sendCommand']>[1]): unknown {
    // What timed out while it waited for a connection would go out with the next one: a claim of that kind takes users
    // for a whole lease, and nobody looks at them.
    return command.isSettled ? command.promise : super.sendCommand(command, stream);
  }
}

/** A lost connection is tried again after this at the most. */
const RECONNECT_MAX_MS = 2_000;

/**
 * Opens a connection that comes back by itself; an outage is logged when it begins and when it ends, each of
 * its errors once.
 * @param settings over ours, for a connection that has its own ideas of waiting
 */
export function connectRedis(
  url: string,
  timeouts: ConnectionTimeouts,
  log: Logger,
  settings: Omit<RedisOptions, 'replyMapping'> = {},
): Redis {
  const redis = new Connection(url, {
    connectTimeout: timeouts.redisConnectTimeoutMs,
    commandTimeout: timeouts.redisCommandTimeoutMs,
    // A host that went without a word leaves connections that the system gives up after a quarter of an hour.
    socketTimeout: timeouts.redisCommandTimeoutMs,
    // A command in flight when the connection broke may have taken effect: it fails at once, and whoever sent it decides
    // about a repeat. With any retries it would neither be sent again nor fail until its time is up.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6)),
    ...settings,
  });
  // An attempt to connect may fail in two ways in turn, for as long as the outage lasts.
  const told = new Set<string>();
  redis.on('error', ({ message }: Error) => {
    if (told.has(message)) return;
    told.add(message);
    log.warn({ err: message }, 'Redis is away');
  });
  redis.on('ready', () => {
    if (told.size > 0) log.info({}, 'Redis is back');
    told.clear();
  });
  return redis;
}

/** The database that keyspace notifications name. */
export function databaseOf(redis: Redis): number {
  return redis.options.db ?? 0;
}
