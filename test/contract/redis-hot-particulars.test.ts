import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRedis } from '../../src/adapters/redis/connection.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { NotificationWatch } from '../../src/adapters/hot/redis/notifications.ts';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import type { CommitOutcome, Quarantined } from '../../src/ports/ledger.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import type { Hot } from '../support/hot-options.ts';
import { redisHot } from '../support/redis-hot.ts';
import { abandonedEvent } from '../support/sample-events.ts';
import { testRedis } from '../support/redis-server.ts';

const T = 1_800_000_000_000;

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

let control: Redis;
beforeEach(() => {
  control = redis.client();
});

describe('notifications', () => {
  let stop: AbortController;
  let heard: string[];
  beforeEach(() => {
    stop = new AbortController();
    heard = [];
  });
  afterEach(() => {
    stop.abort();
  });

  async function listen(hot: Hot): Promise<{ over: Promise<void> }> {
    const listening = Promise.withResolvers<undefined>();
    const over = hot.sessions.watch(
      (user) => heard.push(user),
      stop.signal,
      () => listening.resolve(undefined),
    );
    over.catch(() => undefined);
    await Promise.race([listening.promise, over]);
    return { over };
  }

  test('tell of every command that another program may touch a session with', async () => {
    const hot = redisHot(redis);
    await control.hset('session:gone', 'cart', '[]');
    await control.hset('session:moved', 'cart', '[]');
    await control.hset('session:counted', 'context_tokens', '1');
    await listen(hot);
    await control.hset('session:set', 'cart', '[]');
    await control.hsetnx('session:setnx', 'cart', '[]');
    await control.hincrby('session:counted', 'context_tokens', 1);
    await control.hdel('session:counted', 'context_tokens');
    await control.del('session:gone');
    await control.rename('session:moved', 'session:here');
    await control.rpush('session:pushed:messages', '{}');
    await control.lpush('session:pushed-first:messages', '{}');
    await control.set('session:text:messages', '[]');
    await control.hset('session:last', 'cart', '[]');
    await expect.poll(() => heard).toContain('last');
    expect(new Set(heard)).toEqual(
      new Set([
        'set',
        'setnx',
        'counted',
        'gone',
        'moved',
        'here',
        'pushed',
        'pushed-first',
        'text',
        'last',
      ]),
    );
  });

  test('do not take the store’s own doing for a touch', async () => {
    const hot = redisHot(redis);
    await control.hset('session:short', 'cart', '[]');
    await listen(hot);
    await control.pexpire('session:short', 1);
    await expect.poll(() => control.exists('session:short')).toBe(0);
    await control.hset('session:last', 'cart', '[]');
    await expect.poll(() => heard).toContain('last');
    // Once, for the command that set the TTL.
    expect(heard).toEqual(['short', 'last']);
  });

  test('are not heard of keys of ours, whatever the template', async () => {
    const hot = redisHot(redis, { template: 'r<user_id>', prefix: 'rekindle' });
    await listen(hot);
    await hot.sessions.write({ user: 'ann', at: T, activity: true });
    await hot.agenda.claim(T, 1);
    await hot.ledgers.quarantine([{ user: 'x', key: 'x', reason: 'x', detail: '', at: T }]);
    await hot.sessions.write({ user: 'last', at: T, activity: true });
    await expect.poll(() => heard).toContain('last');
    expect(new Set(heard)).toEqual(new Set(['ann', 'last']));
  });

  test('are listened to in the session’s database alone', async () => {
    const { server } = redis;
    const other = connectRedis(`${server.url}/3`, TIMEOUTS, silentLogger);
    const listener = connectRedis(`${server.url}/3`, TIMEOUTS, silentLogger);
    const watch = new NotificationWatch(other, new Keys('session:<user_id>', 'rekindle'), {
      database: 3,
      connect: () => listener,
    });
    const listening = Promise.withResolvers<undefined>();
    const over = watch.watch(
      (user) => heard.push(user),
      stop.signal,
      () => listening.resolve(undefined),
    );
    await listening.promise;
    await control.hset('session:elsewhere', 'cart', '[]');
    await other.hset('session:ann', 'cart', '[]');
    await expect.poll(() => heard).toContain('ann');
    expect(await watch.probe(2_000)).toBe(true);
    expect(heard).not.toContain('elsewhere');
    stop.abort();
    await over;
    other.disconnect();
  });

  test('that are switched off are noticed by the probe', async () => {
    const hot = redisHot(redis);
    await listen(hot);
    expect(await hot.sessions.probeNotifications(2_000)).toBe(true);
    await control.config('SET', 'notify-keyspace-events', '');
    expect(await hot.sessions.probeNotifications(100)).toBe(false);
    await control.config('SET', 'notify-keyspace-events', 'Kghl$');
    expect(await hot.sessions.probeNotifications(2_000)).toBe(true);
  });

  test('end with an error when the connection is lost', async () => {
    const hot = redisHot(redis);
    const { over } = await listen(hot);
    await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect(over).rejects.toThrow(/lost/);
    // Nothing goes on in the background.
    expect(await control.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).toBe('');
  });

  test('end with an error, and one only, when there is no server to listen to', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const connect = (): Redis => connectRedis('redis://127.0.0.1:1', TIMEOUTS, silentLogger);
    const nowhere = connect();
    const watch = new NotificationWatch(nowhere, new Keys('session:<user_id>', 'rekindle'), {
      database: 0,
      connect,
    });
    await expect(watch.watch(() => undefined, stop.signal)).rejects.toThrow(/lost|max retries/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off('unhandledRejection', note);
    nowhere.disconnect();
    expect(unhandled).toEqual([]);
  });

  test('are no longer waited for once the caller gives up', async () => {
    const connect = (): Redis => connectRedis('redis://127.0.0.1:1', TIMEOUTS, silentLogger);
    const nowhere = connect();
    const watch = new NotificationWatch(nowhere, new Keys('session:<user_id>', 'rekindle'), {
      database: 0,
      connect,
    });
    const over = watch.watch(() => undefined, stop.signal);
    stop.abort();
    await over.catch(() => undefined);
    nowhere.disconnect();
  });
});

