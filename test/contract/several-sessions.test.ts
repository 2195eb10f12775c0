import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Announcer } from '../../src/abandonment/announce.ts';
import { Looker } from '../../src/abandonment/look.ts';
import { openWarm } from '../../src/compose-warm.ts';
import { lookSettings, openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { type Rekindle, openRekindle } from '../../src/index.ts';
import { DEMOTION } from '../../src/abandonment/demotion.ts';
import { ofSession, parseSegment } from '../../src/model/conversation.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { UsageError, UserErasedError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { VirtualJobs } from '../../src/adapters/jobs/virtual/virtual-jobs.ts';
import { Demoter } from '../../src/tiers/demote.ts';
import { erase } from '../../src/tiers/erase.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { START } from '../support/look-world.ts';
import { testRedis } from '../support/redis-server.ts';
import { HOT_TTL_MS, TierWorld } from '../support/tier-world.ts';
import { SHIRT, SHOES } from '../support/watched-user.ts';

const redis = testRedis();
let world: TierWorld;

beforeEach(() => {
  world = new TierWorld(redis, { template: 'session:<user_id>:<session_id>' });
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const ANN_1 = { user: 'ann', session: 's1' };
const ANN_2 = { user: 'ann', session: 's2' };
type Named = typeof ANN_1;

const ref = (named: Named): string => world.hot.keys.names.refOf(named);

const inHot = (named: Named): Promise<string[]> => world.inHot(ref(named));

const inWarm = async (named: Named): Promise<string[]> => {
  const page = await world.warm.find(named.user, ofSession('segment', named), 'step', {
    limit: 100,
  });
  return page.items.flatMap(({ entry }) =>
    parseSegment(entry).messages.map(({ message, raw }) => message.id ?? raw),
  );
};

const fieldsOf = (named: Named): Promise<Record<string, string>> =>
  world.hot.raw.hgetall(world.hot.keys.session(ref(named)));

/** Both begin at one instant, and say the same in turn. */
const conversations = async (): Promise<void> => {
  for (const id of ['1', '2', '3', '4', '5'])
    for (const session of [ANN_1, ANN_2]) await world.says(session, id);
  await world.library.updateCart(ANN_1, [SHIRT]);
  await world.library.updateCart(ANN_2, [SHOES], { language: 'hi' });
};

describe('two sessions of one user, begun at one instant with the same words,', () => {
  test('stand in warm each for itself, whole', async () => {
    await conversations();
    await world.liveUntil(START + HOT_TTL_MS);
    for (const session of [ANN_1, ANN_2]) {
      expect(await inWarm(session)).toEqual(['1', '2', '3', '4', '5']);
      expect(await fieldsOf(session)).toEqual({});
    }
    expect(await world.headers('ann')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ session: 's1', epoch: START, messages: 5, cart_value: 20 }),
        expect.objectContaining({ session: 's2', epoch: START, messages: 5, cart_value: 90 }),
      ]),
    );
    expect(await world.warm.count('ann')).toBe(4);
  });

  test('are demoted each at its own end', async () => {
    await conversations();
    world.outage(HOUR_MS);
    await world.says(ANN_2, '6');
    await world.liveUntil(START + HOT_TTL_MS);
    expect(await fieldsOf(ANN_1)).toEqual({});
    expect(await fieldsOf(ANN_2)).not.toEqual({});
    expect(await inHot(ANN_2)).toContain('6');
    await world.liveUntil(world.now + HOUR_MS);
    expect(await fieldsOf(ANN_2)).toEqual({});
    expect(await inWarm(ANN_1)).toEqual(['1', '2', '3', '4', '5']);
    expect(await inWarm(ANN_2)).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  test('go on each behind its own last segment', async () => {
    for (let id = 0; id < 50; id += 1)
      for (const session of [ANN_1, ANN_2]) await world.says(session, `${session.session}-${id}`);
    await world.demoter.demote(ref(ANN_1));
    await world.says(ANN_1, 's1-50');
    await world.demoter.demote(ref(ANN_2));
    await world.demoter.demote(ref(ANN_1));
    expect(await inWarm(ANN_1)).toEqual(Array.from({ length: 51 }, (_none, id) => `s1-${id}`));
    expect(await inWarm(ANN_2)).toEqual(Array.from({ length: 50 }, (_none, id) => `s2-${id}`));
    expect(await world.demoter.demote(ref(ANN_1))).toMatchObject({ messages: 0 });
  });
});

describe('a user who comes back', () => {
  beforeEach(async () => {
    await conversations();
    world.outage(MINUTE_MS);
    await world.says(ANN_1, 'last');
    await world.liveUntil(world.now + HOT_TTL_MS);
    world.outage(HOUR_MS);
  });

  test('finds the session that is named, and no other', async () => {
    expect(await world.promoter.resume(ref(ANN_2), world.now)).toBe('warm');
    expect(await world.library.readSession(ANN_2)).toMatchObject({
      ...ANN_2,
      language: 'hi',
      cart: [SHOES],
      messages: [{ id: '3' }, { id: '4' }, { id: '5' }],
    });
    expect(await fieldsOf(ANN_1)).toEqual({});
    expect(await world.promoter.resume(ref(ANN_2), world.now)).toBe('nothing');
  });

  test('to none in particular is told the latest', async () => {
    expect(await world.promoter.latestOf('ann')).toEqual(ANN_1);
    expect(await world.promoter.latestOf('bob')).toBeUndefined();
  });

  test('after an erasure finds nothing, under whatever name', async () => {
    await world.records.erase(ref(ANN_1), world.now);
    expect(await world.promoter.resume(ref(ANN_2), world.now)).toBe('nothing');
    expect(await world.records.snapshot(ref(ANN_1))).toMatchObject({ erasedAt: world.now });
  });

  test('with a session of a new name begins anew', async () => {
    const named = { user: 'ann', session: 's3' };
    expect(await world.promoter.resume(ref(named), world.now)).toBe('nothing');
    expect(await fieldsOf(named)).toEqual({});
  });
});

test('a thousand users who opt out at once cost two passes over the keys', async () => {
  const client = redis.client();
  const scans = async (): Promise<number> =>
    Number(/cmdstat_scan:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
  const users = Array.from({ length: 1_000 }, (_none, n) => `u${n}`);
  for (const user of users) await world.library.updateCart({ user, session: 's' }, [SHIRT]);
  await world.liveUntil(world.now);
  const before = await scans();
  await world.library.optOut('nobody');
  const onePass = (await scans()) - before;
  await Promise.all(users.map((user) => world.library.optOut(user)));
  expect(await scans()).toBeLessThanOrEqual(before + 3 * onePass + 2);
  expect((await world.hot.agenda.counts(world.now)).due).toBeGreaterThanOrEqual(users.length);
});

describe('erasing a user', () => {
  const places = async (): Promise<string[]> => {
    const client = redis.client();
    const keys = await client.keys('*');
    const agenda = await client.zrange(world.hot.keys.agenda, '0', '-1');
    return [...keys, ...agenda].filter((text) => /\bann\b/.test(text));
  };
  const eraseUser = async (user: string, jobs: VirtualJobs) =>
    erase(
      user,
      { ...world.tierPorts, jobs },
      { tombstoneTtlMs: HOT_TTL_MS, prefix: 'rekindle', queues: [DEMOTION] },
    );

  test('takes every session from every place, and nobody else’s', async () => {
    const jobs = new VirtualJobs(world.clock);
    const others = [
      { user: 'anna', session: 's1' },
      { user: 'ann:s1', session: 's1' },
    ];
    await conversations();
    for (const other of others) await world.says(other, 'x');
    await world.liveUntil(START + HOT_TTL_MS);
    // One is in warm, one in hot, of one only the ledger and a job are left, of one only the agenda knows.
    await world.library.updateCart(ANN_2, [SHIRT]);
    await world.liveUntil(world.now + HOUR_MS);
    const left = { user: 'ann', session: 'left' };
    await world.library.updateCart(left, [SHIRT]);
    await world.liveUntil(world.now + HOUR_MS);
    await world.hot.raw.del(world.hot.keys.session(ref(left)));
    await world.hot.agenda.arm([{ user: 'ann:armed', at: world.now }]);
    for (const other of others) await world.says(other, 'y');
    const all = [...[ANN_1, ANN_2, left], ...others].map(ref);
    await jobs.add(DEMOTION, all);
    await world.library.optOut('ann');

    const { removed, remains } = await eraseUser('ann', jobs);
    expect(removed).toMatchObject({
      warm: 4,
      'hot session': 1,
      'hot optout': 1,
      'demotion jobs': 3,
    });
    expect(Object.values(remains).every((count) => count === 0)).toBe(true);
    expect((await places()).filter((text) => !text.includes('ann:s1'))).toEqual([]);
    expect((await jobs.counts(DEMOTION)).waiting).toBe(2);
    for (const other of others)
      expect((await world.library.readSession(other))?.messages).toMatchObject([{ id: 'y' }]);
    expect(await world.warm.count('ann')).toBe(0);

    // What is older is refused for every session, and the opt-out is remembered.
    await expect(world.library.recordActivity(ANN_1, { at: START })).rejects.toThrow(
      UserErasedError,
    );
    world.outage(1);
    for (const session of [ANN_1, ANN_2]) await world.library.updateCart(session, [SHIRT]);
    const told = world.bus.wire.length;
    await world.liveUntil(world.now + HOUR_MS);
    expect(world.bus.wire).toHaveLength(told);
  });

  test('whose id is another’s session leaves the other’s messages', async () => {
    await world.says(ANN_1, '1');
    const { remains } = await eraseUser('ann:s1', new VirtualJobs(world.clock));
    expect(Object.values(remains).every((count) => count === 0)).toBe(true);
    expect(await inHot(ANN_1)).toEqual(['1']);
  });

  test('that broke off after hot is taken up: no job keeps the name', async () => {
    const jobs = new VirtualJobs(world.clock);
    await world.says(ANN_1, '1');
    await jobs.add(DEMOTION, [ref(ANN_1)]);
    const broken = {
      ...world.tierPorts,
      jobs: { forget: () => Promise.reject(new Error('the queue is away')) },
    };
    await expect(
      erase('ann', broken, { tombstoneTtlMs: HOT_TTL_MS, prefix: 'rekindle', queues: [DEMOTION] }),
    ).rejects.toThrow('away');
    expect((await eraseUser('ann', jobs)).removed).toMatchObject({ 'demotion jobs': 1 });
  });
});

describe('the library', () => {
  const env = { REKINDLE_SESSION_KEY: 'session:<user_id>:<session_id>' };
  let dataDir: string;
  let rekindle: Rekindle;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'several-'));
    rekindle = await openRekindle({
      env: { ...env, REDIS_URL: redis.url, REKINDLE_DATA_DIR: dataDir },
    });
  });

  afterEach(async () => {
    await rekindle.close();
    await rm(dataDir, { recursive: true });
  });

  /** As the demoter would. */
  const demoted = async (...sessions: Named[]): Promise<void> => {
    const config = loadConfig({ ...env, REDIS_URL: redis.url, REKINDLE_DATA_DIR: dataDir });
    const hot = await openHot(config);
    const warm = await openWarm(config, hot.clock);
    const demoter = new Demoter({ ...hot, warm }, config);
    for (const session of sessions) await demoter.demote(ref(session));
    await redis.client().del(...sessions.map((session) => hot.sessions.keyOf(ref(session))));
    await warm.close();
    await hot.close();
  };

  /** As the watcher would look. @returns what was announced */
  const looked = async (): Promise<readonly AnyEvent[]> => {
    const config = loadConfig({ ...env, REDIS_URL: redis.url, REKINDLE_DATA_DIR: dataDir });
    const hot = await openHot(config);
    const bus = new FakeBus();
    const announcer = new Announcer(bus, hot.clock, () => undefined);
    const ports = { ...hot, jobs: { add: async () => undefined } };
    const fault = (_user: string, error: unknown): never => {
      throw error;
    };
    await new Looker(
      ports,
      announcer,
      lookSettings(config, hot),
      () => undefined,
      fault,
    ).lookOnce();
    await hot.close();
    return bus.heard;
  };

  test('brings back the latest session of a user, or the one that is named', async () => {
    for (const session of [ANN_1, ANN_2]) await rekindle.updateCart(session, [SHIRT]);
    await rekindle.recordActivity(ANN_2, { at: Date.now() + MINUTE_MS });
    await demoted(ANN_1, ANN_2);
    expect(await rekindle.latestSession('ann')).toEqual(ANN_2);
    expect(await rekindle.resume('ann')).toBe('warm');
    expect(await rekindle.readSession(ANN_2)).toMatchObject({ ...ANN_2, cart: [SHIRT] });
    expect(await rekindle.readSession(ANN_1)).toBeUndefined();
    expect(await rekindle.resume(ANN_1)).toBe('warm');
    expect(await rekindle.resume('bob')).toBe('nothing');
    await expect(rekindle.resume('')).rejects.toThrow(UsageError);
  });

  test('tells which of two announcements still holds, by its session', async () => {
    const at = Date.now() - HOUR_MS;
    for (const session of [ANN_1, ANN_2]) await rekindle.updateCart(session, [SHIRT], { at });
    const announced = (await looked()).filter((event) => event.type === 'cart.abandoned');
    await rekindle.recordActivity(ANN_1);
    const answers = announced.map(async (event) => [
      event.data.session_id,
      await rekindle.isStillWanted(event),
    ]);
    expect(Object.fromEntries(await Promise.all(answers))).toMatchObject({
      s1: { wanted: false, reason: 'resumed' },
      s2: { wanted: true, contact: { allowed: 'unknown' } },
    });
  });

  test('erases a user with all sessions, and takes no session alone', async () => {
    for (const session of [ANN_1, ANN_2]) await rekindle.updateCart(session, [SHIRT]);
    await expect(rekindle.erase(ANN_1 as unknown as string)).rejects.toThrow(UsageError);
    const { removed, remains } = await rekindle.erase('ann');
    expect(removed).toMatchObject({ 'hot session': 2, 'hot agenda': 2 });
    expect(Object.values(remains).every((count) => count === 0)).toBe(true);
  });
});
