import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { ColdStore } from '../../src/ports/cold.ts';
import { ColdPlaces } from '../support/cold-places.ts';
import { watchFileCalls } from '../support/fs-calls.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

// Each gap waits for the disk a dozen times, or for a lock.
vi.setConfig({ testTimeout: 120_000 });

const places = new ColdPlaces();

afterAll(() => {
  places.remove();
});

type Deed = (cold: ColdStore) => Promise<unknown>;

/** More calls to the file system than one call of the store makes. */
const MANY = 200;
/** One that waits for the other's lock gets on no further by then. */
const STUCK_MS = 15;

/**
 * Stops one store in front of its first call to the file system, its second, and so on, and has another do its deed
 * meanwhile, as far as it gets. @returns before how many calls it was stopped
 */
async function inEveryGap(
  one: Deed,
  other: Deed,
  after: (said: readonly [one: unknown, other: unknown], cold: ColdStore) => Promise<void>,
): Promise<number> {
  for (let gap = 0; gap < MANY; gap += 1) {
    const cold = await places.harness.open();
    const another = await places.harness.another();
    await cold.put('ann', 'transcripts', anObject('c'));
    await replaceCurrent(cold, 'ann', 'old');
    const isOne = new AsyncLocalStorage<boolean>();
    let calls = 0;
    let meanwhile: Promise<unknown> | undefined;
    const end = watchFileCalls(async () => {
      if (!isOne.getStore() || calls++ !== gap) return;
      meanwhile = isOne.run(false, () => other(another));
      await Promise.race([meanwhile, sleep(STUCK_MS)]);
    });
    const said = await isOne.run(true, () => one(cold)).finally(end);
    if (meanwhile === undefined) return gap;
    await after([said, await meanwhile], another);
  }
  throw new Error(`${MANY} calls`);
}

const late: Deed = (cold) => cold.put('ann', 'insights', anObject('i'));
const later: Deed = (cold) => cold.put('ann', 'insights', anObject('i', { at: T + 1 }));
const erase: Deed = (cold) => cold.erase('ann', T, T * 2);
const replace =
  (text: string): Deed =>
  async (cold) => {
    const expected = (await cold.current('ann'))?.version;
    return cold.putCurrent('ann', text, { expected, at: T });
  };

describe('in every gap of the other', () => {
  test('a late writer and an eraser leave nothing', async () => {
    const check = async (writer: unknown, eraser: unknown, cold: ColdStore): Promise<void> => {
      // Either it came before, and was erased with the other two, or it was refused.
      expect([writer, eraser]).toEqual(writer === 'written' ? ['written', 3] : ['erased', 2]);
      expect(await cold.count('ann')).toBe(0);
    };
    const gaps = [
      await inEveryGap(late, erase, ([writer, eraser], cold) => check(writer, eraser, cold)),
      await inEveryGap(erase, late, ([eraser, writer], cold) => check(writer, eraser, cold)),
    ];
    expect(Math.min(...gaps)).toBeGreaterThan(10);
  });

  test('one who writes what is later loses nothing to an eraser', async () => {
    const check = async (writer: unknown, cold: ColdStore): Promise<void> => {
      expect(writer).toBe('written');
      expect(await cold.names('ann', 'insights', { limit: 9 })).toEqual(['i']);
      expect(await cold.count('ann')).toBe(1);
    };
    await inEveryGap(later, erase, ([writer], cold) => check(writer, cold));
    await inEveryGap(erase, later, ([, writer], cold) => check(writer, cold));
  });

  test('two erasers remove everything once', async () => {
    await inEveryGap(erase, erase, async (said, cold) => {
      expect(Number(said[0]) + Number(said[1])).toBe(2);
      expect(await cold.count('ann')).toBe(0);
    });
  });

  test('of two who replace `current` one does, or one after the other', async () => {
    await inEveryGap(replace('one'), replace('other'), async (said, cold) => {
      const text = (await cold.current('ann'))?.text;
      expect(said).toContain('written');
      if (said[0] === 'conflict') expect(text).toBe('other');
      if (said[1] === 'conflict') expect(text).toBe('one');
      expect(places.files().filter((file) => file.includes('current@'))).toHaveLength(1);
    });
  });

  test('one who replaces `current` and an eraser leave none', async () => {
    const check = async (writer: unknown, cold: ColdStore): Promise<void> => {
      expect(writer).toMatch(/written|erased/);
      expect(await cold.current('ann')).toBeUndefined();
      expect(await cold.count('ann')).toBe(0);
    };
    await inEveryGap(replace('new'), erase, ([writer], cold) => check(writer, cold));
    await inEveryGap(erase, replace('new'), ([, writer], cold) => check(writer, cold));
  });

  test('a reader sees what stood before or what stands after', async () => {
    const read: Deed = async (cold) => (await cold.current('ann'))?.text;
    await inEveryGap(read, replace('new'), async ([seen]) => {
      expect(['old', 'new']).toContain(seen);
    });
    await inEveryGap(read, erase, async ([seen]) => {
      expect(['old', undefined]).toContain(seen);
    });
    await inEveryGap(replace('new'), read, async ([, seen]) => {
      expect(['old', 'new']).toContain(seen);
    });
    const get: Deed = (cold) => cold.get('ann', 'transcripts', 'c');
    await inEveryGap(get, erase, async ([seen]) => {
      expect([anObject('c').text, undefined]).toContain(seen);
    });
  });

  test('a sweep takes nothing from a writer, nor from an eraser', async () => {
    const sweep: Deed = (cold) => cold.sweep();
    await inEveryGap(later, sweep, async ([writer, swept], cold) => {
      expect([writer, swept]).toEqual(['written', 0]);
      expect(await cold.count('ann')).toBe(3);
    });
    for (const order of ['one', 'other'] as const)
      await inEveryGap(
        order === 'one' ? erase : sweep,
        order === 'one' ? sweep : erase,
        async (_said, cold) => {
          expect(await cold.count('ann')).toBe(0);
          expect(await late(cold)).toBe('erased');
        },
      );
  });

  test('one who begins the folder, and another, both have it', async () => {
    const begin: Deed = async () => {
      const cold = await places.harness.another();
      return cold.put('bob', 'insights', anObject('i'));
    };
    await inEveryGap(begin, begin, async (said, cold) => {
      expect([...said].toSorted()).toEqual(['stands', 'written']);
      expect(await cold.count('bob')).toBe(1);
    });
  });
});