const TIMEOUTS = { redisConnectTimeoutMs: 1_000, redisCommandTimeoutMs: 1_000 };

/** One turn through every script. @returns what is in the ledger afterwards */
async function fullTurn(
  hot: Hot,
  user: string,
  betweenSteps: () => Promise<unknown>,
): Promise<Ledger | undefined> {
  await betweenSteps();
  await hot.sessions.write({
    user,
    at: T,
    activity: true,
    messages: ['{"role":"user","content":"hi"}'],
  });
  await betweenSteps();
  await hot.sessions.armTouched([user], T);
  await betweenSteps();
  const claim = await hot.agenda.claim(T, 10);
  expect(claim.users).toContain(user);
  await betweenSteps();
  const [reading] = await hot.ledgers.read([user], T);
  expect(reading?.fields?.last_activity).toBe('1800000000');
  await betweenSteps();
  const ledger: Ledger = { activityAt: T, sequence: T, cart: '' };
  const outcome = await hot.ledgers.commit(
    claim,
    [{ reading: reading!, ledger, events: [], quarantine: undefined }],
    T,
  );
  expect(outcome).toEqual(['committed']);
  await betweenSteps();
  expect(await hot.agenda.settle(claim, [{ user, at: T + HOUR_MS, published: ['none'] }])).toBe(1);
  return (await hot.ledgers.read([user], T))[0]?.ledger;
}

test('a server that loses its scripts between any two steps is given them again', async () => {
  const hot = redisHot(redis);
  expect(await fullTurn(hot, 'ann', () => control.script('FLUSH'))).toBeDefined();
});

