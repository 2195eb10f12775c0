/** Opens connections to Redis, with what the settings say is to be shown there. */
import type { Redis } from 'ioredis';
import {
  type ConnectionOptions,
  type RedisCredentials,
  connectRedis,
} from './adapters/redis/connection.ts';
import type { Config } from './config.ts';
import type { Logger } from './runtime/logger.ts';

/** The settings that name a Redis. */
export type RedisSetting = 'redisUrl' | 'queueRedisUrl' | 'busRedisUrl';

/** Opens a connection to the same Redis each time. */
export type Connect = (settings?: ConnectionOptions) => Redis;

/**
 * How connections to a Redis of the settings are opened.
 * @throws what the identity says when no token can be had for a Redis that wants one
 */
export async function redisConnector(
  config: Config,
  setting: RedisSetting,
  log: Logger,
): Promise<Connect> {
  const credentials = await redisCredentials(config, setting, log);
  return (settings = {}) => connectRedis(config[setting], config, log, settings, credentials);
}

/** What is shown to a Redis, where that may be replaced while we run. */
export async function redisCredentials(
  config: Config,
  setting: RedisSetting,
  log: Logger,
): Promise<RedisCredentials | undefined> {
  if (config.redisAuth === 'entra' && userOf(config[setting]).password === undefined) {
    const { azureCredential } = await import('./adapters/azure/credential.ts');
    const { openRedisTokens } = await import('./adapters/azure/redis-token.ts');
    const username = userOf(config[setting]).username ?? config.redisUsername;
    return openRedisTokens(azureCredential(), { username, log });
  }
  const { renewed } = config;
  return (
    renewed && {
      current: () => userOf(renewed.current()[setting]),
      onChange: (listener) => renewed.onChange(listener),
    }
  );
}

function userOf(url: string): ReturnType<RedisCredentials['current']> {
  const { username, password } = new URL(url);
  return {
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
  };
}
