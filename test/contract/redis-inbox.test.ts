import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisInbox } from '../../src/adapters/hot/redis/inbox.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { RedisRecords } from '../../src/adapters/hot/redis/records.ts';
import { testRedis } from '../support/redis-server.ts';
import { RETENTION_MS, inboxContract } from './inbox.ts';

const redis = testRedis();
const keys = new Keys('session:<user_id>', 'rekindle');

inboxContract('Redis', () => {
  const client = redis.client();
  return {
    inbox: new RedisInbox(client, keys, { retentionMs: RETENTION_MS }),
    erase: async (user, at) => {
      await client.zadd(keys.tombstones, at, user);
    },
    pass: (ms) => sleep(ms),
    spoil: async (subject) => {
      // Whoever writes there first makes the hash.
      await new RedisInbox(client, keys, { retentionMs: RETENTION_MS }).begin(
        'any',
        [{ subject: 'other', source: '', id: 'id', sequence: '1', at: 1, user: undefined }],
        { now: 1, holdMs: 1, token: 'member' },
      );
      const [period] = await client.smembers(keys.inbox);
      await client.hset(`${keys.inbox}:${period!}`, subject, 'no record');
    },
  };
});

const event = { subject: 'ada', source: '/shop', id: 'id', sequence: '1', at: 1, user: 'ada' };
const hold = { now: 1, holdMs: 1_000, token: 'member' };
const done = { ...event, outcome: 'done' } as const;

const hashes = async (client: Redis): Promise<string[]> =>
  (await client.keys('rekindle:inbox:*')).sort();

it('leaves a key alone that is none of its hashes, and refuses to go on beside it', async () => {
  const client = redis.client();
  const inbox = new RedisInbox(client, keys, { retentionMs: RETENTION_MS });
  await client.set(keys.inbox, 'somebody else’s');
  await expect(inbox.begin('one', [event], hold)).rejects.toThrow('WRONGTYPE');
  expect(await client.get(keys.inbox)).toBe('somebody else’s');
});

it('keeps all of a subject in one field of one hash', async () => {
  const client = redis.client();
  const inbox = new RedisInbox(client, keys, { retentionMs: RETENTION_MS });
  await inbox.begin('one', [event], hold);
  await inbox.begin('other', [event, { ...event, source: '/other' }], hold);
  const [only, ...others] = await hashes(client);
  expect(others).toEqual([]);
  expect(await client.hkeys(only!)).toEqual(['ada']);
  await client.hdel(only!, 'ada');
  expect(await inbox.end('one', [done], 'member')).toEqual([false]);
  expect(await inbox.begin('one', [event], hold)).toEqual(['new']);
});

it('moves a subject to the hash of the time, and removes a hash of which all is forgotten', async () => {
  const client = redis.client();
  const inbox = new RedisInbox(client, keys, { retentionMs: RETENTION_MS });
  await inbox.begin('one', [event, { ...event, subject: 'bob' }], hold);
  const [first] = await hashes(client);
  // A quarter of the retention is a period.
  await sleep(RETENTION_MS / 4);
  expect(await inbox.end('one', [done], 'member')).toEqual([true]);
  const [, second] = await hashes(client);
  expect(await client.hkeys(first!)).toEqual(['bob']);
  expect(await client.hkeys(second!)).toEqual(['ada']);
  await sleep(RETENTION_MS * 1.5);
  expect(await inbox.begin('one', [event], hold)).toEqual(['new']);
  const left = await hashes(client);
  expect(left).toHaveLength(1);
  expect(await client.smembers(keys.inbox)).toEqual(left.map((key) => key.split(':')[2]));
});

it('finds what one wrote who remembers for longer or shorter', async () => {
  const client = redis.client();
  const inboxes = [RETENTION_MS, 40 * RETENTION_MS, 9 * RETENTION_MS].map(
    (retentionMs) => new RedisInbox(client, keys, { retentionMs }),
  );
  for (const [n, inbox] of inboxes.entries()) {
    const own = { ...event, id: `id-${n}`, sequence: String(n) };
    expect(await inbox.begin('one', [own], hold)).toEqual(['new']);
    for (const other of inboxes) expect(await other.begin('one', [own], hold)).toEqual(['busy']);
    expect(await inbox.end('one', [{ ...own, outcome: 'done' }], 'member')).toEqual([true]);
    for (const other of inboxes) expect(await other.begin('one', [own], hold)).toEqual(['repeat']);
  }
});

it('goes with the tombstones where nobody subscribes any more', async () => {
  const client = redis.client();
  const records = new RedisRecords(client, keys, { maxCart: 1_000, window: 10, ttlMs: 1_000 });
  const lasting = new RedisInbox(client, keys, { retentionMs: 100 * RETENTION_MS });
  await new RedisInbox(client, keys, { retentionMs: 100 }).begin('one', [event], hold);
  await lasting.begin('one', [{ ...event, subject: 'bob' }], hold);
  // In whole seconds.
  await sleep(1_200);
  await records.sweepTombstones(0);
  const [only, ...others] = await hashes(client);
  expect(others).toEqual([]);
  expect(await client.hkeys(only!)).toEqual(['bob']);
  expect(await client.smembers(keys.inbox)).toHaveLength(1);
});
