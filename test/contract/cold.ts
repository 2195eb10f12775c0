import { describe, expect, test } from 'vitest';
import { COLD_TEXT_MAX_BYTES } from '../../src/model/cold-object.ts';
import { ColdUnavailableError, UsageError } from '../../src/model/errors.ts';
import {
  COLD_KINDS,
  COLD_PAGE_MAX,
  type ColdObject,
  type ColdStore,
} from '../../src/ports/cold.ts';
import { HOSTILE_USER_IDS } from '../support/hostile-user-ids.ts';

/** How a suite gets at one adapter of the cold port. */
export interface ColdHarness {
  /** A store with nothing in it. */
  readonly open: () => Promise<ColdStore>;
  /** One more on what the store that was opened last holds, as another process would have it. */
  readonly another: () => Promise<ColdStore>;
  /** The store's time, and a way to make it pass. */
  readonly now: () => number;
  readonly pass: (ms: number) => void;
}

export const T = 1_800_000_000_000;

export function anObject(name: string, over: Partial<ColdObject> = {}): ColdObject {
  return { name, text: `{"about":"${name}"}`, at: T, ...over };
}

/** Writes `current` whatever stands, and insists. @returns its version */
export async function replaceCurrent(
  cold: ColdStore,
  owner: string,
  text: string,
  at = T,
): Promise<string> {
  const expected = (await cold.current(owner))?.version;
  expect(await cold.putCurrent(owner, text, { expected, at })).toBe('written');
  return (await cold.current(owner))?.version ?? '';
}

