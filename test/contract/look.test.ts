import { beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { aroundStep } from '../support/around-step.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import { LookWorld, START } from '../support/look-world.ts';
import type { Application, WorldPorts } from '../support/look-world.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { POLICY, SHIRT, SHOES } from '../support/watched-user.ts';

const redis = testRedis();

const [FIRST, SECOND, THIRD] = POLICY.stagesMs as [number, number, number];

let world: LookWorld;
beforeEach(() => {
  world = new LookWorld(redisHot(redis));
});

describe.each(['library', 'foreign'] as const)('written by the %s writer', (kind) => {
  let app: Application;
  beforeEach(() => {
    app = world.application(kind);
  });

  test('a quiet cart is announced at each stage, at its instant, once', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runUntil(START + 20 * DAY_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'announced 1', 'announced 2']);
    expect(world.bus.wire).toHaveLength(3);
    expect(world.bus.wire.map(({ time }) => Date.parse(time) - START)).toEqual([
      FIRST,
      SECOND,
      THIRD,
    ]);
    expect(await world.pendingOf('ann')).toBe(0);
    expect(await world.hot.agenda.counts(world.now)).toEqual({ armed: 0, due: 0, leased: 0 });
  });

  test('tells the cart as it stands', async () => {
    await app.acts('ann', [SHIRT]);
    await app.acts('ann', [SHIRT, SHOES]);
    await world.runFor(FIRST);
    expect(world.bus.wire).toMatchObject([
      { data: { user: 'ann', cart: { items: [SHIRT, SHOES], count: 2, value: 110 } } },
    ]);
  });

  test('an active user is not announced, and costs a look each threshold', async () => {
    for (let minute = 0; minute < 180; minute += 5) {
      await app.acts('ann', [SHIRT]);
      await world.runFor(5 * MINUTE_MS);
    }
    expect(world.bus.wire).toEqual([]);
    expect(world.observed.looked?.length).toBeLessThan(10);
  });

  test('a return is cancelled at once, and the next silence goes on with the next stage', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(HOUR_MS);
    await app.acts('ann');
    await world.runFor(0);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: resumed']);
    const [announced, cancelled] = world.bus.wire;
    expect(cancelled?.data).toMatchObject({ announcement_id: announced?.id });
    await world.runFor(SECOND);
    expect(world.bus.of('ann').slice(2)).toEqual(['announced 1']);
  });

  test('an order cancels, and what it leaves behind is not announced', async () => {
    await app.acts('ann', [SHIRT, SHOES]);
    await world.runFor(HOUR_MS);
    await app.orders('ann', [SHOES]);
    await world.runFor(20 * DAY_MS);
    expect(world.bus.of('ann')).toEqual([
      'announced 0',
      'cancelled 0: ordered',
      'recovered 0: organic',
    ]);
  });

  test('an order before the threshold leaves nothing to tell', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(10 * MINUTE_MS);
    await app.orders('ann');
    await world.runFor(20 * DAY_MS);
    expect(world.bus.wire).toEqual([]);
  });

  test('an emptied cart cancels, and a new one is a new episode', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(HOUR_MS);
    await app.acts('ann', []);
    await world.runFor(HOUR_MS);
    await app.acts('ann', [SHIRT]);
    await world.runFor(HOUR_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: emptied', 'announced 0']);
    const episodes = world.bus.wire.map(({ data }) => data.episode);
    expect(new Set(episodes).size).toBe(2);
  });

  test('an opt-out cancels and ends it', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(HOUR_MS);
    await app.optsOut('ann');
    await world.runFor(0);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: opted_out']);
    await app.acts('ann', [SHIRT, SHOES]);
    await world.runFor(20 * DAY_MS);
    expect(world.bus.wire).toHaveLength(2);
  });

  test('after an outage the latest stage that is due and valid is announced', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(0);
    world.outage(SECOND + HOUR_MS);
    await world.runFor(0);
    expect(world.bus.of('ann')).toEqual(['announced 1']);
  });

  test.each<[string, (ports: WorldPorts, change: () => Promise<void>) => WorldPorts]>([
    ['between claim and read', (ports, change) => before(ports, 'ledgers', 'read', change)],
    ['between read and commit', (ports, change) => before(ports, 'ledgers', 'commit', change)],
  ])('a return %s is seen before anything is said', async (_when, between) => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(FIRST - 1);
    world.outage(1);
    const back = once(() => app.acts('ann'));
    await world.newLooker((ports) => between(ports, back)).lookOnce();
    expect(world.bus.wire).toEqual([]);
    await world.runFor(FIRST - 1);
    expect(world.bus.wire).toEqual([]);
    await world.runFor(1);
    expect(world.bus.of('ann')).toEqual(['announced 0']);
  });

  test('an order between read and commit is seen before anything is said', async () => {
    await app.acts('ann', [SHIRT]);
    await world.runFor(FIRST - 1);
    world.outage(1);
    const order = once(() => app.orders('ann', [SHIRT]));
    await world.newLooker((ports) => before(ports, 'ledgers', 'commit', order)).lookOnce();
    await world.runFor(20 * DAY_MS);
    expect(world.bus.wire).toEqual([]);
  });

  test.each(['publish', 'settle'] as const)(
    'a return just before %s is cancelled right after the announcement',
    async (step) => {
      const port = { publish: 'bus', settle: 'agenda' } as const;
      await app.acts('ann', [SHIRT]);
      await world.runFor(FIRST - 1);
      world.outage(1);
      const back = once(async () => {
        world.outage(1);
        await app.acts('ann');
      });
      await world.newLooker((ports) => before(ports, port[step], step, back)).lookOnce();
      await world.runFor(0);
      expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: resumed']);
      expect(world.bus.wire).toHaveLength(2);
    },
  );
});

