import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { RedisInbox } from '../../src/adapters/hot/redis/inbox.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
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
      await client.set(keys.inbox(subject), 'no record');
    },
  };
});

it('leaves a key alone that is no text', async () => {
  const client = redis.client();
  const inbox = new RedisInbox(client, keys, { retentionMs: RETENTION_MS });
  const event = { subject: 'ada', source: '/shop', id: 'id', sequence: '1', at: 1, user: 'ada' };
  const hold = { now: 1, holdMs: 1_000, token: 'member' };
  await client.hset(keys.inbox('ada'), 'field', 'value');
  expect(await inbox.begin('one', [event], hold)).toEqual(['unreadable']);
  expect(await inbox.renew('one', [event], hold)).toEqual([false]);
  expect(await inbox.end('one', [{ ...event, outcome: 'done' }], 'member')).toEqual([false]);
  expect(await client.hgetall(keys.inbox('ada'))).toEqual({ field: 'value' });
});

it('keeps all of a subject under one key, so that an erasure is one DEL', async () => {
  const client = redis.client();
  const inbox = new RedisInbox(client, keys, { retentionMs: RETENTION_MS });
  const event = { subject: 'ada', source: '/shop', id: 'id', sequence: '1', at: 1, user: 'ada' };
  const hold = { now: 1, holdMs: 1_000, token: 'member' };
  await inbox.begin('one', [event], hold);
  await inbox.begin('other', [event, { ...event, source: '/other' }], hold);
  expect(await client.keys('*')).toEqual(['rekindle:inbox:ada']);
  await client.del(keys.inbox('ada'));
  expect(await inbox.end('one', [{ ...event, outcome: 'done' }], 'member')).toEqual([false]);
  expect(await inbox.begin('one', [event], hold)).toEqual(['new']);
});
