import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CosmosWarm } from '../../src/adapters/warm/cosmos/cosmos-warm.ts';
import { WarmUnavailableError } from '../../src/model/errors.ts';
import { ABSENT, type EntryWrite } from '../../src/ports/warm.ts';
import type { CosmosServer } from '../servers/cosmos/cosmos-server.ts';
import { type Fault, WRITES } from '../servers/cosmos/faults.ts';
import { CosmosPlace, DATABASE } from '../support/cosmos-warm.ts';
import { T, anEntry, putOne, write } from './warm.ts';

/** Longer than what an entry keeps in one document: it has two parts. */
const LARGE = 'wide '.repeat(320_000);

/** Is given up on at once, with no request on its way: a call waits no longer than its budget. */
const GONE = { effect: 503, retryAfterMs: 60_000 };

const LEFT_ALONE_MS = 10 * 60_000;

// Megabytes to and fro, on a machine that does other things as well.
vi.setConfig({ testTimeout: 120_000 });

let place: CosmosPlace;
let server: CosmosServer;
let now = T;

beforeAll(async () => {
  place = await CosmosPlace.start(() => now);
  ({ server } = place);
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

const clock = { now: () => now };

interface Opened {
  readonly warm: CosmosWarm;
  /** Another process: it shares nothing but the container. */
  readonly other: CosmosWarm;
  readonly items: () => readonly Record<string, unknown>[];
}

async function opened(budgetMs = 5_000): Promise<Opened> {
  const container = await place.container();
  return {
    warm: place.warmIn(container, { clock, budgetMs }),
    other: place.warmIn(container, { clock, budgetMs }),
    items: () => server.items(DATABASE, container.id),
  };
}

/** Runs with a fault, and ends it. */
async function under<Result>(fault: Fault, work: () => Promise<Result>): Promise<Result> {
  const end = server.fail(fault);
  try {
    return await work();
  } finally {
    end();
  }
}

const ranked = (items: readonly Record<string, unknown>[], rank: number): unknown[] =>
  items.filter((item) => item['rank'] === rank);

describe('an answer that is lost', () => {
  const lost: Fault = { kinds: ['batch'], times: 1, effect: 'cut after' };

  test.each([
    ['where nothing stood', ABSENT],
    ['under the version that stood', 'version'],
    ['whatever stood', undefined],
  ] as const)('after a write %s took effect is no conflict', async (_name, expected) => {
    const { warm, items } = await opened();
    await write(warm, anEntry('ann', 'stands'));
    const [stored] = await warm.get('ann', ['stands']);
    const one: EntryWrite =
      expected === 'version'
        ? { entry: anEntry('ann', 'stands', { content: 'anew' }), expected: stored?.version }
        : { entry: anEntry('ann', 'm', { content: 'anew' }), expected };
    const outcome = await under(lost, () => putOne(warm, one));
    expect(outcome.outcome).toBe('written');
    const [stands] = await warm.get('ann', [one.entry.memoryId]);
    expect(stands).toMatchObject({ entry: { content: 'anew' } });
    if (outcome.outcome === 'written') expect(outcome.version).toBe(stands?.version);
    expect(ranked(items(), 1)).toHaveLength(expected === 'version' ? 1 : 2);
  });

  test('of all that was written together is none of any of them', async () => {
    const { warm } = await opened();
    const writes = ['a', 'b', 'c'].map(
      (id): EntryWrite => ({ entry: anEntry('ann', id), expected: ABSENT }),
    );
    const how = { together: true, readBack: true };
    const outcomes = await under(lost, () => warm.put('ann', writes, how));
    expect(outcomes).toMatchObject(
      writes.map(({ entry: stands }) => ({ outcome: 'written', stands })),
    );
  });

  test('and then another who writes on it leave one version, and both are told the truth', async () => {
    const { warm, other } = await opened();
    await write(warm, anEntry('ann', 'm'));
    const [stored] = await warm.get('ann', ['m']);
    const on = (content: string): EntryWrite => ({
      entry: anEntry('ann', 'm', { content }),
      expected: stored?.version,
    });
    const outcomes = await under({ ...lost, times: 3 }, () =>
      Promise.all([putOne(warm, on('one')), putOne(other, on('two'))]),
    );
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['conflict', 'written']);
    const [stands] = await warm.get('ann', ['m']);
    const winner = outcomes[0].outcome === 'written' ? 'one' : 'two';
    expect(stands?.entry.content).toBe(winner);
  });

  test('of a removal leaves it removed', async () => {
    const { warm } = await opened();
    await write(warm, anEntry('ann', 'a'), anEntry('ann', 'b'));
    const removed = await under(lost, () =>
      warm.remove('ann', [{ memoryId: 'a' }, { memoryId: 'none' }]),
    );
    expect(removed).toEqual(['removed', 'gone']);
    expect(await warm.count('ann')).toBe(1);
  });

  test('of an erasure counts what it removed', async () => {
    const { warm } = await opened();
    await write(warm, anEntry('ann', 'a'), anEntry('ann', 'b'));
    const count = await under({ ...lost, times: 3 }, () => warm.erase('ann', T, 2 * T));
    expect(count).toBe(2);
  });
});

describe('a storm', () => {
  test.each([429, 449, 503, 500, 408])(
    'of %i is outlived by all who write, and nothing is written twice or lost',
    async (effect) => {
      const { warm, other, items } = await opened(15_000);
      const storm: Fault = { kinds: WRITES, effect, times: 40, retryAfterMs: 5 };
      const owners = Array.from({ length: 15 }, (_none, n) => `owner-${n}`);
      await under(storm, async () => {
        await Promise.all(
          owners.flatMap((owner) =>
            [warm, other].map((one, n) =>
              write(one, ...['a', 'b', 'c'].map((id) => anEntry(owner, `${id}${n}`))),
            ),
          ),
        );
      });
      for (const owner of owners) expect(await warm.count(owner)).toBe(6);
      expect(ranked(items(), 1)).toHaveLength(15 * 6);
    },
  );

  test('asks to be left alone for longer than a call may take: it is told how long', async () => {
    const { warm } = await opened();
    const refused = await under({ effect: 429, retryAfterMs: 60_000 }, () =>
      warm.count('ann').catch((error: unknown) => error),
    );
    expect(refused).toBeInstanceOf(WarmUnavailableError);
    expect(refused).toMatchObject({ retryAfterMs: 60_000 });
  });

  test('in the midst of a put tells what stands, and what is to be tried again', async () => {
    const { warm } = await opened();
    const writes = Array.from({ length: 150 }, (_none, n) => ({ entry: anEntry('ann', `m${n}`) }));
    const outcomes = await under({ ...GONE, kinds: ['batch'], after: 2 }, () =>
      warm.put('ann', writes),
    );
    const told = outcomes.map(({ outcome }) => outcome);
    expect(new Set(told)).toEqual(new Set(['written', 'failed']));
    expect(await warm.count('ann')).toBe(told.filter((one) => one === 'written').length);
    expect(outcomes.at(-1)).toMatchObject({ outcome: 'failed', retryable: true });
  });
});

test('a store that takes what it is sent and never answers is given up on', async () => {
  const { warm } = await opened(1_500);
  await write(warm, anEntry('ann', 'm'));
  const calls = [
    () => warm.count('ann'),
    () => putOne(warm, { entry: anEntry('ann', 'm') }),
    () => warm.remove('ann', [{ memoryId: 'm' }]),
    () => warm.aged('note', T, { limit: 1 }),
  ];
  await under({ effect: 'hang' }, async () => {
    for (const call of calls) await expect(call()).rejects.toThrow(WarmUnavailableError);
  });
  expect(await warm.count('ann')).toBe(1);
});

describe('of a batch one entry', () => {
  const failing = (times = Infinity): Fault => ({ item: (id) => id === 'b', effect: 500, times });
  const writes = ['a', 'b', 'c'].map((id) => ({ entry: anEntry('ann', id) }));

  test('fails for a moment: all are written', async () => {
    const { warm } = await opened();
    const outcomes = await under(failing(2), () => warm.put('ann', writes));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['written', 'written', 'written']);
  });

  test('fails for good: of those that are written together none is', async () => {
    const { warm } = await opened();
    const outcomes = await under(failing(), () => warm.put('ann', writes, { together: true }));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['withheld', 'failed', 'withheld']);
    expect(await warm.count('ann')).toBe(0);
  });
});