describe('while the bus is away', () => {
  test('detection goes on, and when it is back all is told once and in order', async () => {
    const app = world.application('library');
    const users = Array.from({ length: 20 }, (_none, index) => `u${index}`);
    for (const user of users) await app.acts(user, [SHIRT]);
    world.bus.away = true;
    await world.runFor(FIRST + 5 * MINUTE_MS);
    await app.acts('u0');
    await app.orders('u1');
    await world.runFor(5 * MINUTE_MS);
    expect(world.bus.wire).toEqual([]);
    expect(await world.pendingOf('u0')).toBe(2);
    world.bus.away = false;
    await world.runFor(MINUTE_MS);
    expect(world.bus.of('u0')).toEqual(['announced 0', 'cancelled 0: resumed']);
    expect(world.bus.of('u1')).toEqual([
      'announced 0',
      'cancelled 0: ordered',
      'recovered 0: organic',
    ]);
    for (const user of users.slice(2)) expect(world.bus.of(user)).toEqual(['announced 0']);
    expect(world.bus.wire).toHaveLength(23);
    const sequences = world.bus.wire
      .filter(({ data }) => data.user === 'u0')
      .map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted());
    for (const user of users) expect(await world.pendingOf(user)).toBe(0);
    expect(world.observed.busBack).toHaveLength(1);
  });

  test('users are parked, and the bus is asked seldom', async () => {
    const app = world.application('library');
    for (let index = 0; index < 50; index += 1) await app.acts(`u${index}`, [SHIRT]);
    await world.runFor(0);
    world.bus.away = true;
    await world.runUntil(START + FIRST + 10 * MINUTE_MS);
    // 1, 2, 4, 8, 16 s and then each 30 s make 24 in ten minutes.
    expect(world.bus.attempts).toBeLessThan(30);
    expect(world.looks).toBeLessThan(60);
    const { dueAt } = await world.hot.agenda.inspect('u7');
    expect(dueAt).toBeGreaterThan(world.now);
    expect(dueAt).toBeLessThanOrEqual(world.now + 30 * SECOND_MS);
  });

  test('an announcement that is over by then is told with its end, before what took its place', async () => {
    const app = world.application('library');
    await app.acts('ann', [SHIRT]);
    world.bus.away = true;
    await world.runFor(SECOND + HOUR_MS);
    world.bus.away = false;
    await world.runFor(MINUTE_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'announced 1']);
    const [first, second] = world.bus.wire;
    expect(first!.sequence < second!.sequence).toBe(true);
    expect(first!.data).toMatchObject({ valid_until: new Date(START + SECOND).toISOString() });
  });

  test('an event that is refused alone waits, and does not hold the others up', async () => {
    const app = world.application('library');
    for (const user of ['ann', 'bob']) await app.acts(user, [SHIRT]);
    await world.runFor(FIRST - 1);
    world.bus.away = true;
    await world.runFor(1);
    const [reading] = await world.hot.ledgers.read(['ann'], world.now);
    world.bus.refused.add(reading!.pending[0]!.id);
    world.bus.away = false;
    await world.runFor(HOUR_MS);
    expect(world.bus.of('ann')).toEqual([]);
    expect(world.bus.of('bob')).toEqual(['announced 0']);
    expect(world.looks).toBeLessThan(4_000);
    world.bus.refused.clear();
    await world.runFor(MINUTE_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0']);
    expect(world.bus.wire).toHaveLength(2);
  });
});

