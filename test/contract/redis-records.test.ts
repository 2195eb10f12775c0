import { beforeEach, describe, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { RedisRecords } from '../../src/adapters/hot/redis/records.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import { testRedis } from '../support/redis-server.ts';

const server = testRedis();

let redis: Redis;
let records: RedisRecords;
beforeEach(() => {
  redis = server.client();
  const keys = new Keys(HOT_DEFAULTS.template, HOT_DEFAULTS.prefix);
  records = new RedisRecords(redis, keys, { maxCart: 65_536, window: 10, ttlMs: DAY_MS });
});

const many = (count: number): string[] => Array.from({ length: count }, (_none, n) => `user${n}`);

/** Sessions with a message each. */
async function begin(users: readonly string[], field = 'x'): Promise<void> {
  const pipeline = redis.pipeline();
  for (const user of users) {
    pipeline.hset(`session:${user}`, 'current_intent', `${field} of ${user}`);
    pipeline.rpush(`session:${user}:messages`, JSON.stringify({ role: 'user', content: user }));
  }
  await pipeline.exec();
}

async function callsOf(command: string): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('snapshots that are asked for in one turn', () => {
  test('are each their own user’s, in fewer calls than users', async () => {
    const users = many(200);
    await begin(users);
    const before = await callsOf('evalsha');
    const snapshots = await Promise.all(users.map((user) => records.snapshot(user)));
    expect((await callsOf('evalsha')) - before).toBeLessThan(10);
    expect(snapshots.map(({ user }) => user)).toEqual(users);
    expect(snapshots.map(({ fields }) => fields?.['current_intent'])).toEqual(
      users.map((user) => `x of ${user}`),
    );
    expect(snapshots.map(({ window }) => window[0]?.message.content)).toEqual(users);
  });

  test('of large sessions come in several calls, and none is missed', async () => {
    const users = many(30);
    await begin(users, 'y'.repeat(50_000));
    const before = await callsOf('evalsha');
    const snapshots = await Promise.all(users.map((user) => records.snapshot(user)));
    // 262,144 bytes a call and one session more: six of these.
    expect((await callsOf('evalsha')) - before).toBeGreaterThanOrEqual(5);
    expect(snapshots.map(({ fields }) => fields?.['current_intent']?.slice(50_000))).toEqual(
      users.map((user) => ` of ${user}`),
    );
  });

  test('are taken by a server that has lost its scripts', async () => {
    const users = many(3);
    await begin(users);
    await redis.script('FLUSH');
    const snapshots = await Promise.all(users.map((user) => records.snapshot(user)));
    expect(snapshots.map(({ window }) => window.length)).toEqual([1, 1, 1]);
  });
});

describe('sessions that are sunk in one turn', () => {
  test('go but for those that have changed since', async () => {
    const users = many(100);
    await begin(users);
    const snapshots = await Promise.all(users.map((user) => records.snapshot(user)));
    await redis.rpush('session:user7:messages', '{"role":"user","content":"one more"}');
    await redis.hset('session:user93', 'current_intent', 'another');
    const sunk = await Promise.all(snapshots.map((snapshot) => records.sink(snapshot, undefined)));
    expect(users.filter((_user, index) => !sunk[index])).toEqual(['user7', 'user93']);
    expect(await redis.exists(users.map((user) => `session:${user}`))).toBe(2);
    expect(await redis.llen('session:user7:messages')).toBe(2);
  });

  test('fail each for itself, with the words of Redis', async () => {
    const users = many(3);
    await begin(users);
    const [first, second, third] = await Promise.all(users.map((user) => records.snapshot(user)));
    if (!first || !second || !third) throw new Error('no snapshots');
    await redis.config('SET', 'maxmemory', '1');
    try {
      // A ledger takes memory, a deletion does not; and what a script has begun to write Redis lets it end.
      const outcomes = await Promise.allSettled([
        records.sink(first, { activityAt: 0, sequence: 0, cart: '' }),
        records.sink(second, undefined),
        records.sink(third, undefined),
      ]);
      expect(outcomes).toMatchObject([
        { status: 'rejected', reason: { message: expect.stringMatching(/^OOM/) as string } },
        { status: 'fulfilled', value: true },
        { status: 'fulfilled', value: true },
      ]);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    expect(await redis.exists('session:user0', 'session:user0:messages')).toBe(2);
    expect(await redis.exists('session:user1', 'session:user2')).toBe(0);
  });
});
