import { RedisInbox } from '../../src/adapters/hot/redis/inbox.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { realClock } from '../support/real-clock.ts';
import { testRedis } from '../support/redis-server.ts';
import { testServiceBus } from '../support/test-service-bus.ts';
import { subscriberContract } from './subscriber.ts';

const hot = testRedis();
// Repeats are to reach the kit, and a lock to last on a busy machine.
const bus = testServiceBus({
  kind: 'topic',
  lockMs: 2_000,
  groups: ['rescue'],
  duplicateWindowMs: 0,
});
const keys = new Keys('session:<user_id>', 'rekindle');

subscriberContract('Service Bus', () => ({
  openBus: () => bus.open(),
  openInbox: () => new RedisInbox(hot.client(), keys, { retentionMs: 60_000 }),
  clock: realClock,
  erase: async (user, at) => {
    await hot.client().zadd(keys.tombstones, at, user);
  },
  takeBusAway: async () => {
    await bus.server.takeAway();
    return () => bus.server.bringBack();
  },
}));