test('a server that was restarted in between is found again', async () => {
  const hot = redisHot(redis);
  await hot.sessions.write({ user: 'ann', at: T, activity: true });
  await redis.server.restart();
  await expect
    .poll(() =>
      hot.sessions.write({ user: 'ann', at: T, activity: true }).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
});

const HOSTILE = [
  'a:b',
  ':',
  '::messages',
  'x:messages',
  'x:messages:messages',
  'session:x',
  'rekindle:ledger:x',
  '{x}',
  '{',
  '}{',
  '{}',
  '<user_id>',
  '*',
  '?',
  '[ab]',
  '[',
  ']',
  '\\',
  '\\*',
  '^',
  '-',
  'a b',
  ' ',
  '\t',
  '\n',
  '\r\n',
  '"',
  "'",
  '`',
  '$(x)',
  ';',
  '--',
  '/',
  '../../etc/passwd',
  '%00',
  '\u0000',
  '\u0001',
  '\u007f',
  '\u202egnitsiv',
  'שלום',
  'मेरा',
  '🛒',
  '👩‍👩‍👧‍👦',
  'é',
  'e\u0301',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '0',
  '-1',
  'NaN',
  'null',
  'undefined',
  'true',
  '1e9',
  'x'.repeat(512),
  'é'.repeat(256),
  '🛒'.repeat(128),
  '+inf',
  '(',
  '(5',
  'WITHSCORES',
];

describe('a hostile user id', () => {
  test.each(HOSTILE)('%j goes through every step', async (user) => {
    const hot = redisHot(redis);
    expect(await fullTurn(hot, user, async () => undefined)).toBeDefined();
    expect((await hot.sessions.read(user))?.messages).toHaveLength(1);
    expect(await hot.agenda.inspect(user)).toEqual({ dueAt: T + HOUR_MS, leasedUntil: undefined });
    expect((await hot.sessions.scan('')).users).toEqual([user]);
    expect((await hot.ledgers.scan('')).users).toEqual([user]);
  });

  test('takes nothing from another, with all of them in one batch', async () => {
    const hot = redisHot(redis);
    // Their messages would be each other's sessions: there one of the two is refused, with words.
    const users = HOSTILE.filter((user) => !user.endsWith(':messages'));
    const fields = (user: string): Record<string, string> => ({ language: `of ${user}` });
    await Promise.all(
      users.map((user) =>
        hot.sessions.write({ user, at: T, activity: true, fields: fields(user) }),
      ),
    );
    const claim = await hot.agenda.claim(T, 250);
    expect(new Set(claim.users)).toEqual(new Set(users));
    const readings = await hot.ledgers.read(claim.users, T);
    for (const reading of readings) expect(reading.fields?.language).toBe(`of ${reading.user}`);
    const writes = readings.map((reading, index) => ({
      reading,
      ledger: { activityAt: T, sequence: index + 1, cart: reading.user },
      events: [],
      quarantine: undefined,
    }));
    await hot.ledgers.commit(claim, writes, T);
    for (const { user, ledger } of await hot.ledgers.read(users, T))
      expect(ledger?.cart).toBe(user);
    expect(
      await hot.agenda.settle(
        claim,
        users.map((user) => ({ user, at: undefined })),
      ),
    ).toBe(users.length);
  });

  test('is heard of as it is', async () => {
    const hot = redisHot(redis);
    const stop = new AbortController();
    const heard = new Set<string>();
    const users = HOSTILE.filter((user) => !user.endsWith(':messages'));
    const over = hot.sessions.watch(
      (user) => heard.add(user),
      stop.signal,
      () => {
        for (const user of users) void control.hset(`session:${user}`, 'cart', '[]');
      },
    );
    await expect.poll(() => heard.size).toBe(users.length);
    expect(heard).toEqual(new Set(users));
    stop.abort();
    await over;
  });

  test('that is no text is given apart, and stops nobody', async () => {
    const hot = redisHot(redis);
    // Latin-1, in which two names differ by a byte that is no UTF-8, and one that ends like messages do.
    for (const id of ['ren\xe9', 'ren\xe8', '\xff:messages'])
      await control.hset(Buffer.from(`session:${id}`, 'latin1'), 'cart', '[]');
    await control.rpush(Buffer.from('session:ren\xe9:messages', 'latin1'), '{}');
    await control.hset('session:ren�{e9}', 'cart', '[]');
    await control.hset(`session:${'x'.repeat(100_000)}`, 'cart', '[]');
    await control.hset(`session:${'x'.repeat(100_001)}`, 'cart', '[]');
    await control.hset('session:ann', 'cart', '[]');
    const page = await hot.sessions.scan('');
    expect(page.users).toEqual(['ann']);
    expect(new Set(page.impossible.map(({ user }) => user.slice(0, 64)))).toEqual(
      new Set(['ren�{e9}', 'ren�{e8}', '�{ff}:messages', 'ren�{efbfbd}{e9}', 'x'.repeat(64)]),
    );
    expect(new Set(page.impossible.map(({ user }) => user)).size).toBe(6);
    for (const { user } of page.impossible) expect(user.length).toBeLessThan(200);
  });
});

test('what ends like messages, and is of no type that messages have, is a broken session', async () => {
  const hot = redisHot(redis);
  await control.zadd('session:ann:messages', 1, 'x');
  await control.xadd('session:bob:messages', '*', 'x', 'y');
  expect((await hot.sessions.scan('')).users.toSorted()).toEqual(['ann:messages', 'bob:messages']);
  const [ann, bob] = await hot.ledgers.read(['ann:messages', 'bob:messages'], T);
  expect([ann?.problem?.reason, bob?.problem?.reason]).toEqual([
    'wrong_key_type',
    'wrong_key_type',
  ]);
});

test.each(['no JSON', 'null', '{"user":"bob"}', ''])(
  'an entry of the quarantine that somebody spoilt hides nobody: %j',
  async (text) => {
    const { ledgers, keys } = redisHot(redis);
    const entry = (user: string): Quarantined => ({
      user,
      key: `session:${user}`,
      reason: 'cart_not_json',
      detail: '',
      at: T,
    });
    await ledgers.quarantine([entry('ann'), entry('bob')]);
    if (text === '') await control.hdel(keys.quarantineDetails, 'ann');
    else await control.hset(keys.quarantineDetails, 'ann', text);
    expect((await ledgers.quarantined(10)).entries).toMatchObject([
      entry('bob'),
      { user: 'ann', key: 'session:ann', reason: 'unknown' },
    ]);
    await ledgers.release(['ann']);
    expect((await ledgers.quarantined(10)).total).toBe(1);
  },
);

describe('a key template', () => {
  test.each([
    '*<user_id>',
    'a?[b]\\<user_id>',
    'shop:{<user_id>}:s',
    '<user_id>:session',
    'app:<user_id>',
    '🛒<user_id>',
  ])('%s names the sessions that are seen, and no others', async (template) => {
    const hot = redisHot(redis, { template });
    const users = ['ann', 'b*', '{c}', 'd:messages'];
    for (const user of users) await hot.sessions.write({ user, at: T, activity: true });
    await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: ['{}'] });
    await control.hset('unrelated', 'cart', '[]');
    await control.hset('axbc', 'cart', '[]');
    const { users: found } = await hot.sessions.scan('');
    // A template that is all placeholder but for an asterisk sees exactly what begins with an asterisk.
    expect(found.toSorted()).toEqual(users.toSorted());
  });

  test('with a hash tag keeps the keys of a user together', () => {
    const keys = new Keys('shop:{<user_id>}', 'rekindle');
    expect(keys.messages('ann')).toBe('shop:{ann}:messages');
    expect(keys.sessionUser('shop:{ann}')).toBe('ann');
    expect(keys.sessionUser('shop:{ann}:messages')).toBeUndefined();
    expect(keys.messagesUser('shop:{ann}:messages')).toBe('ann');
  });
});