const STEPS = [
  ['agenda', 'claim'],
  ['ledgers', 'read'],
  ['ledgers', 'commit'],
  ['bus', 'publish'],
  ['agenda', 'settle'],
] as const;

describe('a worker that dies', () => {
  const deaths = STEPS.flatMap(([port, step]) =>
    (['before', 'after'] as const).map((when) => ({ port, step, when })),
  );

  test.each(deaths)(
    '$when $step leaves what the next one completes under the same ids',
    async ({ port, step, when }) => {
      const app = world.application('library');
      // One to be announced, one to be cancelled, one to go on to the next stage, one with nothing to tell.
      await app.acts('back', [SHIRT]);
      await app.acts('later', [SHIRT]);
      await world.runFor(SECOND - FIRST);
      await app.acts('new', [SHIRT]);
      await app.acts('plain');
      await world.runFor(FIRST - 1);
      world.outage(1);
      await app.acts('back');
      const told = world.bus.wire.length;

      const death = new Error('the worker died');
      const die = (): Promise<never> => Promise.reject(death);
      const doomed = world.newLooker((ports) =>
        (when === 'before' ? before : after)(ports, port, step, die),
      );
      await expect(doomed.lookOnce()).rejects.toBe(death);
      const toldByTheDead = world.bus.wire.slice(told).map(({ id }) => id);
      const readings = await world.hot.ledgers.read(['back', 'later', 'new', 'plain'], world.now);
      for (const { user, pending } of readings) {
        // The invariant: whoever has a pending event has a live lease or a due agenda entry.
        const { dueAt = Infinity, leasedUntil = 0 } = await world.hot.agenda.inspect(user);
        if (pending.length > 0) expect(leasedUntil > world.now || dueAt <= world.now).toBe(true);
      }

      await world.runFor(HOT_DEFAULTS.leaseMs);
      expect(world.bus.of('back')).toEqual(['announced 0', 'cancelled 0: resumed']);
      expect(world.bus.of('later')).toEqual(['announced 0', 'announced 1']);
      expect(world.bus.of('new')).toEqual(['announced 0']);
      expect(world.bus.of('plain')).toEqual([]);
      // Every event once in effect, whoever said it first.
      const ids = world.bus.heard.map(({ id }) => id);
      expect(ids).toHaveLength(5);
      for (const id of toldByTheDead) expect(ids).toContain(id);
      expect(world.bus.wire.length).toBeLessThanOrEqual(5 + toldByTheDead.length);
      for (const user of ['back', 'later', 'new', 'plain'])
        expect(await world.pendingOf(user)).toBe(0);
      expect((await world.hot.agenda.counts(world.now)).leased).toBe(0);
    },
  );

  test.each(STEPS)('before %s.%s, again and again, loses nobody', async (port, step) => {
    const app = world.application('foreign');
    for (let index = 0; index < 5; index += 1) await app.acts(`u${index}`, [SHIRT]);
    await world.runFor(FIRST - 1);
    world.outage(1);
    const die = (): Promise<never> => Promise.reject(new Error('the worker died'));
    for (let turn = 0; turn < 5; turn += 1) {
      await expect(
        world.newLooker((ports) => before(ports, port, step, die)).lookOnce(),
      ).rejects.toThrow('died');
      world.outage(HOT_DEFAULTS.leaseMs);
    }
    await world.runFor(0);
    expect(world.bus.heard).toHaveLength(5);
  });
});

