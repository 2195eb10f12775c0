import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { hotContract } from './hot.ts';
import { severalSessionsContract } from './hot-several.ts';
import { outcomesContract } from './outcomes.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

hotContract('Redis', (options) => redisHot(redis, options));
severalSessionsContract('Redis', (options) => redisHot(redis, options));
outcomesContract('Redis', (_now, options) => redisHot(redis, options));
