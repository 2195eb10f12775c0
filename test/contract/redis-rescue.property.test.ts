import { test, vi } from 'vitest';
import { manyRescues } from '../support/many-rescues.ts';
import { redisPlaces } from '../support/redis-rescue-places.ts';
import { testRedis } from '../support/redis-server.ts';

const RUNS = Number(process.env['HISTORIES'] ?? 2_000);

vi.setConfig({ testTimeout: 600_000 });

const redis = testRedis();

test('over Redis, too, each announcement that is wanted and allowed is answered by one message, and no other is', async () => {
  const client = redis.client();
  let nth = 0;
  await manyRescues(RUNS, 2, (startAt) => redisPlaces(redis, client, (nth += 1), startAt));
});
