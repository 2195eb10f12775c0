import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/model/entry.ts';
import {
  ABSENT,
  TOGETHER_MAX,
  type EntryFilter,
  type EntryOrder,
  type EntryWrite,
  type WarmStore,
  type WriteOutcome,
} from '../../src/ports/warm.ts';

/** How a suite gets at one adapter of the warm port. */
export interface WarmHarness {
  /** A store with nothing in it. */
  readonly open: () => Promise<WarmStore>;
  /** The store's time, and a way to make it pass. */
  readonly now: () => number;
  readonly pass: (ms: number) => void;
}

export const T = 1_800_000_000_000;

export function anEntry(agentId: string, memoryId: string, over: Partial<Entry> = {}): Entry {
  return {
    memoryId,
    agentId,
    timestamp: T,
    content: `about ${memoryId}`,
    metadata: {
      compressionLevel: 1,
      importanceScore: 0.5,
      retrievalCount: 0,
      creationTime: T,
      lastAccessTime: T,
    },
    attributes: {},
    sources: [],
    ...over,
  };
}

/** Writes entries of any owners, and insists. */
export async function write(warm: WarmStore, ...entries: readonly Entry[]): Promise<void> {
  for (const [agentId, own] of Map.groupBy(entries, (entry) => entry.agentId)) {
    const outcomes = await warm.put(
      agentId,
      own.map((entry) => ({ entry })),
    );
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(own.map(() => 'written'));
  }
}

export async function putOne(warm: WarmStore, one: EntryWrite): Promise<WriteOutcome> {
  const [outcome] = await warm.put(one.entry.agentId, [one]);
  if (!outcome) throw new Error('no outcome');
  return outcome;
}