test('a session that is no UTF-8 is committed, and not when its bytes changed', async () => {
  const hot = redisHot(redis);
  const cart = (last: number): Buffer => Buffer.from([0x5b, 0xff, 0xfe, last]);
  for (const [user, last] of [
    ['ann', 1],
    ['bob', 2],
  ] as const) {
    await control.hset(`session:${user}`, 'cart', cart(1));
    await hot.agenda.arm([{ user, at: T }]);
    const claim = await hot.agenda.claim(T, 10);
    const [reading] = await hot.ledgers.read([user], T);
    await control.hset(`session:${user}`, 'cart', cart(last));
    const ledger: Ledger = { activityAt: T, sequence: 0, cart: '' };
    const write = { reading: reading!, ledger, events: [], quarantine: undefined };
    expect(await hot.ledgers.commit(claim, [write], T)).toEqual([
      last === 1 ? 'committed' : 'changed',
    ]);
  }
});

describe('absurd sizes', () => {
  test('a cart of 5 MB is never sent, at a look or at a commit', async () => {
    const hot = redisHot(redis);
    const cart = `["${'x'.repeat(5_000_000)}"]`;
    const users = Array.from({ length: 10 }, (_none, index) => `u${index}`);
    for (const user of users)
      await control.hset(`session:${user}`, { last_activity: '1800000000', cart });
    await hot.agenda.arm(users.map((user) => ({ user, at: T })));
    const before = await sentBytes(control);
    const claim = await hot.agenda.claim(T, 250);
    const readings = await hot.ledgers.read(users, T);
    expect(readings.every(({ problem }) => problem?.reason === 'cart_too_large')).toBe(true);
    const ledger: Ledger = { activityAt: T, sequence: 0, cart: '' };
    const writes = readings.map((reading) => ({
      reading,
      ledger,
      events: [],
      quarantine: undefined,
    }));
    expect(await hot.ledgers.commit(claim, writes, T)).toEqual(users.map(() => 'committed'));
    await hot.sessions.armTouched(users, T);
    expect((await sentBytes(control)) - before).toBeLessThan(100_000);
  });

  test('another cart of the same absurd size is another sight only if its size is', async () => {
    const hot = redisHot(redis);
    await control.hset('session:ann', 'cart', 'x'.repeat(HOT_DEFAULTS.maxCart + 1));
    const [before] = await hot.ledgers.read(['ann'], T);
    await control.hset('session:ann', 'cart', 'x'.repeat(HOT_DEFAULTS.maxCart + 2));
    expect((await hot.ledgers.read(['ann'], T))[0]?.digest).not.toBe(before?.digest);
  });

  test('a look at 250 carts of 64 KiB is made in runs of half a MiB, and misses nobody', async () => {
    const hot = redisHot(redis);
    const cart = JSON.stringify([{ product_id: 'x'.repeat(65_000) }]);
    const users = Array.from({ length: 250 }, (_none, index) => `u${index}`);
    for (const user of users) await control.hset(`session:${user}`, 'cart', cart);
    await control.config('RESETSTAT');
    expect((await hot.ledgers.read(users, T)).map(({ user }) => user)).toEqual(users);
    const runs = /cmdstat_evalsha:calls=(\d+)/.exec(await control.info('commandstats'))?.[1];
    expect(Number(runs)).toBeGreaterThanOrEqual((250 * 65_000) / 600_000);
  });

  test('a list of 20,000 messages that others wrote goes to the overflow whole', async () => {
    const hot = redisHot(redis);
    const theirs = Array.from(
      { length: 20_000 },
      (_none, index) => `{"role":"user","content":"m${index}"}`,
    );
    for (let from = 0; from < theirs.length; from += 1_000) {
      await control.rpush('session:ann:messages', ...theirs.slice(from, from + 1_000));
    }
    const ours = '{"tokens":3,"role":"user","content":"ours"}';
    await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: [ours] });
    const kept = await control.lrange('rekindle:overflow:ann', 0, -1);
    const left = await control.lrange('session:ann:messages', 0, -1);
    expect([...kept, ...left]).toEqual([...theirs, ours]);
    expect(left).toHaveLength(10);
    await hot.sessions.write({ user: 'ann', at: T, activity: false, ended: true });
    await hot.sessions.write({ user: 'ann', at: T, activity: true });
    expect(await control.llen('rekindle:overflow:ann')).toBe(20_001);
  });
});