describe('a worker that is frozen past its lease', () => {
  test.each(STEPS.slice(1))(
    'before %s.%s takes and breaks nothing when it wakes',
    async (port, step) => {
      const app = world.application('library');
      await app.acts('ann', [SHIRT]);
      await world.runFor(FIRST - 1);
      world.outage(1);
      // While it is frozen another one does the whole look, the user returns, and that is told too.
      const meanwhile = once(async () => {
        world.outage(HOT_DEFAULTS.leaseMs);
        await world.runFor(0);
        await app.acts('ann');
        await world.runFor(0);
      });
      await world.newLooker((ports) => before(ports, port, step, meanwhile)).lookOnce();
      expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: resumed']);
      const { dueAt, leasedUntil } = await world.hot.agenda.inspect('ann');
      expect(leasedUntil).toBeUndefined();
      expect(dueAt).toBe(world.now + FIRST);
      await world.runFor(SECOND);
      expect(world.bus.of('ann').slice(2)).toEqual(['announced 1']);
    },
  );
});

test('many workers at once tell everything once', async () => {
  const app = world.application('library');
  const users = Array.from({ length: 1_200 }, (_none, index) => `u${index}`);
  await Promise.all(users.map((user) => app.acts(user, [SHIRT])));
  await world.runFor(0);
  world.outage(FIRST);
  const workers = Array.from({ length: 4 }, () => world.newLooker());
  let claimed = 0;
  for (let round = 0; round < 10; round += 1) {
    const looks = await Promise.all(workers.map((worker) => worker.lookOnce()));
    claimed += looks.reduce((sum, look) => sum + look.users, 0);
  }
  expect(claimed).toBe(users.length);
  expect(world.bus.wire).toHaveLength(users.length);
  expect(world.bus.heard).toHaveLength(users.length);
});

test('two workers on one user, with a return between any of their steps, say nothing twice', async () => {
  const app = world.application('library');
  for (let turn = 0; turn < 20; turn += 1) {
    const user = `u${turn}`;
    await app.acts(user, [SHIRT]);
    await world.runFor(0);
    world.outage(FIRST);
    await Promise.all([
      world.newLooker().lookOnce(),
      app.acts(user),
      world.newLooker().lookOnce(),
      world.looker.lookOnce(),
    ]);
    await world.runFor(SECOND);
    // The return came before the look that would have announced the first silence, or after it.
    const inTime = ['announced 0', 'announced 1'];
    const late = ['announced 0', 'cancelled 0: resumed', 'announced 1'];
    expect([inTime, late]).toContainEqual(world.bus.of(user));
  }
  expect(world.bus.wire).toHaveLength(world.bus.heard.length);
});

