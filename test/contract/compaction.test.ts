import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import { DamagedObjectError, UserErasedError } from '../../src/model/errors.ts';
import type { ColdStore } from '../../src/ports/cold.ts';
import type { Summarizer } from '../../src/ports/summarizer.ts';
import type { CompactPorts } from '../../src/tiers/compact.ts';
import { parseTranscript } from '../../src/tiers/cold-records.ts';
import { insightsOf } from '../../src/tiers/current-insights.ts';
import { erase } from '../../src/tiers/erase.ts';
import { PlainSummarizer } from '../support/plain-summarizer.ts';
import { testRedis } from '../support/redis-server.ts';
import { replacing } from '../support/replacing.ts';
import { SteppedTask } from '../support/stepped-task.ts';
import { TierWorld } from '../support/tier-world.ts';
import { SHIRT } from '../support/watched-user.ts';

const redis = testRedis();
let world: TierWorld;

beforeEach(() => {
  world = new TierWorld(redis);
});
afterEach(() => world[Symbol.asyncDispose]());

/** Says these, and lets so much time pass that the session is in warm and has aged. */
async function longAgo(...ids: string[]): Promise<void> {
  for (const id of ids) await world.says('ann', id);
  await world.liveUntil(world.now + 40 * DAY_MS);
}

const textsOf = async (): Promise<string[]> =>
  (await insightsOf(world.cold, 'ann')).map(({ text }) => text).toSorted();

describe('a conversation that has aged', () => {
  test('goes to cold, and its session can still be resumed with its cart', async () => {
    await world.library.updateCart('ann', [SHIRT]);
    await longAgo('1', '2', '3');
    expect(await world.newCompactor().compact('ann')).toEqual({ conversations: 1, messages: 3 });
    expect(await world.inWarm('ann')).toEqual([]);
    expect(await textsOf()).toEqual(['began with says 1']);
    expect(await world.promoter.resume('ann', world.now)).toBe('warm');
    expect((await world.hot.sessions.read('ann'))?.cart).toEqual([SHIRT]);
  });

  test('is left while its cart may still be announced, and taken after thirty days of that', async () => {
    await world.library.updateCart('ann', [SHIRT]);
    await world.says('ann', '1');
    await world.liveUntil(world.now + 2 * DAY_MS);
    world.outage(20 * DAY_MS);
    expect(await world.newCompactor().compact('ann')).toEqual({ conversations: 0, messages: 0 });
    world.outage(9 * DAY_MS);
    expect(await world.newCompactor().compact('ann')).toEqual({ conversations: 1, messages: 1 });
    const [name = ''] = await world.cold.names('ann', 'transcripts', { limit: 1 });
    const text = (await world.cold.get('ann', 'transcripts', name)) ?? '';
    expect(parseTranscript(name, text).outcome).toBe('lost');
  });

  test('and the one after it are two, and what both say is learned once, with the support of both', async () => {
    await world.says('ann', '1', { content: 'I like blue' });
    await world.liveUntil(world.now + 2 * DAY_MS);
    await world.says('ann', '2', { content: 'I like blue' });
    await world.liveUntil(world.now + 40 * DAY_MS);
    expect(await world.newCompactor().compact('ann')).toEqual({ conversations: 2, messages: 2 });
    const transcripts = await world.cold.names('ann', 'transcripts', { limit: 10 });
    expect(transcripts).toHaveLength(2);
    expect(await insightsOf(world.cold, 'ann')).toMatchObject([{ conversations: transcripts }]);
  });
});

describe('a summary', () => {
  const ports =
    (summarizer: Summarizer) =>
    (given: CompactPorts): CompactPorts => ({ ...given, summarizer });

  const unsound: readonly (readonly [string, Summarizer['summarize']])[] = [
    ['throws', () => Promise.reject(new Error('away'))],
    ['is nonsense', () => Promise.resolve('nonsense' as never)],
    [
      'invents its sources',
      () =>
        Promise.resolve({
          text: 'a summary',
          findings: [
            { kind: 'fact', text: 'a fact', sources: [{ message: 'nobody', hash: 'said' }] },
          ],
        }),
    ],
  ];

  test.each(unsound)('that %s leaves the conversation where it is', async (_how, summarize) => {
    await longAgo('1', '2');
    const compactor = world.newCompactor(ports({ name: 'unsound', summarize }));
    await expect(compactor.compact('ann')).rejects.toThrow(/away|shape|source/);
    expect(await world.inWarm('ann')).toEqual(['1', '2']);
    expect(await textsOf()).toEqual([]);
    expect(await world.newCompactor().compact('ann')).toEqual({ conversations: 1, messages: 2 });
  });

  test('that was made is not asked for again by whoever takes over', async () => {
    await longAgo('1');
    const doomed = await SteppedTask.begin((gate) => world.newCompactor(gate).compact('ann'));
    while (doomed.next !== 'cold.putCurrent') await doomed.step();
    const summarizer = new PlainSummarizer();
    await world.newCompactor(ports(summarizer)).compact('ann');
    expect(summarizer.asked).toBe(0);
    expect(await textsOf()).toEqual(['began with says 1']);
    await expect(doomed.finish()).rejects.toThrow('another compactor has taken this user over');
  });
});

test('a damaged `current` is put together anew from the records', async () => {
  await longAgo('1');
  await world.newCompactor().compact('ann');
  await longAgo('2');
  const standing = await world.cold.current('ann');
  const version = standing?.version ?? '';
  let damaged = true;
  const cold: ColdStore = replacing(world.cold, {
    current: (owner) =>
      damaged
        ? Promise.reject(new DamagedObjectError('bent', { version }))
        : world.cold.current(owner),
    putCurrent: (owner, text, how) => {
      damaged = false;
      return world.cold.putCurrent(owner, text, how);
    },
  });
  await world.newCompactor((ports) => ({ ...ports, cold })).compact('ann');
  expect(damaged).toBe(false);
  expect(await textsOf()).toEqual(['began with says 1', 'began with says 2']);
});

describe('a user who is erased while being compacted', () => {
  test.each(['warm.put', 'cold.put', 'summarizer.summarize', 'cold.putCurrent', 'warm.remove'])(
    'before %s never comes back',
    async (call) => {
      await longAgo('1', '2');
      const compactor = await SteppedTask.begin((gate) => world.newCompactor(gate).compact('ann'));
      while (compactor.next !== call) await compactor.step();
      world.outage(HOUR_MS);
      const jobs = { forget: async () => 0 };
      const settings = { tombstoneTtlMs: 90 * DAY_MS, prefix: 'rekindle', queues: [] };
      await erase('ann', { ...world.tierPorts, jobs }, settings);
      await compactor.finish().catch((error: unknown) => {
        expect(error).toBeInstanceOf(UserErasedError);
      });
      expect(await world.cold.count('ann')).toBe(0);
      expect(await world.warm.count('ann')).toBe(0);
    },
  );
});
