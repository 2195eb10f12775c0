import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import { BusUnavailableError, UserErasedError } from '../../src/model/errors.ts';
import { isoInstant } from '../../src/model/instant.ts';
import { type ErasureReport, erase } from '../../src/tiers/erase.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { everyText } from '../support/every-text.ts';
import { SteppedTask } from '../support/stepped-task.ts';
import { testRedis } from '../support/redis-server.ts';
import { HOT_TTL_MS, TierWorld } from '../support/tier-world.ts';
import { SHIRT } from '../support/watched-user.ts';

const USER = 'ann~the user';
const redis = testRedis();
let world: TierWorld;

beforeEach(() => {
  world = new TierWorld(redis);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const jobs = { forget: async (): Promise<number> => 0 };

function erases(bus: Pick<Bus, 'publish'> = world.bus): Promise<ErasureReport> {
  return erase(
    USER,
    { ...world.tierPorts, jobs, bus },
    { tombstoneTtlMs: 90 * DAY_MS, prefix: 'rekindle', queues: ['demotion'] },
  );
}

/** What names the user, but the tombstone. */
async function named(): Promise<string[]> {
  const texts = await everyText(world.client, [world.hot.keys.tombstones]);
  return texts.filter((text) => text.includes(USER));
}

async function settles(): Promise<void> {
  while ((await world.looker.lookOnce()).users > 0);
}

async function speaks(): Promise<void> {
  for (const id of ['1', '2', '3', '4', '5']) await world.says(USER, id);
  await world.library.updateCart(USER, [SHIRT]);
}

describe('what happened before the erasure is written nowhere any more', () => {
  test('by the library, whatever it writes, and it says why', async () => {
    await speaks();
    const at = world.now;
    world.outage(HOUR_MS);
    await erases();
    world.outage(HOUR_MS);
    const { library } = world;
    const late = [
      library.recordActivity(USER, { at }),
      library.appendMessage(USER, { role: 'user', content: 'late' }, { at }),
      library.appendMessage(USER, { role: 'assistant', content: 'late' }, { at }),
      library.updateCart(USER, [SHIRT], { at }),
      library.placeOrder(USER, { at }),
      library.endSession(USER, { at }),
      library.optOut(USER, { at }),
    ];
    for (const write of late) await expect(write).rejects.toThrow(UserErasedError);
    expect(await named()).toEqual([]);
  });

  test('by warm, whoever still holds it', async () => {
    await speaks();
    await world.demoter.demote(USER);
    const { items } = await world.warm.find(USER, {}, 'oldest', { limit: 10 });
    world.outage(1);
    await erases();
    const outcomes = await world.warm.put(
      USER,
      items.map(({ entry }) => ({ entry })),
    );
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['erased', 'erased']);
    expect(await world.warm.count(USER)).toBe(0);
  });

  test('by a user who was on the way back', async () => {
    await speaks();
    await world.liveUntil(world.now + HOT_TTL_MS);
    const resume = await SteppedTask.begin((gate) =>
      world.newPromoter(gate).resume(USER, world.now),
    );
    while (resume.next !== 'records.restore') await resume.step();
    await erases();
    await expect(resume.finish()).rejects.toThrow(UserErasedError);
    expect(await named()).toEqual([]);
  });

  test('by a demotion that comes late: it finds nothing', async () => {
    await speaks();
    await erases();
    expect(await world.demoter.demote(USER)).toMatchObject({ outcome: 'nothing', messages: 0 });
    expect(await world.warm.count(USER)).toBe(0);
    expect(await named()).toEqual([]);
  });
});

describe('a look that had read before the erasure', () => {
  const untilErasure = async (next: string): Promise<SteppedTask<unknown>> => {
    const look = await SteppedTask.begin((gate) => world.newLooker(gate).lookOnce());
    while (look.next !== next) await look.step();
    await erases();
    await look.finish();
    return look;
  };

  test.each(['ledgers.read', 'ledgers.commit', 'bus.publish', 'agenda.settle'])(
    'commits nothing and leaves nothing in the agenda when it comes before %s',
    async (next) => {
      await speaks();
      world.outage(HOUR_MS);
      await untilErasure(next);
      expect(await named()).toEqual([]);
      await settles();
      expect(await named()).toEqual([]);
    },
  );

  test.each(['ledgers.read', 'ledgers.commit', 'ledgers.quarantine', 'agenda.settle'])(
    'puts nobody into quarantine when it comes before %s',
    async (next) => {
      await speaks();
      await world.hot.raw.set(world.hot.keys.ledger(USER), 'not what Rekindle wrote');
      const look = await SteppedTask.begin((gate) => world.newLooker(gate).lookOnce());
      while (look.next !== undefined && look.next !== next) await look.step();
      await erases();
      await look.finish();
      expect(await named()).toEqual([]);
    },
  );
});

test('an erasure waits for a look that its own deletions have woken', async () => {
  await speaks();
  const { agenda } = world.hot;
  let settled: Promise<unknown> | undefined;
  const { remains } = await erases({
    publish: async (events) => {
      await agenda.arm([{ user: USER, at: world.now }]);
      const claim = await agenda.claim(world.now, 10);
      expect(claim.users).toEqual([USER]);
      settled = sleep(250).then(() => agenda.settle(claim, [{ user: USER, at: undefined }]));
      return world.bus.publish(events);
    },
  });
  await settled;
  expect(new Set(Object.values(remains))).toEqual(new Set([0]));
});

describe('an opt-out', () => {
  test('outlives the erasure without a name, and holds from the first look at who comes back', async () => {
    await speaks();
    await world.library.optOut(USER);
    await settles();
    world.outage(HOUR_MS);
    const { removed, remains } = await erases();
    expect(removed).toMatchObject({ 'hot optout': 1, 'hot session': 1 });
    expect(new Set(Object.values(remains))).toEqual(new Set([0]));
    expect(await named()).toEqual([]);
    world.outage(HOUR_MS);
    await world.library.updateCart(USER, [SHIRT]);
    await world.runFor(2 * DAY_MS);
    expect(world.bus.of(USER)).toEqual([]);
    expect((await world.hot.ledgers.read([USER], world.now))[0]?.optedOutAt).toBeDefined();
    // And once more.
    await erases();
    expect(await named()).toEqual([]);
    world.outage(HOUR_MS);
    await world.library.updateCart(USER, [SHIRT]);
    await world.runFor(2 * DAY_MS);
    expect(world.bus.of(USER)).toEqual([]);
  });

  test('of nobody else is touched, and who did not opt out is announced again', async () => {
    await world.library.updateCart('bob', [SHIRT]);
    await world.library.optOut('bob');
    await speaks();
    await erases();
    world.outage(HOUR_MS);
    await world.library.updateCart(USER, [SHIRT]);
    await world.runFor(HOUR_MS);
    expect(world.bus.of(USER)).toEqual(['announced 0']);
    expect(world.bus.of('bob')).toEqual([]);
  });
});

test('the same person may begin anew, and what is said then is demoted and brought back', async () => {
  await speaks();
  await world.demoter.demote(USER);
  world.outage(HOUR_MS);
  await erases();
  expect(await world.promoter.resume(USER, world.now)).toBe('nothing');
  world.outage(HOUR_MS);
  for (const id of ['6', '7']) await world.says(USER, id);
  await world.liveUntil(world.now + 2 * DAY_MS);
  expect(await world.inWarm(USER)).toEqual(['6', '7']);
  expect(await world.headers(USER)).toMatchObject([{ messages: 2 }]);
  expect(await world.promoter.resume(USER, world.now)).toBe('warm');
  expect(await world.inHot(USER)).toEqual(['6', '7']);
});

describe('subscribers', () => {
  test('are told when nothing is left', async () => {
    await speaks();
    world.outage(HOUR_MS);
    await settles();
    const { erasedAt } = await erases();
    const [told] = world.bus.erasures;
    expect(told).toMatchObject({
      type: 'user.erased',
      subject: encodeURIComponent(USER),
      data: { user: USER, erased_at: isoInstant(erasedAt) },
    });
    expect(world.bus.of(USER)).toEqual(['announced 0']);
  });

  test('are told by the next erasure where the bus was away', async () => {
    await speaks();
    world.bus.away = true;
    await expect(erases()).rejects.toThrow(BusUnavailableError);
    expect(await named()).toEqual([]);
    world.bus.away = false;
    await erases();
    expect(world.bus.erasures).toHaveLength(1);
  });

  test('leave no record of the user: no note, no message for the cap, no inbox', async () => {
    await speaks();
    world.outage(HOUR_MS);
    await settles();
    const note = { what: 'touch', episode: 1, stage: 0, channel: 'sms', messageId: 'm1' } as const;
    const { ledgers, keys } = world.hot;
    expect(await ledgers.note(USER, { ...note, at: world.now }, world.now)).toBe(true);
    await world.client.set(keys.contacted(USER), '1=m1');
    await world.client.sadd(keys.inbox, '1');
    await world.client.hset(`${keys.inbox}:1`, encodeURIComponent(USER), 'had', 'other', 'had');
    expect((await erases()).removed).toMatchObject({ 'hot subscribers': 2 });
    expect(await named()).toEqual([]);
    expect(await ledgers.note(USER, { ...note, at: world.now }, world.now)).toBe(false);
    // Nor is what happened before noted of who is back.
    const before = world.now;
    world.outage(HOUR_MS);
    await speaks();
    await settles();
    expect(await ledgers.note(USER, { ...note, at: before }, world.now)).toBe(false);
    expect(await ledgers.note(USER, { ...note, at: world.now }, world.now)).toBe(true);
  });
});