/** What every adapter of the warm port promises. */
export function warmContract(name: string, harness: () => WarmHarness): void {
  const open = (): Promise<WarmStore> => harness().open();

  async function idsOf(
    warm: WarmStore,
    agentId: string,
    filter: EntryFilter = {},
    order: EntryOrder = 'oldest',
    limit = 100,
  ): Promise<string[]> {
    const { items } = await warm.find(agentId, filter, order, { limit });
    return items.map(({ entry }) => entry.memoryId);
  }

  describe(`${name}: an entry`, () => {
    test('comes back as it was written', async () => {
      const warm = await open();
      const entry = anEntry('ann', 'm-1', {
        content: 'कार्ट में जूते हैं \u0000 "quoted" \n and 👟',
        memoryType: 'segment',
        stepNumber: -3,
        embedding: [0.5, -0.25, 1],
        attributes: { topic: 'shoes', size: 42.5, vip: true, 'odd name\n': '' },
        sources: ['a', 'b', 'a'],
        payload: '[{"role":"user"}]',
        metadata: {
          compressionLevel: 1,
          importanceScore: 1,
          retrievalCount: 7,
          creationTime: T - 5,
          lastAccessTime: T + 5,
        },
      });
      await write(warm, entry);
      const [stored] = await warm.get('ann', ['m-1']);
      expect(stored?.entry).toEqual(entry);
    });

    test('is read back with its write where that is asked for: as the store has it, and only if written', async () => {
      const warm = await open();
      const rich = anEntry('ann', 'rich', {
        content: 'नमस्ते \u0000 👟',
        memoryType: 'segment',
        stepNumber: 3,
        embedding: [0.5, -0.25],
        attributes: { size: 42.5, vip: true },
        sources: ['a', 'b'],
        payload: '["x"]',
      });
      const put = (entry: Entry, expected?: EntryWrite['expected']) =>
        warm.put('ann', [{ entry, expected }, { entry: anEntry('ann', 'other') }], {
          together: true,
          readBack: true,
        });
      expect(await put(rich, ABSENT)).toMatchObject([
        { outcome: 'written', stands: rich },
        { outcome: 'written', stands: anEntry('ann', 'other') },
      ]);
      const [stored] = await warm.get('ann', ['rich']);
      const anew = { ...rich, content: 'anew', attributes: {}, payload: '[]' };
      const [outcome] = await put(anew, stored?.version);
      expect(outcome).toMatchObject({ outcome: 'written', stands: anew });
      expect((await put(anew, ABSENT)).map((one) => 'stands' in one)).toEqual([false, false]);
      expect(await putOne(warm, { entry: anew })).not.toHaveProperty('stands');
    });

    test('is its owner’s alone, whatever the ids', async () => {
      const warm = await open();
      const owners = ['ann', 'Ann', 'ann ', 'a:b', 'a', '%', '*', "'", '"', '\n', '__proto__', 'é'];
      await write(warm, ...owners.map((owner) => anEntry(owner, 'm', { content: `of ${owner}x` })));
      for (const owner of owners) {
        expect(await idsOf(warm, owner)).toEqual(['m']);
        expect((await warm.get(owner, ['m']))[0]?.entry.content).toBe(`of ${owner}x`);
        expect(await warm.count(owner)).toBe(1);
        expect(await warm.search(owner, 'of', { limit: 10 })).toHaveLength(1);
      }
      await warm.erase('ann', T, T * 2);
      expect(await warm.count('Ann')).toBe(1);
    });

    test('is given in the order of the ids asked for, and left out where there is none', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'a'), anEntry('ann', 'b'));
      const found = await warm.get('ann', ['b', 'none', 'a']);
      expect(found.map(({ entry }) => entry.memoryId)).toEqual(['b', 'a']);
      expect(await warm.get('bob', ['a'])).toEqual([]);
    });

    test('that cannot be one is refused with its name and what would be right, and nothing is written', async () => {
      const warm = await open();
      const bad: Partial<Entry>[] = [
        { memoryId: '' },
        { memoryId: 'x'.repeat(1_024) },
        { timestamp: Number.NaN },
        { embedding: [] },
        { embedding: [Number.POSITIVE_INFINITY] },
        { stepNumber: 1.5 },
        { content: 'half a \ud83d' },
        { memoryId: '\udc5f' },
        { metadata: { ...anEntry('ann', 'x').metadata, retrievalCount: Number.NaN } },
        { metadata: { ...anEntry('ann', 'x').metadata, creationTime: 1.5 } },
        { attributes: { size: Number.NaN } },
        { agentId: 'bob' },
        { metadata: { ...anEntry('ann', 'x').metadata, importanceScore: 1.1 } },
        { metadata: { ...anEntry('ann', 'x').metadata, compressionLevel: 2 as 1 } },
      ];
      for (const over of bad) {
        const writes = [anEntry('ann', 'good'), anEntry('ann', 'bad', over)];
        await expect(
          warm.put(
            'ann',
            writes.map((entry) => ({ entry })),
          ),
        ).rejects.toThrow(/cannot be written/);
      }
      const entry = anEntry('ann', 'good');
      await expect(warm.put('ann', [{ entry, expiresAt: T + 0.5 }])).rejects.toThrow(/expiresAt/);
      await expect(warm.erase('ann', Number.NaN, T)).rejects.toThrow(/erasedAt/);
      expect(await warm.count('ann')).toBe(0);
    });
  });

  describe(`${name}: conditional writes`, () => {
    test('a write for what is absent is refused where something stands, and told its version', async () => {
      const warm = await open();
      const entry = anEntry('ann', 'm');
      const first = await putOne(warm, { entry, expected: ABSENT });
      expect(first.outcome).toBe('written');
      const again = await putOne(warm, {
        entry: { ...entry, content: 'other' },
        expected: ABSENT,
      });
      expect(again).toEqual({
        outcome: 'conflict',
        version: first.outcome === 'written' ? first.version : '',
      });
      expect((await warm.get('ann', ['m']))[0]?.entry.content).toBe('about m');
    });

    test('a write on a version succeeds once, and each write has a version of its own', async () => {
      const warm = await open();
      const entry = anEntry('ann', 'm');
      const versions = new Set<string>();
      for (let round = 0; round < 5; round += 1) {
        const outcome = await putOne(warm, { entry });
        if (outcome.outcome === 'written') versions.add(outcome.version);
        if (round === 2) await warm.remove('ann', [{ memoryId: 'm' }]);
      }
      expect(versions.size).toBe(5);
      const [stored] = await warm.get('ann', ['m']);
      const write = { entry, expected: stored?.version };
      expect((await putOne(warm, write)).outcome).toBe('written');
      expect((await putOne(warm, write)).outcome).toBe('conflict');
      const none = await putOne(warm, { entry: anEntry('ann', 'none'), expected: '1' });
      expect(none).toEqual({ outcome: 'conflict', version: undefined });
    });

    test('of two who write on the same version, one is told', async () => {
      const warm = await open();
      const entry = anEntry('ann', 'm');
      await write(warm, entry);
      const [stored] = await warm.get('ann', ['m']);
      const outcomes = await Promise.all(
        ['one', 'two'].map((content) =>
          putOne(warm, { entry: { ...entry, content }, expected: stored?.version }),
        ),
      );
      expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['conflict', 'written']);
    });

    test('of a batch, each stands under its own condition', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'b'));
      const outcomes = await warm.put(
        'ann',
        ['a', 'b', 'c'].map((id) => ({ entry: anEntry('ann', id), expected: ABSENT })),
      );
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['written', 'conflict', 'written']);
      expect(await idsOf(warm, 'ann')).toEqual(['a', 'b', 'c']);
    });

    test('is written together with others, or none of them is', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'stands'));
      const writes = ['a', 'stands', 'b'].map(
        (id): EntryWrite => ({
          entry: anEntry('ann', id),
          expected: ABSENT,
        }),
      );
      const outcomes = await warm.put('ann', writes, { together: true });
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['withheld', 'conflict', 'withheld']);
      expect(await idsOf(warm, 'ann')).toEqual(['stands']);
      const others = writes.filter(({ entry }) => entry.memoryId !== 'stands');
      const written = await warm.put('ann', others, { together: true });
      expect(written.map(({ outcome }) => outcome)).toEqual(['written', 'written']);
      expect((await idsOf(warm, 'ann')).toSorted()).toEqual(['a', 'b', 'stands']);
    });

    test('is refused together with more than a store can take at once, and nothing is written', async () => {
      const warm = await open();
      const writes = Array.from({ length: TOGETHER_MAX + 1 }, (_none, n) => ({
        entry: anEntry('ann', `m${n}`),
      }));
      await expect(warm.put('ann', writes, { together: true })).rejects.toThrow(
        `at most ${TOGETHER_MAX}`,
      );
      expect(await warm.count('ann')).toBe(0);
      const outcomes = await warm.put('ann', writes.slice(1), { together: true });
      expect(outcomes).toHaveLength(TOGETHER_MAX);
    });

    test('a removal on an old version changes nothing', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'm'));
      const [old] = await warm.get('ann', ['m']);
      await write(warm, anEntry('ann', 'm', { content: 'newer' }));
      const removal = { memoryId: 'm', expected: old?.version };
      expect(await warm.remove('ann', [removal, { memoryId: 'none' }])).toEqual([
        'conflict',
        'gone',
      ]);
      const [stands] = await warm.get('ann', ['m']);
      expect(await warm.remove('ann', [{ memoryId: 'm', expected: stands?.version }])).toEqual([
        'removed',
      ]);
      expect(await warm.remove('ann', [{ memoryId: 'm' }])).toEqual(['gone']);
      expect(await warm.search('ann', 'newer', { limit: 5 })).toEqual([]);
    });

    test('an entry that is replaced is found by what it says now alone', async () => {
      const warm = await open();
      await write(
        warm,
        anEntry('ann', 'm', { content: 'red shoes', attributes: { colour: 'red' } }),
      );
      await write(
        warm,
        anEntry('ann', 'm', { content: 'blue hat', attributes: { colour: 'blue' } }),
      );
      expect(await warm.search('ann', 'shoes', { limit: 5 })).toEqual([]);
      expect(await warm.search('ann', 'hat', { limit: 5 })).toHaveLength(1);
      expect(await idsOf(warm, 'ann', { attributes: [{ name: 'colour', equals: 'red' }] })).toEqual(
        [],
      );
    });
  });

  describe(`${name}: finding`, () => {
    async function shelf(): Promise<WarmStore> {
      const warm = await open();
      const entries = Array.from({ length: 6 }, (_none, n) =>
        anEntry('ann', `m${n}`, {
          timestamp: T + n * 1_000,
          stepNumber: 10 - n,
          memoryType: n % 2 === 0 ? 'segment' : 'note',
          metadata: { ...anEntry('ann', 'x').metadata, importanceScore: n / 10 },
          attributes: { n, parity: n % 2 === 0 ? 'even' : 'odd', big: n > 3 },
        }),
      );
      await write(warm, ...entries, anEntry('bob', 'm1', { attributes: { n: 1 } }));
      return warm;
    }

    test('by time, importance and step, both ends belong to the range', async () => {
      const warm = await shelf();
      const time = { timestamp: { from: T + 1_000, to: T + 3_000 } };
      expect(await idsOf(warm, 'ann', time)).toEqual(['m1', 'm2', 'm3']);
      expect(await idsOf(warm, 'ann', { importance: { from: 0.4 } })).toEqual(['m4', 'm5']);
      expect(await idsOf(warm, 'ann', { step: { to: 6 } }, 'step')).toEqual(['m5', 'm4']);
      expect(await idsOf(warm, 'ann', { ...time, importance: { to: 0.2 } })).toEqual(['m1', 'm2']);
    });

    test('by attributes, equal or in a range, and of the same kind', async () => {
      const warm = await shelf();
      const by = (...attributes: NonNullable<EntryFilter['attributes']>): Promise<string[]> =>
        idsOf(warm, 'ann', { attributes });
      expect(await by({ name: 'parity', equals: 'odd' })).toEqual(['m1', 'm3', 'm5']);
      expect(await by({ name: 'n', equals: 1 })).toEqual(['m1']);
      expect(await by({ name: 'n', equals: '1' })).toEqual([]);
      expect(await by({ name: 'big', equals: true })).toEqual(['m4', 'm5']);
      expect(await by({ name: 'big', equals: 1 })).toEqual([]);
      expect(await by({ name: 'n', from: 2, to: 3 })).toEqual(['m2', 'm3']);
      expect(await by({ name: 'parity', from: 0 })).toEqual([]);
      expect(await by({ name: 'n', from: 2 }, { name: 'parity', equals: 'even' })).toEqual([
        'm2',
        'm4',
      ]);
      expect(await by({ name: 'none', equals: 'x' })).toEqual([]);
    });

    test('by type', async () => {
      const warm = await shelf();
      expect(await idsOf(warm, 'ann', { memoryType: 'note' }, 'newest')).toEqual([
        'm5',
        'm3',
        'm1',
      ]);
    });

    test.each(['newest', 'oldest', 'important', 'step', 'last step'] as const)(
      'by several types, ordered %s, as if they were one',
      async (order) => {
        const warm = await shelf();
        await write(warm, anEntry('ann', 'third', { memoryType: 'third', stepNumber: 4 }));
        const memoryType = ['segment', 'note', 'note'] as const;
        const both: EntryFilter = { memoryType, step: { to: 9 } };
        const whole = (await idsOf(warm, 'ann', { step: { to: 9 } }, order)).filter(
          (id) => id !== 'third',
        );
        expect(whole).toHaveLength(5);
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await warm.find('ann', both, order, { limit: 2, cursor });
          seen.push(...page.items.map(({ entry }) => entry.memoryId));
          ({ cursor } = page);
        } while (cursor !== undefined);
        expect(seen).toEqual(whole);
        expect(
          (await warm.search('ann', 'about', { limit: 9, filter: both })).map(
            ({ entry }) => entry.memoryId,
          ),
        ).toHaveLength(5);
      },
    );

    test.each(['newest', 'oldest', 'important', 'step', 'last step'] as const)(
      'pages ordered %s hold each entry once, ties too, whatever their size',
      async (order) => {
        const warm = await open();
        const entries = Array.from({ length: 25 }, (_none, n) =>
          anEntry('ann', `m${String(n).padStart(2, '0')}`, {
            timestamp: T + (n % 4),
            stepNumber: n % 3,
            metadata: { ...anEntry('ann', 'x').metadata, importanceScore: (n % 5) / 5 },
          }),
        );
        await write(warm, ...entries);
        const whole = await idsOf(warm, 'ann', {}, order);
        expect(new Set(whole).size).toBe(25);
        for (const limit of [1, 7, 25]) {
          const seen: string[] = [];
          for (let cursor: string | undefined, first = true; first || cursor; first = false) {
            const page = await warm.find('ann', {}, order, { limit, cursor });
            expect(page.items.length).toBeLessThanOrEqual(limit);
            seen.push(...page.items.map(({ entry }) => entry.memoryId));
            cursor = page.cursor;
          }
          expect(seen).toEqual(whole);
        }
      },
    );

    test('a cursor that is none, and a limit out of bounds, are refused', async () => {
      const warm = await shelf();
      await expect(warm.find('ann', {}, 'oldest', { limit: 1, cursor: 'x' })).rejects.toThrow(
        /no cursor/,
      );
      for (const limit of [0, 1.5, 1_001, Number.NaN])
        await expect(warm.find('ann', {}, 'oldest', { limit })).rejects.toThrow(/limit/);
    });
  });

  describe(`${name}: searching`, () => {
    test('finds words in English, Hindi and mixed text, those with all of them first', async () => {
      const warm = await open();
      await write(
        warm,
        anEntry('ann', 'en', { content: 'I asked for running shoes in size nine' }),
        anEntry('ann', 'hi', { content: 'मुझे दौड़ने के जूते चाहिए' }),
        anEntry('ann', 'mixed', { content: 'mujhe running jute chahiye' }),
        anEntry('bob', 'other', { content: 'running shoes' }),
      );
      const ids = async (text: string): Promise<string[]> =>
        (await warm.search('ann', text, { limit: 10 })).map(({ entry }) => entry.memoryId);
      expect(await ids('running shoes')).toEqual(['en', 'mixed']);
      expect(await ids('RUNNING')).toEqual(expect.arrayContaining(['en', 'mixed']));
      expect(await ids('जूते')).toEqual(['hi']);
      expect(await ids('jute')).toEqual(['mixed']);
      expect(await ids('hat')).toEqual([]);
    });

    test('takes any text for words, and never for a language of its own', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'm', { content: 'near AND "far" OR owner:x * NOT (y)' }));
      for (const text of ['"', 'AND', 'a AND', 'owner:x', '* ^', 'near(', "'; DROP", '\u0000', ''])
        await warm.search('ann', text, { limit: 5 });
      expect(await warm.search('ann', 'NOT', { limit: 5 })).toHaveLength(1);
    });

    test('honours the filter and the limit, and says how well each fits', async () => {
      const warm = await open();
      const entries = Array.from({ length: 8 }, (_none, n) =>
        anEntry('ann', `m${n}`, { content: `shoes ${'and '.repeat(n)}`, timestamp: T + n }),
      );
      await write(warm, ...entries);
      const found = await warm.search('ann', 'shoes', {
        limit: 3,
        filter: { timestamp: { from: T + 2 } },
      });
      expect(found.map(({ entry }) => entry.memoryId)).toEqual(['m2', 'm3', 'm4']);
      const scores = found.map(({ score }) => score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    });
  });

  describe(`${name}: likeness`, () => {
    test('goes by the angle, nearest first, and passes over other lengths', async () => {
      const warm = await open();
      await write(
        warm,
        anEntry('ann', 'same', { embedding: [2, 0] }),
        anEntry('ann', 'near', { embedding: [1, 1] }),
        anEntry('ann', 'across', { embedding: [0, 1] }),
        anEntry('ann', 'against', { embedding: [-1, 0] }),
        anEntry('ann', 'zero', { embedding: [0, 0] }),
        anEntry('ann', 'longer', { embedding: [1, 0, 0] }),
        anEntry('ann', 'none'),
        anEntry('bob', 'other', { embedding: [1, 0] }),
      );
      const found = await warm.similar('ann', [1, 0], { limit: 10 });
      expect(found.map(({ entry }) => entry.memoryId).slice(0, 2)).toEqual(['same', 'near']);
      expect(found.map(({ entry }) => entry.memoryId).toSorted()).toEqual(
        ['across', 'against', 'near', 'same', 'zero'].toSorted(),
      );
      expect(found[0]?.score).toBeCloseTo(1, 6);
      expect(found[1]?.score).toBeCloseTo(Math.SQRT1_2, 6);
      expect(found.at(-1)?.score).toBeCloseTo(-1, 6);
      expect(await warm.similar('ann', [1, 0], { limit: 1 })).toHaveLength(1);
    });
  });

  describe(`${name}: what was brought back`, () => {
    test('is counted, without a new version, and time does not go back', async () => {
      const warm = await open();
      await write(warm, anEntry('ann', 'm'), anEntry('ann', 'n'));
      const [before] = await warm.get('ann', ['m']);
      await warm.recalled('ann', ['m', 'none'], T + 10);
      await warm.recalled('ann', ['m'], T + 5);
      const [after, other] = await warm.get('ann', ['m', 'n']);
      expect(after?.entry.metadata).toMatchObject({ retrievalCount: 2, lastAccessTime: T + 10 });
      expect(after?.version).toBe(before?.version);
      expect(other?.entry.metadata.retrievalCount).toBe(0);
    });
  });

  describe(`${name}: what has expired`, () => {
    test('is not there for anybody, may be written anew, and gives back its room', async () => {
      const { now, pass } = harness();
      const warm = await open();
      const entry = anEntry('ann', 'm', {
        embedding: [1],
        attributes: { a: 1 },
        memoryType: 'note',
      });
      await putOne(warm, { entry, expiresAt: now() + 1_000 });
      expect((await warm.aged('note', T + 1, { limit: 5 })).items).toHaveLength(1);
      expect(await warm.count('ann')).toBe(1);
      pass(1_000);
      expect(await warm.count('ann')).toBe(0);
      expect(await warm.get('ann', ['m'])).toEqual([]);
      expect(await idsOf(warm, 'ann')).toEqual([]);
      expect(await warm.search('ann', 'about', { limit: 5 })).toEqual([]);
      expect(await warm.similar('ann', [1], { limit: 5 })).toEqual([]);
      expect((await warm.aged('note', T + 1, { limit: 5 })).items).toEqual([]);
      expect(await warm.remove('ann', [{ memoryId: 'm' }])).toEqual(['gone']);
      expect((await putOne(warm, { entry, expected: ABSENT })).outcome).toBe('written');
      await putOne(warm, { entry: anEntry('ann', 'n'), expiresAt: now() + 1 });
      pass(1);
      while ((await warm.sweep()) > 0);
      expect(await idsOf(warm, 'ann')).toEqual(['m']);
    });
  });

  describe(`${name}: owners with aged entries`, () => {
    test('each is named once in a pass, at its oldest of the kind, oldest first', async () => {
      const warm = await open();
      const owners = Array.from({ length: 9 }, (_none, n) => `owner-${n}`);
      for (const [n, owner] of owners.entries()) {
        await write(
          warm,
          ...[0, 5, 20].map((days) =>
            anEntry(owner, `m${days}`, {
              timestamp: T + n * 10 + days * 86_400_000,
              memoryType: 'note',
            }),
          ),
          anEntry(owner, 'of another kind', { timestamp: T - 1, memoryType: 'other' }),
          anEntry(owner, 'of none', { timestamp: T - 1 }),
        );
      }
      const before = T + 50;
      for (const limit of [1, 4, 100]) {
        const seen: string[] = [];
        for (let cursor: string | undefined, first = true; first || cursor; first = false) {
          const page = await warm.aged('note', before, { limit, cursor });
          seen.push(...page.items.map(({ agentId, oldestAt }) => `${agentId} ${oldestAt - T}`));
          cursor = page.cursor;
        }
        expect(seen).toEqual([0, 1, 2, 3, 4].map((n) => `owner-${n} ${n * 10}`));
      }
    });
  });

  describe(`${name}: erasing`, () => {
    test('removes what is the owner’s, and a late writer brings nothing back', async () => {
      const { now } = harness();
      const warm = await open();
      const erasedAt = now();
      const old = anEntry('ann', 'old', { timestamp: erasedAt, embedding: [1], content: 'secret' });
      await write(
        warm,
        old,
        anEntry('ann', 'older', { timestamp: erasedAt - 1 }),
        anEntry('bob', 'm'),
      );
      expect(await warm.erase('ann', erasedAt, erasedAt + 60_000)).toBe(2);
      expect(await warm.erase('ann', erasedAt, erasedAt + 60_000)).toBe(0);
      expect(await putOne(warm, { entry: old })).toEqual({ outcome: 'erased', erasedAt });
      expect(await warm.count('ann')).toBe(0);
      expect(await warm.search('ann', 'secret', { limit: 5 })).toEqual([]);
      expect(await warm.count('bob')).toBe(1);
    });

    test('the same owner may begin anew, and a repeat leaves that alone', async () => {
      const { now } = harness();
      const warm = await open();
      const erasedAt = now();
      await warm.erase('ann', erasedAt, erasedAt + 60_000);
      const late = anEntry('ann', 'late', { timestamp: erasedAt });
      const fresh = anEntry('ann', 'new', { timestamp: erasedAt + 1 });
      const outcomes = await warm.put('ann', [{ entry: late }, { entry: fresh }]);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['erased', 'written']);
      expect(await warm.erase('ann', erasedAt, erasedAt + 60_000)).toBe(0);
      expect(await warm.erase('ann', erasedAt - 5, erasedAt + 1)).toBe(0);
      expect((await putOne(warm, { entry: late })).outcome).toBe('erased');
      expect(await idsOf(warm, 'ann')).toEqual(['new']);
    });

    test('the tombstone goes when its time is up', async () => {
      const { now, pass } = harness();
      const warm = await open();
      const erasedAt = now();
      await warm.erase('ann', erasedAt, erasedAt + 1_000);
      pass(1_000);
      await warm.sweep();
      expect(
        (await putOne(warm, { entry: anEntry('ann', 'm', { timestamp: erasedAt }) })).outcome,
      ).toBe('written');
    });
  });
}
