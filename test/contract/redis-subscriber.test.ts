import { Redis } from 'ioredis';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { RedisInbox } from '../../src/adapters/hot/redis/inbox.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { silentLog } from '../support/log.ts';
import { realClock } from '../support/real-clock.ts';
import { testRedis } from '../support/redis-server.ts';
import { subscriberContract } from './subscriber.ts';

const hot = testRedis();
const bus = testRedis();
const keys = new Keys('session:<user_id>', 'rekindle');

subscriberContract('Redis', () => ({
  openBus: () =>
    new RedisStreamsBus({
      connect: (settings) => new Redis(bus.url, settings),
      prefix: bus.prefix,
      cap: 10_000,
      log: silentLog,
      answerWithinMs: 1_000,
    }),
  openInbox: () => new RedisInbox(hot.client(), keys, { retentionMs: 60_000 }),
  clock: realClock,
  erase: async (user, at) => {
    await hot.client().zadd(keys.tombstones, at, user);
  },
  takeBusAway: async () => {
    await bus.server.kill();
    return () => bus.server.restart();
  },
}));