test('memory at its limit rejects a write with the words of Redis, and what was there stands', async () => {
  const hot = redisHot(redis);
  await hot.sessions.write({ user: 'ann', at: T, activity: true });
  await control.config('SET', 'maxmemory', '1');
  const refused = hot.sessions.write({ user: 'ann', at: T + 1_000, activity: true });
  await expect(refused).rejects.toThrow(/OOM/);
  await control.config('SET', 'maxmemory', '0');
  expect((await hot.sessions.read('ann'))?.lastActivityAt).toBe(T);
});

test('the agenda of a million users is two keys, and a claim touches only those it takes', async () => {
  const hot = redisHot(redis);
  const looks = Array.from({ length: 20_000 }, (_none, index) => ({
    user: `u${index}`,
    at: T + index,
  }));
  for (let from = 0; from < looks.length; from += 2_000)
    await hot.agenda.arm(looks.slice(from, from + 2_000));
  expect((await hot.agenda.claim(T + 100, 250)).users).toHaveLength(101);
  expect(await control.keys('*')).toHaveLength(2);
  expect(await hot.agenda.counts(T + DAY_MS)).toEqual({ armed: 19_899, due: 19_899, leased: 101 });
});

async function sentBytes(client: Redis): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await client.info('stats'))?.[1]);
}

