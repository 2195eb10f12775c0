import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { openRekindle } from '../../src/index.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import type { Bench, Figure } from '../harness.ts';
import { assertDone, countKeys, debounced, inFlight, rate, userIds } from '../harness.ts';

/** Calls in flight: those of a busy application server. */
const IN_FLIGHT = 1_000;

/** Touches of each user in a measurement: most touches are of somebody who is there already. */
const TOUCHES = 4;

async function ours({ config, redis, sessions }: Bench): Promise<number> {
  const rekindle = await openRekindle({ env: { REDIS_URL: config.redisUrl } });
  const users = userIds(sessions);
  const startedAt = performance.now();
  for (let touch = 0; touch < TOUCHES; touch += 1) {
    await inFlight(users, IN_FLIGHT, (user) => rekindle.recordActivity(user));
  }
  const perSecond = rate(TOUCHES * sessions, startedAt);
  await rekindle.close();
  assertDone(await countKeys(redis, 'session:*'), sessions, 'sessions are there');
  return perSecond;
}

export const recordActivity: Figure = {
  name: 'recordActivity against a debounced job',
  unit: '1/s',
  target: '>= 3.5 x a BullMQ debounced job per touch',
  met: (mine, peer) => mine >= 3.5 * peer,
  ours,
  peer: async ({ server, sessions }: Bench) => {
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const queue = new Queue('touches', { connection });
    const users = userIds(sessions);
    const startedAt = performance.now();
    for (let touch = 0; touch < TOUCHES; touch += 1) {
      await inFlight(users, IN_FLIGHT, (user) => queue.add('look', { user }, debounced(user)));
    }
    const perSecond = rate(TOUCHES * sessions, startedAt);
    const delayed = await queue.getDelayedCount();
    await queue.close();
    connection.disconnect();
    assertDone(delayed, sessions, 'jobs wait');
    return perSecond;
  },
};

export const recordActivityRaw: Figure = {
  name: 'recordActivity against raw commands',
  unit: '1/s',
  target: '>= 0.5 x HSET + PEXPIRE, auto-pipelined',
  met: (mine, peer) => mine >= 0.5 * peer,
  ours,
  peer: async ({ server, sessions }: Bench) => {
    const redis = new Redis(server.url, { enableAutoPipelining: true });
    const users = userIds(sessions);
    const startedAt = performance.now();
    for (let touch = 0; touch < TOUCHES; touch += 1) {
      await inFlight(users, IN_FLIGHT, (user) =>
        Promise.all([
          redis.hset(`session:${user}`, 'last_activity', String(Date.now() / 1_000)),
          redis.pexpire(`session:${user}`, 8 * DAY_MS),
        ]),
      );
    }
    const perSecond = rate(TOUCHES * sessions, startedAt);
    const written = await countKeys(redis, 'session:*');
    redis.disconnect();
    assertDone(written, sessions, 'sessions are there');
    return perSecond;
  },
};
