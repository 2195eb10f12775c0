import { type Command, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../runtime/logger.ts';

export interface ConnectionTimeouts {
  readonly redisConnectTimeoutMs: number;
  readonly redisCommandTimeoutMs: number;
}

/** What a connection shows Redis to be let in: a password that may be replaced, or a token that ends. */
export interface RedisCredentials {
  /** What holds now. */
  current(): { readonly username: string | undefined; readonly password: string | undefined };
  /** Calls `listener` when something else holds. @returns what ends that */
  onChange(listener: () => void): () => void;
}

/** Settings of a connection; none of ours reads replies in another mapping. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** A client that never sends late what was given up, and shows new credentials as soon as there are some. */
export class Connection extends Redis {
  readonly #url: string;
  readonly #credentials: RedisCredentials | undefined;
  readonly #forget: (() => void) | undefined;
  /** The password that this connection was let in with, or is being. */
  #shown: string | undefined;

  /** @param credentials in the place of those in the URL */
  constructor(url: string, options: ConnectionOptions, credentials?: RedisCredentials) {
    const plainUrl = credentials ? withoutUser(url) : url;
    super(plainUrl, { ...options, ...shown(credentials) });
    this.#url = plainUrl;
    this.#credentials = credentials;
    if (!credentials) return;
    this.#shown = this.options.password ?? undefined;
    // Also while there is no connection: the next one is made with what holds then.
    this.#forget = credentials.onChange(() => this.#showAgain());
    this.once('end', this.#forget);
    // What was replaced during the handshake.
    this.on('ready', () => this.#showAgain());
  }

  override connect(callback?: Parameters<Redis['connect']>[0]): Promise<void> {
    // The first attempt is made by the constructor of Redis, before there is anything of ours, with what it was given.
    if (#credentials in this && this.#credentials) {
      Object.assign(this.options, shown(this.#credentials));
      this.#shown = this.options.password ?? undefined;
    }
    return super.connect(callback);
  }

  override disconnect(reconnect = false): void {
    super.disconnect(reconnect);
    // Between two attempts to connect there is no end that would be told of.
    if (!reconnect && #forget in this) this.#forget?.();
  }

  /** BullMQ opens a copy for every worker. */
  override duplicate(override?: Partial<RedisOptions>): Redis {
    const { replyMapping: _legacy, ...options } = { ...this.options, ...override };
    return new Connection(this.#url, options, this.#credentials);
  }

  override sendCommand(command: Command, stream?: Parameters<Redis['sendCommand']>[1]): unknown {
    // What timed out while it waited for a connection would go out with the next one: a claim of that kind takes users
    // for a whole lease, and nobody looks at them.
    return command.isSettled ? command.promise : super.sendCommand(command, stream);
  }

  /** A server ends a connection whose token has ended; one that stands is let in again in its place. */
  #showAgain(): void {
    if (this.status !== 'ready' || !this.#credentials) return;
    const { username = 'default', password = '' } = this.#credentials.current();
    if (password === this.#shown) return;
    this.#shown = password;
    const { stream } = this as unknown as { readonly stream: unknown };
    this.auth(username, password).catch(() => {
      // What is refused is tried once more on a new connection, whose errors are told; unless that stands already.
      const { stream: now } = this as unknown as { readonly stream: unknown };
      if (now === stream && this.status === 'ready') this.disconnect(true);
    });
  }
}

/** A lost connection is tried again after this at the most. */
const RECONNECT_MAX_MS = 2_000;

/**
 * Opens a connection that comes back by itself; an outage is logged when it begins and when it ends, each of
 * its errors once.
 * @param settings over ours, for a connection that has its own ideas of waiting
 * @param credentials in the place of those in the URL
 */
export function connectRedis(
  url: string,
  timeouts: ConnectionTimeouts,
  log: Logger,
  settings: ConnectionOptions = {},
  credentials?: RedisCredentials,
): Redis {
  const options = {
    connectTimeout: timeouts.redisConnectTimeoutMs,
    commandTimeout: timeouts.redisCommandTimeoutMs,
    // A host that went without a word leaves connections that the system gives up after a quarter of an hour.
    socketTimeout: timeouts.redisCommandTimeoutMs,
    // A command in flight when the connection broke may have taken effect: it fails at once, and whoever sent it decides
    // about a repeat. With any retries it would neither be sent again nor fail until its time is up.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt: number) => Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(attempt, 6)),
    ...settings,
  };
  const redis = new Connection(url, options, credentials);
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

function shown(credentials: RedisCredentials | undefined): ConnectionOptions {
  const { username, password } = credentials?.current() ?? {};
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
}

/** What stands in a URL wins over everything else. */
function withoutUser(url: string): string {
  const parts = new URL(url);
  parts.username = '';
  parts.password = '';
  return parts.href;
}

/** The database that keyspace notifications name. */
export function databaseOf(redis: Redis): number {
  return redis.options.db ?? 0;
}