describe('a commit beside the event bus', () => {
  async function announcing(hot: Hot, users: readonly string[]): Promise<CommitOutcome[]> {
    return (await looking(hot, users))();
  }

  test('counts what a group has not settled, and its dead letters', async () => {
    const hot = redisHot(redis, { busCap: 3 });
    await control.xgroup('CREATE', 'rekindle:events', 'agents', '$', 'MKSTREAM');
    expect(await announcing(hot, ['ann', 'bob'])).toEqual(['settled', 'settled']);
    expect(await announcing(hot, ['cem', 'dan'])).toEqual(['committed', 'committed']);
    await control.xreadgroup('GROUP', 'agents', 'one', 'STREAMS', 'rekindle:events', '>');
    const entries = await control.xrange('rekindle:events', '-', '+');
    await control.xack('rekindle:events', 'agents', ...entries.map(([id]) => id));
    expect(await hot.told()).toHaveLength(2);
    await control.xadd('rekindle:events:agents:dead', '*', 'event', '{}');
    expect(await announcing(hot, ['eve', 'fay', 'gus'])).toEqual([
      'committed',
      'committed',
      'committed',
    ]);
    // One more than the cap stands there: it is for the bus to trim before it takes more.
    expect(await announcing(hot, ['hal'])).toEqual(['settled']);
    expect(await announcing(hot, ['ida'])).toEqual(['settled']);
    expect(await announcing(hot, ['jon'])).toEqual(['committed']);
  });

  test('keeps the events where the stream is something else', async () => {
    const hot = redisHot(redis, { busCap: 100 });
    await control.set('rekindle:events', 'a text');
    expect(await announcing(hot, ['ann', 'bob'])).toEqual(['committed', 'committed']);
    const readings = await hot.ledgers.read(['ann', 'bob'], T);
    expect(readings.map(({ pending }) => pending.length)).toEqual([1, 1]);
  });

  test('of what is told nothing is lost or told twice where memory is short', async () => {
    const hot = redisHot(redis, { busCap: 100 });
    const commit = await looking(hot, ['ann', 'bob']);
    await control.config('SET', 'maxmemory', '1');
    try {
      await expect(commit()).rejects.toThrow('OOM');
    } finally {
      await control.config('SET', 'maxmemory', '0');
    }
    expect(await hot.told()).toEqual([]);
    expect(await commit()).toEqual(['settled', 'settled']);
    expect(await hot.told()).toHaveLength(2);
  });
});

test.each([
  ['elsewhere', {}, 'committed'],
  ['beside and full', { busCap: 0 }, 'committed'],
  ['beside', { busCap: 100 }, 'settled'],
])(
  'a user with rights to our keys alone may do all that a look does, the bus %s',
  async (_where, options, outcome) => {
    const rights = ['on', '>secret', '~session:*', '~rekindle:*', '+@all'];
    await control.call('ACL', 'SETUSER', 'limited', ...rights);
    const url = redis.url.replace('://', '://limited:secret@');
    const client = connectRedis(url, TIMEOUTS, silentLogger);
    try {
      const hot = redisHot({ client: () => client }, options);
      expect(await (await looking(hot, ['ann', 'bob']))()).toEqual([outcome, outcome]);
      const entry = { user: 'cem', key: 'session:cem', reason: 'x', detail: '', at: T };
      expect(await hot.ledgers.quarantine([entry])).toEqual([entry]);
    } finally {
      client.disconnect();
      await control.call('ACL', 'DELUSER', 'limited');
    }
  },
);

/** A look at these users that has come as far as its commit, each with an announcement. */
async function looking(
  hot: Hot,
  users: readonly string[],
): Promise<() => Promise<CommitOutcome[]>> {
  for (const user of users) await control.hset(hot.keys.session(user), { last_activity: '5' });
  await hot.agenda.arm(users.map((user) => ({ user, at: T })));
  const claim = await hot.agenda.claim(T, users.length);
  const readings = await hot.ledgers.read(claim.users, T);
  const ledger: Ledger = { activityAt: T, sequence: T, cart: 'abcdef1' };
  const writes = readings.map((reading, n) => {
    return {
      reading,
      ledger,
      events: [abandonedEvent(n)],
      quarantine: undefined,
      last: { nextAt: T + 50 },
    };
  });
  return () => hot.ledgers.commit(claim, writes, T);
}
