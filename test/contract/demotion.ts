import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { EntryFilter, WarmStore } from '../../src/ports/warm.ts';
import { START } from '../support/look-world.ts';
import { replacing } from '../support/replacing.ts';
import { SteppedTask } from '../support/stepped-task.ts';
import { type TestRedis, testRedis } from '../support/redis-server.ts';
import { HOT_TTL_MS, type TierWorld } from '../support/tier-world.ts';
import { SHIRT, SHOES } from '../support/watched-user.ts';
import { anEntry } from './warm.ts';

/** What a demoter promises over a warm tier, whichever that is. */
export function demotionContract(
  name: string,
  open: (redis: TestRedis) => Promise<TierWorld>,
): void {
  const redis = testRedis();
  let world: TierWorld;

  beforeEach(async () => {
    world = await open(redis);
  });

  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const hashOf = async (user: string): Promise<Record<string, string>> =>
    world.hot.raw.hgetall(world.hot.keys.session(user));

  const conversation = async (user: string, ids: readonly string[]): Promise<void> => {
    for (const id of ids) await world.says(user, id);
  };

  describe(`${name}: a session of ours`, () => {
    test('is copied before its end, deleted at its end, and nothing of it is lost', async () => {
      await conversation('ann', ['1', '2', '3', '4', '5']);
      await world.library.updateCart('ann', [SHIRT], { language: 'hi' });
      await world.liveUntil(START + HOT_TTL_MS - HOUR_MS);
      expect(await world.inWarm('ann')).toEqual(['1', '2', '3', '4', '5']);
      expect(await world.inHot('ann')).toEqual(['3', '4', '5']);
      expect(await hashOf('ann')).toMatchObject({ language: 'hi' });
      await world.liveUntil(START + HOT_TTL_MS);
      expect(await world.inWarm('ann')).toEqual(['1', '2', '3', '4', '5']);
      expect(await world.inHot('ann')).toEqual([]);
      expect(await hashOf('ann')).toEqual({});
      expect(await world.headers('ann')).toMatchObject([
        { epoch: START, messages: 5, ours: true, language: 'hi', cart_items: 1, cart_value: 20 },
      ]);
    });

    test('is announced at the later stages too, though it was demoted', async () => {
      await world.library.updateCart('ann', [SHIRT]);
      await world.liveUntil(START + 20 * DAY_MS);
      expect(await hashOf('ann')).toEqual({});
      expect(world.bus.of('ann')).toEqual(['announced 0', 'announced 1', 'announced 2']);
    });

    test('lives on with every activity, and what its window pushes out goes to warm by the segment', async () => {
      const ids = Array.from({ length: 50 }, (_none, n) => `m${n}`);
      for (const id of ids) {
        await world.says('ann', id);
        await world.liveUntil(world.now + HOUR_MS);
      }
      expect((await world.inWarm('ann')).slice(0, 40)).toEqual(ids.slice(0, 40));
      expect((await world.inHot('ann')).length).toBeLessThan(25);
      expect(await hashOf('ann')).not.toEqual({});
      await world.liveUntil(world.now + 2 * DAY_MS);
      expect(await world.inWarm('ann')).toEqual(ids);
      expect(await hashOf('ann')).toEqual({});
    });

    test('that was ended is demoted at once, and the next one has a header of its own', async () => {
      await conversation('ann', ['1', '2']);
      await world.library.endSession('ann');
      await world.liveUntil(world.now + MINUTE_MS);
      expect(await hashOf('ann')).toEqual({});
      await conversation('ann', ['3']);
      await world.liveUntil(world.now + 2 * DAY_MS);
      expect(await world.inWarm('ann')).toEqual(['1', '2', '3']);
      expect(await world.headers('ann')).toMatchObject([{ messages: 2 }, { messages: 1 }]);
    });

    test('that was ended and begun anew before anybody looked loses nothing that was said', async () => {
      await conversation('ann', ['1', '2']);
      await world.library.endSession('ann');
      await conversation('ann', ['3']);
      await world.liveUntil(world.now + 2 * DAY_MS);
      expect(await world.inWarm('ann')).toEqual(['1', '2', '3']);
    });

    test('is not deleted while nobody has judged its cart as it is', async () => {
      await world.library.updateCart('ann', [SHIRT]);
      world.outage(2 * DAY_MS);
      expect(await world.demoter.demote('ann')).toMatchObject({ outcome: 'copied' });
      expect(await hashOf('ann')).not.toEqual({});
      await world.liveUntil(world.now);
      expect(await hashOf('ann')).toEqual({});
      expect(world.bus.of('ann')).toEqual(['announced 1']);
    });
  });

  test(`${name}: a session that a clock behind has dated before the former one is known at its end`, async () => {
    const { raw, keys } = world.hot;
    const ids = Array.from({ length: 110 }, (_none, n) => `m${n}`);
    await conversation('ann', ids);
    await world.demoter.demote('ann');
    await raw.del(keys.session('ann'), keys.messages('ann'));
    const now = world.clock.now.bind(world.clock);
    vi.spyOn(world.clock, 'now').mockImplementation(() => now() - HOUR_MS);
    await conversation('ann', ['n1', 'n2', 'n3']);
    await world.demoter.demote('ann');
    const [stood] = await world.headers('ann');
    expect(stood).toMatchObject({ messages: 3 });
    // Warm alone knows of them.
    await raw.del(keys.messages('ann'));
    await raw.hset(keys.session('ann'), { colour: 'red' });
    await world.demoter.demote('ann');
    expect((await world.headers('ann'))[0]).toMatchObject({ messages: 3, chain: stood?.['chain'] });
    await conversation('ann', ['n4']);
    await world.demoter.demote('ann');
    expect(await world.inWarm('ann')).toEqual([...ids, 'n1', 'n2', 'n3', 'n4']);
  });

  test(`${name}: memories of agents are no segments, whatever they are called`, async () => {
    const own = anEntry('ann', 'own', { memoryType: 'segment', timestamp: START + 1 });
    await world.warm.put('ann', [{ entry: own }]);
    await conversation('ann', ['1']);
    expect(await world.demoter.demote('ann')).toMatchObject({ messages: 1 });
    await conversation('ann', ['2']);
    expect(await world.demoter.demote('ann')).toMatchObject({ messages: 1 });
    expect((await world.warm.get('ann', ['own']))[0]?.entry).toEqual(own);
  });

  describe(`${name}: of two demoters`, () => {
    const held = async (): Promise<SteppedTask<unknown>> => {
      const demoter = await SteppedTask.begin((gate) => world.newDemoter(gate).demote('ann'));
      while (demoter.next !== 'warm.put') await demoter.step();
      await world.library.endSession('ann');
      world.outage(1);
      await world.says('ann', 'last');
      await world.demoter.demote('ann');
      return demoter;
    };

    test('the one that still sees the former session begins anew, though it would fill up its segment', async () => {
      await conversation('ann', ['1']);
      await world.demoter.demote('ann');
      await conversation('ann', ['2']);
      await (await held()).finish();
      expect(await world.inWarm('ann')).toEqual(['1', '2', 'last']);
    });

    test('the one that still sees the former session begins anew, though it would write the first', async () => {
      await conversation('ann', ['1']);
      await (await held()).finish();
      expect(await world.inWarm('ann')).toEqual(['1', 'last']);
    });
  });

  test(`${name}: an order that another program notes at the end is seen before the session goes`, async () => {
    await world.library.updateCart('ann', [SHIRT]);
    await world.liveUntil(START + HOT_TTL_MS - 1);
    world.outage(1);
    while ((await world.looker.lookOnce()).users > 0);
    const orderedAt = formatInstant(world.now);
    await world.hot.raw.hset(world.hot.keys.session('ann'), { last_order_at: orderedAt });
    expect(await world.demoter.demote('ann')).toMatchObject({ outcome: 'copied' });
    await world.liveUntil(START + 20 * DAY_MS);
    expect(await hashOf('ann')).toEqual({});
    expect(world.bus.of('ann')).toEqual([
      'announced 0',
      'announced 1',
      'cancelled 1: ordered',
      'recovered 1: organic',
    ]);
  });

  describe(`${name}: a session of others`, () => {
    test('is copied before its TTL and left alone', async () => {
      const { raw, keys } = world.hot;
      await raw.hset(keys.session('ann'), {
        last_activity: formatInstant(START),
        cart: JSON.stringify([SHIRT, SHOES]),
        colour: 'red',
      });
      await world.pushes(
        'ann',
        '{"role":"user","content":"hi"}',
        'no message',
        '{"role":"user","content":"hi"}',
      );
      await raw.pexpire(keys.session('ann'), 2 * HOUR_MS);
      await world.hot.sessions.armTouched(['ann'], world.now);
      await world.liveUntil(world.now);
      expect(await world.inWarm('ann')).toEqual([]);
      world.outage(HOUR_MS);
      await raw.pexpire(keys.session('ann'), HOUR_MS);
      await world.liveUntil(world.now);
      expect(await world.inWarm('ann')).toEqual([
        '{"role":"user","content":"hi"}',
        'no message',
        '{"role":"user","content":"hi"}',
      ]);
      expect(await hashOf('ann')).toMatchObject({ colour: 'red' });
      expect(await world.headers('ann')).toMatchObject([
        { ours: false, messages: 3, cart_items: 2 },
      ]);
    });

    test('whose list is trimmed by its program is taken up where it was left', async () => {
      const { raw, keys } = world.hot;
      await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
      await world.pushes('ann', 'a', 'b', 'yes');
      await world.demoter.demote('ann');
      await raw.del(keys.messages('ann'));
      await world.pushes('ann', 'yes', 'yes', 'c');
      await world.demoter.demote('ann');
      await world.demoter.demote('ann');
      expect(await world.inWarm('ann')).toEqual(['a', 'b', 'yes', 'yes', 'c']);
    });

    test.each(['session', 'segment'])(
      'keeps all that warm knows of it, though a glance shows another state of each %s than of the rest',
      async (stale) => {
        const { raw, keys } = world.hot;
        await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
        await world.pushes('ann', 'a');
        await world.demoter.demote('ann');
        const kinds: EntryFilter = { memoryType: ['session', 'segment'] };
        const { items: before } = await world.warm.find('ann', kinds, 'newest', { limit: 6 });
        await world.pushes('ann', 'b');
        await world.demoter.demote('ann');
        // What is there no more can be known from warm alone.
        await raw.del(keys.messages('ann'));
        await raw.hset(keys.session('ann'), { colour: 'red' });
        let glances = 0;
        const torn: WarmStore['find'] = async (...args) => {
          const page = await world.warm.find(...args);
          if (!Array.isArray(args[1].memoryType)) return page;
          glances += 1;
          const of = (items: typeof before, isStale: boolean): typeof before =>
            items.filter(({ entry }) => (entry.memoryType === stale) === isStale);
          return { ...page, items: [...of(before, true), ...of(page.items, false)] };
        };
        await world
          .newDemoter((ports) => ({ ...ports, warm: replacing(ports.warm, { find: torn }) }))
          .demote('ann');
        expect(glances).toBe(1);
        expect(await world.inWarm('ann')).toEqual(['a', 'b']);
        expect(await world.headers('ann')).toMatchObject([{ messages: 2 }]);
        await world.pushes('ann', 'c');
        await world.demoter.demote('ann');
        expect(await world.inWarm('ann')).toEqual(['a', 'b', 'c']);
        expect(await world.headers('ann')).toMatchObject([{ messages: 3 }]);
      },
    );

    test('that is noted as compacted, and not removed yet, may say the same again', async () => {
      const { raw, keys } = world.hot;
      await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
      await world.pushes('ann', 'a', 'b');
      await world.demoter.demote('ann');
      world.outage(30 * DAY_MS);
      const compactor = world.newCompactor((ports) => ({
        ...ports,
        warm: replacing(ports.warm, { remove: () => Promise.reject(new Error('it died')) }),
      }));
      await expect(compactor.compact('ann')).rejects.toThrow('it died');
      await world.pushes('ann', 'a', 'b', 'c');
      await world.demoter.demote('ann');
      expect(await world.inWarm('ann')).toEqual(['a', 'b', 'a', 'b', 'c']);
    });

    test('whose messages are compacted while a glance goes over their header has none of them twice', async () => {
      const { raw, keys } = world.hot;
      const large = (id: string, at: number): string =>
        JSON.stringify({ role: 'user', id, content: 'x'.repeat(230_000), at: formatInstant(at) });
      await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
      await world.pushes('ann', ...['a', 'b', 'c', 'd', 'e', 'f'].map((id) => large(id, START)));
      await world.demoter.demote('ann');
      world.outage(30 * DAY_MS);
      await world.pushes('ann', large('y', world.now));
      await world.demoter.demote('ann');
      const { items } = await world.warm.find('ann', { memoryType: 'session' }, 'newest', {
        limit: 1,
      });
      expect(await world.newCompactor().compact('ann')).toMatchObject({ messages: 6 });
      await world.pushes('ann', large('z', world.now + 1));
      const torn: WarmStore['find'] = async (...args) => {
        const page = await world.warm.find(...args);
        if (!Array.isArray(args[1].memoryType)) return page;
        const segments = page.items.filter(({ entry }) => entry.memoryType === 'segment');
        return { ...page, items: [...items, ...segments] };
      };
      await world
        .newDemoter((ports) => ({ ...ports, warm: replacing(ports.warm, { find: torn }) }))
        .demote('ann');
      expect(await world.inWarm('ann')).toEqual(['y', 'z']);
      expect(await world.headers('ann')).toMatchObject([{ messages: 8 }]);
    });

    test('that is one text is copied message by message', async () => {
      const { raw, keys } = world.hot;
      await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
      await raw.set(
        keys.messages('ann'),
        '[{"role":"user","content":"a"},{"role":"user","content":"b"}]',
      );
      await world.demoter.demote('ann');
      await raw.set(
        keys.messages('ann'),
        '[{"role":"user","content":"b"},{"role":"user","content":"c"}]',
      );
      await world.demoter.demote('ann');
      expect(await world.inWarm('ann')).toEqual([
        '{"role":"user","content":"a"}',
        '{"role":"user","content":"b"}',
        '{"role":"user","content":"c"}',
      ]);
    });

    test('a list of thousands is copied page by page', async () => {
      const { raw, keys } = world.hot;
      await raw.hset(keys.session('ann'), { last_activity: formatInstant(START) });
      const texts = Array.from({ length: 2_345 }, (_none, n) => `m${n % 1_000 === 7 ? 'same' : n}`);
      await world.pushes('ann', ...texts);
      await world.demoter.demote('ann');
      expect(await world.inWarm('ann')).toEqual(texts);
      expect(await world.demoter.demote('ann')).toMatchObject({ messages: 0 });
    });
  });

  describe(`${name}: a user who comes back`, () => {
    const demoted = async (): Promise<void> => {
      await conversation('ann', ['1', '2', '3', '4', '5']);
      await world.library.updateCart('ann', [SHIRT], { language: 'hi' });
      await world.liveUntil(START + HOT_TTL_MS);
      expect(await hashOf('ann')).toEqual({});
      world.outage(HOUR_MS);
    };

    test('finds cart, state and what was said last', async () => {
      await demoted();
      expect(await world.promoter.resume('ann', world.now)).toBe('warm');
      const session = await world.library.readSession('ann');
      expect(session).toMatchObject({ language: 'hi', cart: [SHIRT], lastActivityAt: world.now });
      expect(session?.messages.map(({ id }) => id)).toEqual(['3', '4', '5']);
      expect(session?.fields['rekindle']).toMatch(new RegExp(`^${world.now};0;`));
      expect(await world.promoter.resume('ann', world.now)).toBe('nothing');
    });

    test('is known again when the session is demoted next: nothing stands twice', async () => {
      await demoted();
      await world.promoter.resume('ann', world.now);
      await conversation('ann', ['6', '7']);
      await world.liveUntil(world.now + 2 * DAY_MS);
      expect(await world.inWarm('ann')).toEqual(['1', '2', '3', '4', '5', '6', '7']);
      expect(await world.headers('ann')).toMatchObject([{ messages: 5 }, { messages: 2 }]);
    });

    test('and is writing already keeps all that was written, and is given what it lacks', async () => {
      await demoted();
      await world.says('ann', '6');
      expect(await world.promoter.resume('ann', world.now)).toBe('warm');
      const session = await world.library.readSession('ann');
      expect(session?.messages.map(({ id }) => id)).toEqual(['4', '5', '6']);
      expect(session).toMatchObject({ cart: [SHIRT], language: 'hi' });
    });

    test('to a session that is over and still there takes it up again', async () => {
      await conversation('ann', ['1']);
      world.outage(2 * DAY_MS);
      expect(await world.library.readSession('ann')).toBeUndefined();
      expect(await world.promoter.resume('ann', world.now)).toBe('hot');
      expect((await world.library.readSession('ann'))?.messages.map(({ id }) => id)).toEqual(['1']);
    });

    test('of whom nothing is known begins anew', async () => {
      expect(await world.promoter.resume('ann', world.now)).toBe('nothing');
      expect(await hashOf('ann')).toEqual({});
    });
  });
}
