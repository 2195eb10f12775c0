import { Redis } from 'ioredis';
import type { ConnectionSettings } from '../../src/adapters/bus/redis-streams/connection.ts';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { silentLog } from '../support/log.ts';
import { testRedis } from '../support/redis-server.ts';
import { busContract } from './bus.ts';

const redis = testRedis();
const connect = (settings: ConnectionSettings): Redis => new Redis(redis.url, settings);
const stream = (): string => `${redis.prefix}:events`;

busContract('Redis Streams', () => ({
  open: () =>
    new RedisStreamsBus({
      connect,
      prefix: redis.prefix,
      cap: 10_000,
      log: silentLog,
    }),
  takeAway: async () => {
    await redis.server.kill();
    return () => redis.server.restart();
  },
  cutConnections: async () => {
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  },
  putJunk: async () => {
    await redis.client().xadd(stream(), '*', 'event', '{ "torn');
    await redis.client().xadd(stream(), '*', 'a', 'b');
  },
}));