describe('a store that goes away in the midst of an erasure', () => {
  const many = Array.from({ length: 350 }, (_none, n) => anEntry('ann', `m${n}`));

  test.each([0, 1, 2, 3, 4])(
    'after %i batches shows nothing of what is to go, and a sweep by another ends it',
    async (after) => {
      const { warm, other, items } = await opened();
      await write(warm, ...many, anEntry('bob', 'm'));
      const away: Fault = { ...GONE, kinds: ['batch'], after };
      const erasing = under(away, () => warm.erase('ann', T, 2 * T));
      await expect(erasing).rejects.toThrow(WarmUnavailableError);
      if (after > 0) {
        expect(await other.count('ann')).toBe(0);
        expect(await other.get('ann', ['m349'])).toEqual([]);
        expect((await putOne(other, { entry: anEntry('ann', 'late') })).outcome).toBe('erased');
        let swept = 0;
        for (let some = 1; some > 0; swept += some) some = await other.sweep();
        expect(swept).toBe(350 - Math.max(0, after - 1) * 100);
      } else {
        // Nothing was begun: what the call left goes when nobody can be at it any more.
        expect(await other.count('ann')).toBe(350);
        expect(await other.sweep()).toBe(0);
        now += LEFT_ALONE_MS;
        expect(await other.sweep()).toBe(0);
        expect(await other.erase('ann', T, 2 * T)).toBe(350);
      }
      expect(ranked(items(), 1)).toHaveLength(1);
      expect(items().filter(({ owner }) => owner === '!open')).toEqual([]);
      expect((await putOne(warm, { entry: anEntry('ann', 'late') })).outcome).toBe('erased');
    },
  );
});