/** What every adapter of the cold port promises. */
export function coldContract(name: string, harness: () => ColdHarness): void {
  const open = (): Promise<ColdStore> => harness().open();

  describe(`${name}: an object`, () => {
    test.each([
      ['of JSON', '{"said":"कार्ट में जूते \\n 👟"}'],
      ['of nothing', ''],
      ['with what looks like an end', '\n\n\0\u{FEFF}\r\n{"rekindle":1}\n'],
      ['that begins with a mark of byte order', '\u{FEFF}a'],
      ['of a megabyte', 'long '.repeat(200_000)],
    ])('%s comes back as it was written, in every kind', async (_what, text) => {
      const cold = await open();
      for (const kind of COLD_KINDS) {
        expect(await cold.put('ann', kind, anObject('c-1', { text }))).toBe('written');
        expect(await cold.get('ann', kind, 'c-1')).toBe(text);
      }
      expect(await cold.count('ann')).toBe(2);
    });

    test('is written once', async () => {
      const cold = await open();
      expect(await cold.put('ann', 'insights', anObject('i'))).toBe('written');
      expect(await cold.put('ann', 'insights', anObject('i'))).toBe('stands');
      const other = await harness().another();
      expect(await other.put('ann', 'insights', anObject('i', { text: 'other' }))).toBe('stands');
      expect(await other.get('ann', 'insights', 'i')).toBe(anObject('i').text);
      expect(await cold.count('ann')).toBe(1);
    });

    test('is written by one of many at once', async () => {
      const stores = [await open(), await harness().another(), await harness().another()];
      const puts = Array.from({ length: 12 }, (_none, n) =>
        stores[n % 3]!.put('ann', 'insights', anObject('i', { text: `by ${n}` })),
      );
      const outcomes = await Promise.all(puts);
      expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'stands')).toHaveLength(11);
      const text = await stores[0]!.get('ann', 'insights', 'i');
      expect(text).toBe(`by ${outcomes.indexOf('written')}`);
    });

    test('that is not there is not there', async () => {
      const cold = await open();
      expect(await cold.get('nobody', 'transcripts', 'c')).toBeUndefined();
      await cold.put('ann', 'transcripts', anObject('c'));
      expect(await cold.get('ann', 'insights', 'c')).toBeUndefined();
      expect(await cold.get('ann', 'transcripts', 'c2')).toBeUndefined();
      expect(await cold.current('ann')).toBeUndefined();
      expect(await cold.count('nobody')).toBe(0);
    });

    test('is its owner’s alone, whatever the ids', async () => {
      const cold = await open();
      const owners = HOSTILE_USER_IDS;
      const object = (n: number): ColdObject => anObject('c', { text: `of the ${n}th` });
      for (const [n, owner] of owners.entries())
        expect(await cold.put(owner, 'transcripts', object(n)), owner).toBe('written');
      for (const [n, owner] of owners.entries()) {
        expect(await cold.get(owner, 'transcripts', 'c')).toBe(`of the ${n}th`);
        expect(await cold.count(owner)).toBe(1);
      }
      for (const owner of owners) expect(await cold.erase(owner, T, T * 2)).toBe(1);
      for (const owner of owners) expect(await cold.count(owner)).toBe(0);
    });

    test('that cannot be one is refused, and nothing is written', async () => {
      const cold = await open();
      const bad: Partial<ColdObject>[] = [
        ...['', '.', '..', 'a/b', 'A', 'a@1', 'current', 'a\n', 'é', 'x'.repeat(129), '\ud83d'].map(
          (bad) => ({ name: bad }),
        ),
        { text: 'half a \ud83d' },
        { text: 'x'.repeat(COLD_TEXT_MAX_BYTES + 1) },
        ...[Number.NaN, 0.5, Number.POSITIVE_INFINITY, 2 ** 60].map((at) => ({ at })),
      ];
      for (const over of bad) {
        const put = cold.put('ann', 'transcripts', anObject('good', over));
        await expect(put, JSON.stringify(over).slice(0, 100)).rejects.toThrow(UsageError);
      }
      for (const owner of ['', 'a\ud83d'])
        await expect(cold.put(owner, 'insights', anObject('i'))).rejects.toThrow(UsageError);
      const how = { expected: undefined, at: 0.5 };
      await expect(cold.putCurrent('ann', '', how)).rejects.toThrow(UsageError);
      await expect(cold.erase('ann', 0.5, T)).rejects.toThrow(UsageError);
      expect(await cold.count('ann')).toBe(0);
    });

    test('as large as may be comes back', async () => {
      const cold = await open();
      const text = 'x'.repeat(COLD_TEXT_MAX_BYTES);
      expect(await cold.put('ann', 'transcripts', anObject('c', { text }))).toBe('written');
      expect((await cold.get('ann', 'transcripts', 'c')) === text).toBe(true);
    });
  });

  describe(`${name}: names`, () => {
    test('come in pages, in their order, without `current`', async () => {
      const cold = await open();
      const all = ['a', 'a-b', 'a.b', 'a_b', 'ab', 'b', '0', '10', '2', 'z'.repeat(128)];
      for (const one of all) await cold.put('ann', 'insights', anObject(one));
      await cold.put('ann', 'transcripts', anObject('t'));
      await replaceCurrent(cold, 'ann', 'now');
      const sorted = all.toSorted();
      const seen: string[] = [];
      for (let after: string | undefined; ; after = seen.at(-1)) {
        const page = await cold.names('ann', 'insights', { limit: 3, after });
        seen.push(...page);
        if (page.length < 3) break;
      }
      expect(seen).toEqual(sorted);
      expect(await cold.names('ann', 'insights', { limit: COLD_PAGE_MAX })).toEqual(sorted);
      expect(await cold.names('ann', 'insights', { limit: 9, after: 'zzz' })).toHaveLength(1);
      expect(await cold.names('nobody', 'insights', { limit: 9 })).toEqual([]);
      for (const limit of [0, 1.5, COLD_PAGE_MAX + 1])
        await expect(cold.names('ann', 'insights', { limit })).rejects.toThrow(UsageError);
    });
  });

  describe(`${name}: current`, () => {
    test('is written under the version that stands, and has another one after every write', async () => {
      const cold = await open();
      const versions: string[] = [];
      for (const text of ['one', 'two', 'two']) {
        versions.push(await replaceCurrent(cold, 'ann', text));
        expect((await cold.current('ann'))?.text).toBe(text);
      }
      expect(new Set(versions).size).toBe(3);
      for (const expected of [
        undefined,
        versions[0],
        versions[1],
        'none',
        '',
        '9'.repeat(30) + '.',
      ])
        expect(await cold.putCurrent('ann', 'late', { expected, at: T })).toBe('conflict');
      expect((await cold.current('ann'))?.text).toBe('two');
      expect(await cold.current('bob')).toBeUndefined();
      expect(await cold.putCurrent('bob', 'x', { expected: versions[2], at: T })).toBe('conflict');
      expect(await cold.count('ann')).toBe(1);
    });

    test('loses no write of many at once', async () => {
      const stores = [await open(), await harness().another(), await harness().another()];
      const writers = Array.from({ length: 6 }, async (_none, n) => {
        const cold = stores[n % 3]!;
        for (let done = 0; done < 5; ) {
          const found = await cold.current('ann');
          const text = String(Number(found?.text ?? 0) + 1);
          const outcome = await cold.putCurrent('ann', text, { expected: found?.version, at: T });
          if (outcome === 'written') done += 1;
        }
      });
      await Promise.all(writers);
      expect((await stores[1]!.current('ann'))?.text).toBe('30');
      expect(await stores[1]!.count('ann')).toBe(1);
    });

    test('has no version that it had before an erasure', async () => {
      const cold = await open();
      const before = [];
      for (const text of ['one', 'two', 'three'])
        before.push(await replaceCurrent(cold, 'ann', text));
      expect(await cold.erase('ann', T, T * 2)).toBe(1);
      const later = T + 1;
      for (const expected of before)
        expect(await cold.putCurrent('ann', 'late', { expected, at: later })).toBe('conflict');
      expect(await cold.current('ann')).toBeUndefined();
      for (const text of ['anew', 'anew', 'anew'])
        before.push(await replaceCurrent(cold, 'ann', text, later));
      expect(new Set(before).size).toBe(6);
    });
  });

  test(`${name}: a store that was closed refuses`, async () => {
    const cold = await open();
    await cold.close();
    await cold.close();
    await expect(cold.count('ann')).rejects.toThrow(ColdUnavailableError);
    await expect(cold.put('ann', 'insights', anObject('i'))).rejects.toThrow(ColdUnavailableError);
  });
}
