import { describe, expect, test } from 'vitest';
import type { ColdStore } from '../../src/ports/cold.ts';
import { type ColdHarness, T, anObject, replaceCurrent } from './cold.ts';

const DAY_MS = 86_400_000;

/** What every adapter of the cold port promises of erasures. */
export function coldErasureContract(name: string, harness: () => ColdHarness): void {
  async function filled(): Promise<ColdStore> {
    const cold = await harness().open();
    for (const at of [T - 1, T, T + 1]) {
      await cold.put('ann', 'transcripts', anObject(`c-${at}`, { at }));
      await cold.put('ann', 'insights', anObject(`i-${at}`, { at }));
    }
    await replaceCurrent(cold, 'ann', 'now', T);
    await cold.put('bob', 'transcripts', anObject('c'));
    return cold;
  }

  async function erase(cold: ColdStore, erasedAt = T, forMs = DAY_MS): Promise<number> {
    return cold.erase('ann', erasedAt, harness().now() + forMs);
  }

  describe(`${name}: an erasure`, () => {
    test('takes what is not later, of one owner, and says how much', async () => {
      const cold = await filled();
      expect(await cold.count('ann')).toBe(7);
      expect(await erase(cold)).toBe(5);
      expect(await cold.count('ann')).toBe(2);
      expect(await cold.current('ann')).toBeUndefined();
      expect(await cold.names('ann', 'transcripts', { limit: 9 })).toEqual([`c-${T + 1}`]);
      expect(await cold.get('ann', 'insights', `i-${T + 1}`)).toBeDefined();
      expect(await cold.get('ann', 'insights', `i-${T}`)).toBeUndefined();
      expect(await cold.count('bob')).toBe(1);
      expect(await erase(cold)).toBe(0);
    });

    test('leaves a `current` that is later', async () => {
      const cold = await filled();
      await replaceCurrent(cold, 'ann', 'later', T + 1);
      expect(await erase(cold)).toBe(4);
      expect((await cold.current('ann'))?.text).toBe('later');
    });

    test('refuses late writers of every store, until it is forgotten', async () => {
      const cold = await filled();
      const other = await harness().another();
      await erase(cold);
      const late = anObject('late', { at: T });
      const how = { expected: undefined, at: T };
      for (const store of [cold, other]) {
        expect(await store.put('ann', 'transcripts', late)).toBe('erased');
        expect(await store.putCurrent('ann', 'late', how)).toBe('erased');
        expect(await store.put('bob', 'transcripts', late)).not.toBe('erased');
      }
      expect(await other.put('ann', 'transcripts', { ...late, at: T + 1 })).toBe('written');
      expect(await other.putCurrent('ann', 'x', { ...how, at: T + 1 })).toBe('written');
      harness().pass(DAY_MS);
      expect(await other.put('ann', 'insights', late)).toBe('written');
    });

    test('before anything was written is in force, too', async () => {
      const cold = await harness().open();
      expect(await erase(cold)).toBe(0);
      expect(await cold.put('ann', 'insights', anObject('i'))).toBe('erased');
      expect(await cold.count('ann')).toBe(0);
    });

    test('that is repeated for an earlier instant, or a shorter time, keeps the later and the longer', async () => {
      const cold = await filled();
      await erase(cold, T + 1, DAY_MS);
      expect(await erase(cold, T, 1)).toBe(0);
      harness().pass(DAY_MS - 1);
      expect(await cold.put('ann', 'insights', anObject('i', { at: T + 1 }))).toBe('erased');
      harness().pass(1);
      expect(await cold.put('ann', 'insights', anObject('i', { at: T + 1 }))).toBe('written');
    });

    test('whose time is up counts no more for a later one', async () => {
      const cold = await filled();
      await erase(cold, T + 1, 1);
      harness().pass(1);
      expect(await erase(cold, T)).toBe(0);
      expect(await cold.put('ann', 'insights', anObject('i', { at: T + 1 }))).toBe('written');
    });

    test('is forgotten by a sweep when its time has come, and no earlier', async () => {
      const cold = await filled();
      await erase(cold);
      expect(await cold.sweep()).toBe(0);
      expect(await cold.put('ann', 'insights', anObject('i'))).toBe('erased');
      harness().pass(DAY_MS);
      expect(await cold.sweep()).toBe(1);
      expect(await cold.sweep()).toBe(0);
      expect(await cold.put('ann', 'insights', anObject('i'))).toBe('written');
      expect(await cold.count('ann')).toBe(3);
    });

    test('amid writers of many stores leaves nothing that is not later, and loses nothing that is', async () => {
      const first = await harness().open();
      const stores = [first, await harness().another(), await harness().another()];
      for (let round = 0; round < 8; round += 1) {
        const erasedAt = T + round * 10;
        const owner = `ann-${round}`;
        const writes = Array.from({ length: 12 }, async (_none, n) => {
          const cold = stores[n % 3]!;
          const at = erasedAt + (n % 2);
          if (n === 6) await stores[2]!.erase(owner, erasedAt, harness().now() + DAY_MS);
          const outcome =
            n < 10
              ? await cold.put(owner, 'transcripts', anObject(`c-${n}`, { at }))
              : await cold.putCurrent(owner, `by ${n}`, { expected: undefined, at });
          return { n, later: at > erasedAt, outcome };
        });
        const done = await Promise.all(writes);
        const names = await first.names(owner, 'transcripts', { limit: 99 });
        const kept = done.filter(
          ({ later, outcome, n }) => later && outcome === 'written' && n < 10,
        );
        expect(names).toEqual(kept.map(({ n }) => `c-${n}`).toSorted());
        expect(kept).toHaveLength(5);
        expect((await first.current(owner))?.text ?? 'by 11').toBe('by 11');
        for (const { n, later, outcome } of done)
          if (later && n < 10) expect(outcome).toBe('written');
      }
    });
  });
}