describe('a writer who began before an erasure', () => {
  test('and knows nothing of it writes nothing that is older', async () => {
    const { warm, other } = await opened();
    await write(warm, anEntry('ann', 'a'));
    await other.erase('ann', T, 2 * T);
    const outcomes = await warm.put('ann', [
      { entry: anEntry('ann', 'a') },
      { entry: anEntry('ann', 'fresh', { timestamp: T + 1 }) },
    ]);
    expect(outcomes).toEqual([
      { outcome: 'erased', erasedAt: T },
      expect.objectContaining({ outcome: 'written' }) as unknown,
    ]);
  });

  test('does not write on to what is to go', async () => {
    const { warm, other } = await opened();
    await write(warm, anEntry('ann', 'm'));
    const [stored] = await warm.get('ann', ['m']);
    const cut: Fault = { ...GONE, kinds: ['batch'], after: 1 };
    await under(cut, () => other.erase('ann', T, 2 * T).catch(() => undefined));
    const later = anEntry('ann', 'm', { timestamp: T + 1, content: 'with what was said before' });
    expect(await putOne(warm, { entry: later, expected: stored?.version })).toEqual({
      outcome: 'conflict',
      version: undefined,
    });
    expect((await putOne(warm, { entry: later, expected: ABSENT })).outcome).toBe('written');
    while ((await other.sweep()) > 0);
    expect(await warm.count('ann')).toBe(1);
  });

  test('and writes anew what was to go just then keeps it', async () => {
    const { warm, other } = await opened();
    await write(warm, anEntry('ann', 'm'));
    const before = server.tally.kinds.batch ?? 0;
    const once: Fault = { item: (id) => id === 'm', times: 1, effect: 503, retryAfterMs: 500 };
    await under(once, async () => {
      const erasing = warm.erase('ann', T, 2 * T);
      // The head, and the removal that is refused and waits: it knows what stood then.
      while ((server.tally.kinds.batch ?? 0) < before + 2) await nextTurn();
      await write(other, anEntry('ann', 'm', { timestamp: T + 1 }));
      expect(await erasing).toBe(0);
    });
    expect(await other.count('ann')).toBe(1);
  });

  test('among many, whatever their turns, leaves nothing that is older', async () => {
    const { warm, other, items } = await opened();
    const writers = [warm, other].flatMap((one) =>
      Array.from({ length: 15 }, async (_none, n) => {
        for (let m = 0; m < 4; m += 1)
          await one.put('ann', [
            { entry: anEntry('ann', `m-${n}-${m}`) },
            { entry: anEntry('ann', `m-${n}-${m}`, { timestamp: T + 1 }) },
          ]);
      }),
    );
    const erasing = [warm, other].map((one) => one.erase('ann', T, 2 * T));
    await Promise.all([...writers, ...erasing]);
    const left = await warm.find('ann', {}, 'oldest', { limit: 1_000 });
    expect(left.items).toHaveLength(60);
    expect(left.items.every(({ entry }) => entry.timestamp > T)).toBe(true);
    expect(ranked(items(), 1)).toHaveLength(60);
  });
});

describe('an entry over the limit of a document', () => {
  const large = anEntry('ann', 'large', { content: LARGE, payload: '[]', sources: ['a'] });

  test.each([0, 1, 2])(
    'whose writer dies after %i parts is not there, and its parts are swept',
    async (after) => {
      const { warm, other, items } = await opened();
      await write(warm, anEntry('ann', 'small'));
      // One more is what says that there will be parts.
      const dead: Fault = { ...GONE, kinds: ['upsert', 'batch'], after: after + 2 };
      await expect(under(dead, () => warm.put('ann', [{ entry: large }]))).rejects.toThrow(
        WarmUnavailableError,
      );
      expect(ranked(items(), 2)).toHaveLength(after);
      expect(await other.get('ann', ['large'])).toEqual([]);
      expect(await other.count('ann')).toBe(1);
      expect(await other.sweep()).toBe(0);
      now += LEFT_ALONE_MS;
      let swept = 0;
      for (let some = 1; some > 0; swept += some) some = await other.sweep();
      expect(swept).toBe(after);
      expect(ranked(items(), 2)).toEqual([]);
      expect(items().filter(({ owner }) => owner === '!open')).toEqual([]);
      await write(warm, large);
      expect((await other.get('ann', ['large']))[0]?.entry).toEqual(large);
    },
  );

  test('whose answer was lost is written once', async () => {
    const { warm, items } = await opened();
    await under({ kinds: ['batch', 'upsert'], times: 5, effect: 'cut after' }, () =>
      write(warm, large),
    );
    expect((await warm.get('ann', ['large']))[0]?.entry).toEqual(large);
    expect(ranked(items(), 2)).toHaveLength(2);
  });

  test('that is replaced while it is read comes back whole all the same', async () => {
    const { warm, other } = await opened();
    await write(warm, large);
    const replacing = (async () => {
      for (const n of [1, 2, 3]) await write(other, { ...large, content: `${LARGE}${n}` });
    })();
    for (let n = 0; n < 4; n += 1) {
      const [stored] = await warm.get('ann', ['large']);
      expect(stored?.entry.content.startsWith(LARGE)).toBe(true);
    }
    await replacing;
  });
});