describe('the session of another program', () => {
  test('is copied before its TTL takes it, and its later stages are told from what was seen', async () => {
    const { raw, keys } = world.hot;
    await raw.hset(keys.session('ann'), {
      last_activity: formatInstant(START),
      cart: JSON.stringify([SHIRT]),
      language: 'hi',
    });
    await raw.rpush(keys.messages('ann'), '{"role":"user","content":"hi"}');
    await raw.pexpire(keys.session('ann'), 2 * HOUR_MS);
    await world.hot.sessions.armTouched(['ann'], world.now);
    await world.runFor(0);
    world.outage(HOUR_MS);
    await raw.pexpire(keys.session('ann'), HOUR_MS);
    await world.runFor(0);
    expect(world.demotions).toEqual(['ann']);
    world.outage(HOUR_MS);
    await raw.del(keys.session('ann'), keys.messages('ann'));
    await world.runFor(10 * DAY_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0', 'announced 1', 'announced 2']);
    expect(world.bus.wire.at(-1)?.data).toMatchObject({ language: 'hi', cart: { items: [SHIRT] } });
  });

  test('is otherwise left as it is', async () => {
    const { raw, keys } = world.hot;
    const app = world.application('foreign');
    await app.acts('ann', [SHIRT]);
    const before = await raw.hgetall(keys.session('ann'));
    await world.runFor(10 * DAY_MS);
    expect(await raw.hgetall(keys.session('ann'))).toEqual(before);
    expect(await raw.pttl(keys.session('ann'))).toBe(Number.POSITIVE_INFINITY);
  });

  test('becomes ours where that is wanted, and is looked at no more often for it', async () => {
    const managed = new LookWorld(redisHot(redis, { manage: true }), {
      manageTtlMs: HOT_DEFAULTS.ttlMs,
    });
    await managed.application('foreign').acts('ann', [SHIRT]);
    await managed.runFor(0);
    const { raw, keys } = managed.hot;
    expect(await raw.pttl(keys.session('ann'))).toBeGreaterThan(HOT_DEFAULTS.ttlMs - MINUTE_MS);
    expect((await managed.hot.sessions.read('ann'))?.ours).toBe(true);
    // What its own write may notify.
    await managed.hot.sessions.armTouched(['ann'], managed.now);
    await managed.runFor(HOUR_MS);
    expect(managed.bus.of('ann')).toEqual(['announced 0']);
    expect(managed.looks).toBeLessThan(5);
  });
});

test('a session that is none any more when it would become ours holds nobody up', async () => {
  const managed = new LookWorld(redisHot(redis, { manage: true }), {
    manageTtlMs: HOT_DEFAULTS.ttlMs,
  });
  const { raw, keys, ledgers } = managed.hot;
  const users = ['ann', 'bob', 'cem'];
  for (const user of users) await managed.application('foreign').acts(user, [SHIRT]);
  managed.outage(FIRST);
  const spoil = once(async () => {
    await raw.del(keys.session('ann'), keys.session('bob'));
    await raw.set(keys.session('ann'), 'x');
  });
  await managed.newLooker((ports) => after(ports, 'ledgers', 'commit', spoil)).lookOnce();
  for (const user of users) expect(managed.bus.of(user)).toEqual(['announced 0']);
  expect((await ledgers.read(['bob'], managed.now))[0]?.fields).toBeUndefined();
});

describe('what cannot be understood', () => {
  test('is told once, holds nobody else up, and leaves quarantine when it is mended', async () => {
    const app = world.application('foreign');
    await app.acts('ann', [SHIRT]);
    await world.foreign('broken', { last_activity: 'yesterday', cart: JSON.stringify([SHIRT]) });
    await world.runFor(HOUR_MS);
    expect(world.bus.of('ann')).toEqual(['announced 0']);
    expect(world.observed.quarantined).toMatchObject([
      { user: 'broken', key: 'session:broken', reason: 'last_activity_invalid' },
    ]);
    expect((await world.hot.ledgers.quarantined(10)).entries).toMatchObject([{ user: 'broken' }]);
    await world.foreign('broken', { last_activity: 'today' });
    await world.runFor(0);
    expect(world.observed.quarantined).toHaveLength(1);
    await world.foreign('broken', { last_activity: formatInstant(world.now) });
    await world.runFor(HOUR_MS);
    expect(world.observed.mended).toEqual([{ user: 'broken' }]);
    expect((await world.hot.ledgers.quarantined(10)).total).toBe(0);
    expect(world.bus.of('broken')).toEqual(['announced 0']);
  });

  test.each([
    [
      'a ledger of the wrong type',
      (): Promise<void> => world.hot.raw.rpush(world.hot.keys.ledger('ann'), 'x'),
    ],
    [
      'a ledger that is none',
      (): Promise<void> => world.hot.raw.set(world.hot.keys.ledger('ann'), 'hello'),
    ],
  ])(
    'such as %s costs no more than a look, and is released by reconcile once it is gone',
    async (_what, spoil) => {
      await spoil();
      const app = world.application('library');
      for (const user of ['ann', 'bob']) await app.acts(user, [SHIRT]);
      await world.runFor(HOUR_MS);
      expect(world.bus.of('bob')).toEqual(['announced 0']);
      expect(world.bus.of('ann')).toEqual([]);
      expect(world.looks).toBeLessThan(5);
      expect((await world.hot.ledgers.quarantined(10)).entries).toMatchObject([
        { user: 'ann', reason: 'ledger_unreadable' },
      ]);
      await world.hot.raw.del(world.hot.keys.ledger('ann'));
      await world.reconcile();
      await world.runFor(0);
      expect((await world.hot.ledgers.quarantined(10)).total).toBe(0);
      expect(world.bus.of('ann')).toEqual(['announced 0']);
    },
  );

  test('and breaks the judging itself is tried again in a minute, alone', async () => {
    let fails = true;
    const spoilt = new LookWorld(redisHot(redis), {
      sessionKey: (user) => {
        if (user === 'ann' && fails) throw new Error('a fault of ours');
        return user;
      },
    });
    const app = spoilt.application('library');
    for (const user of ['ann', 'bob']) await app.acts(user, [SHIRT]);
    await spoilt.runFor(FIRST);
    expect(spoilt.bus.of('bob')).toEqual(['announced 0']);
    expect(spoilt.bus.of('ann')).toEqual([]);
    fails = false;
    await spoilt.runFor(MINUTE_MS);
    expect(spoilt.bus.of('ann')).toEqual(['announced 0']);
    expect(spoilt.faults).toHaveLength(1);
  });
});

describe('reconcile', () => {
  const cart = JSON.stringify([SHIRT]);

  test('finds what nobody told of', async () => {
    const { raw, keys, agenda } = world.hot;
    await raw.hset(keys.session('quiet'), { last_activity: formatInstant(START - HOUR_MS), cart });
    await raw.hset(keys.session('active'), {
      last_activity: formatInstant(START - MINUTE_MS),
      cart,
    });
    await raw.hset(keys.session('plain'), { last_activity: formatInstant(START - HOUR_MS) });
    expect(await world.reconcile()).toMatchObject({ users: 3 });
    expect((await agenda.inspect('plain')).dueAt).toBeUndefined();
    await world.runFor(HOUR_MS);
    expect(world.bus.of('quiet')).toEqual(['announced 0']);
    expect(world.bus.of('active')).toEqual(['announced 0']);
    expect(world.bus.of('plain')).toEqual([]);
  });

  test('costs no look that finds nothing new', async () => {
    const app = world.application('library');
    for (let index = 0; index < 10; index += 1)
      await app.acts(`u${index}`, index % 2 ? [SHIRT] : undefined);
    await world.runFor(FIRST);
    const looked = world.observed.looked?.length;
    for (let turn = 0; turn < 3; turn += 1) {
      await world.reconcile();
      await world.runFor(MINUTE_MS);
    }
    expect(world.observed.looked).toHaveLength(looked!);
  });

  test('sweeps what is known of a user once nobody needs it, and not before', async () => {
    const { raw, keys, ledgers } = world.hot;
    const app = world.application('library');
    for (const user of ['gone', 'here', 'waiting']) await app.acts(user, [SHIRT]);
    await world.runFor(FIRST);
    await raw.del(keys.session('gone'));
    await world.reconcile();
    await world.runFor(0);
    world.bus.away = true;
    await raw.del(keys.session('waiting'));
    await world.reconcile();
    await world.runFor(0);
    world.outage(POLICY.ledgerTtlMs);
    const known = async (): Promise<readonly string[]> => (await ledgers.scan('')).users.toSorted();
    expect(await known()).toEqual(['gone', 'here', 'waiting']);
    await world.reconcile();
    expect(await known()).toEqual(['here', 'waiting']);
    world.bus.away = false;
    await world.runFor(HOUR_MS);
    expect(world.bus.of('waiting')).toEqual(['announced 0', 'cancelled 0: ended']);
    await world.reconcile();
    expect(await known()).toEqual(['here']);
  });

  test('finds pending events and open episodes whose agenda entry was lost', async () => {
    const app = world.application('library');
    await app.acts('pending', [SHIRT]);
    await app.acts('open', [SHIRT]);
    await world.runFor(FIRST - 1);
    world.bus.away = true;
    await world.runFor(1);
    world.bus.away = false;
    await redis.client().del(world.hot.keys.agenda, world.hot.keys.leased);
    await world.hot.raw.del(world.hot.keys.session('open'));
    await world.reconcile();
    await world.runFor(MINUTE_MS);
    expect(world.bus.of('pending')).toEqual(['announced 0']);
    expect(world.bus.of('open')).toEqual(['announced 0', 'cancelled 0: ended']);
  });

  test('shows whose ledger cannot be read, once, though nobody touched them', async () => {
    const { raw, keys, ledgers } = world.hot;
    await raw.hset(keys.session('ann'), { last_activity: formatInstant(START - HOUR_MS), cart });
    await raw.set(keys.ledger('ann'), 'hello');
    for (let turn = 0; turn < 2; turn += 1) await world.reconcile();
    expect(world.observed.quarantined).toMatchObject([
      { user: 'ann', key: 'session:ann', reason: 'ledger_unreadable', at: START },
    ]);
    expect((await ledgers.quarantined(10)).entries).toHaveLength(1);
    await raw.del(keys.ledger('ann'));
    await world.reconcile();
    await world.runFor(0);
    expect((await ledgers.quarantined(10)).total).toBe(0);
    expect(world.bus.of('ann')).toEqual(['announced 0']);
  });

  test('shows those who did not fit into the quarantine, as soon as there is room', async () => {
    const small = new LookWorld(redisHot(redis, { maxQuarantined: 3 }));
    const { raw, keys, ledgers } = small.hot;
    const users = ['a', 'b', 'c', 'd', 'e'];
    for (const user of users) await small.foreign(user, { last_activity: 'yesterday', cart });
    await small.runFor(0);
    const shown = async (): Promise<string[]> =>
      (await ledgers.quarantined(10)).entries.map(({ user }) => user).toSorted();
    const first = await shown();
    expect(first).toHaveLength(3);
    for (const user of first)
      await raw.hset(keys.session(user), { last_activity: formatInstant(START - HOUR_MS) });
    await small.reconcile();
    await small.runFor(0);
    await small.reconcile();
    expect(await shown()).toEqual(users.filter((user) => !first.includes(user)));
    for (const user of first) expect(small.bus.of(user)).toEqual(['announced 0']);
  });

  test('shows ids that cannot be one, once, for as long as their keys are there', async () => {
    const control = redis.client();
    const long = 'x'.repeat(513);
    const noText = Buffer.from([...Buffer.from('session:'), 0xff]);
    await control.hset(noText, 'cart', '[]');
    await control.hset(`session:${long}`, 'cart', '[]');
    for (let turn = 0; turn < 3; turn += 1) await world.reconcile();
    const { entries } = await world.hot.ledgers.quarantined(10);
    expect(new Set(entries.map(({ reason }) => reason))).toEqual(
      new Set(['user_id_not_utf8', 'user_id_too_long']),
    );
    expect(world.observed.quarantined).toHaveLength(2);
    expect(world.observed.mended).toBeUndefined();
    await control.del(noText);
    await world.reconcile();
    expect((await world.hot.ledgers.quarantined(10)).entries).toMatchObject([{ user: long }]);
    await control.del(`session:${long}`);
    await world.reconcile();
    expect((await world.hot.ledgers.quarantined(10)).total).toBe(0);
    expect(world.observed.mended).toHaveLength(2);
  });

  test('stops when it is told to', async () => {
    await world.application('library').acts('ann', [SHIRT]);
    const { reconcile } = await import('../../src/abandonment/reconcile.ts');
    const report = await reconcile(
      { ...world.hot, clock: world.clock },
      world.settings,
      world.observe,
      {
        fullSpeed: false,
        signal: AbortSignal.abort(),
      },
    );
    expect(report).toMatchObject({ users: 0, armed: 0 });
  });
});

type Wrap = (
  ports: WorldPorts,
  port: 'agenda' | 'ledgers' | 'bus',
  step: string,
  what: () => Promise<unknown>,
) => WorldPorts;

/** The ports with something that happens just before a step. */
const before: Wrap = (ports, port, step, what) =>
  aroundStep(ports, port, step, async (call) => {
    await what();
    return call();
  });

/** The ports with something that happens just after a step. */
const after: Wrap = (ports, port, step, what) =>
  aroundStep(ports, port, step, async (call) => {
    const result = await call();
    await what();
    return result;
  });

function once(what: () => Promise<void>): () => Promise<void> {
  let left = 1;
  return async () => {
    if ((left -= 1) >= 0) await what();
  };
}
