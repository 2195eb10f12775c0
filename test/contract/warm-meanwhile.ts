import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/model/entry.ts';
import type { EntryFilter, WarmStore } from '../../src/ports/warm.ts';
import { T, type WarmHarness, anEntry, putOne, write } from './warm.ts';

/** More than any adapter does in one step. */
const MANY = 600;

/** What every adapter of the warm port promises while others call it, too. */
export function warmMeanwhileContract(name: string, harness: () => WarmHarness): void {
  const open = (): Promise<WarmStore> => harness().open();

  function many(agentId: string, count: number, over: (n: number) => Partial<Entry>): Entry[] {
    return Array.from({ length: count }, (_none, n) => anEntry(agentId, idOf(n), over(n)));
  }

  describe(`${name}: the event loop`, () => {
    test('goes round while an owner with many entries is erased, or looked through', async () => {
      const warm = await open();
      await write(warm, ...many('ann', MANY, (n) => ({ embedding: [n, 1] })));
      const least = MANY / 200;
      expect(
        await turnsDuring(() => warm.similar('ann', [1, 1], { limit: 1 })),
      ).toBeGreaterThanOrEqual(least);
      expect(
        await turnsDuring(() => warm.similar('ann', [1, 1], { limit: 1_000 })),
      ).toBeGreaterThanOrEqual(2 * least);
      expect(await turnsDuring(() => warm.erase('ann', T, 2 * T))).toBeGreaterThanOrEqual(least);
    });
  });

  describe(`${name}: pages while others write`, () => {
    test.each(['newest', 'oldest', 'important', 'step'] as const)(
      'ordered %s hold once what stood all the time, and at most once what was written over',
      async (order) => {
        const warm = await open();
        const entries = many('ann', 40, (n) => ({
          timestamp: T + (n % 7),
          stepNumber: n % 5,
          metadata: { ...anEntry('ann', 'x').metadata, importanceScore: (n % 6) / 6 },
        }));
        await write(warm, ...entries);
        const seen: string[] = [];
        for (let cursor: string | undefined, round = 0; round === 0 || cursor; round += 1) {
          const page = await warm.find('ann', {}, order, { limit: 6, cursor });
          seen.push(...page.items.map(({ entry }) => entry.memoryId));
          cursor = page.cursor;
          // Before the cursor, after it and at it: one goes, one is said anew, one comes.
          const [gone, anew] = [entries[round], entries[39 - round]];
          if (gone) await warm.remove('ann', [gone]);
          if (anew) await write(warm, { ...anew, content: `again ${round}` });
          const likeLast = page.items.at(-1)?.entry;
          if (likeLast) await write(warm, { ...likeLast, memoryId: `new-${round}` });
        }
        const untouched = entries.slice(10, 30).map(({ memoryId }) => memoryId);
        expect(seen.filter((id) => untouched.includes(id)).toSorted()).toEqual(untouched);
        expect(new Set(seen).size).toBe(seen.length);
      },
    );

    test('name each owner with aged entries once, if its oldest is left alone', async () => {
      const warm = await open();
      const owners = Array.from({ length: 12 }, (_none, n) => `owner-${idOf(n)}`);
      for (const [n, owner] of owners.entries())
        await write(
          warm,
          ...many(owner, 2, (m) => ({ timestamp: T + n * 10 + m, memoryType: 'note' })),
        );
      const seen: string[] = [];
      for (let cursor: string | undefined, round = 0; round === 0 || cursor; round += 1) {
        const page = await warm.aged('note', T + 1_000, { limit: 3, cursor });
        seen.push(...page.items.map(({ agentId }) => agentId));
        cursor = page.cursor;
        await Promise.all(
          owners.map((owner, n) =>
            write(
              warm,
              anEntry(owner, `later-${round}`, {
                timestamp: T + n * 10 + 5,
                memoryType: 'note',
              }),
            ),
          ),
        );
        await write(
          warm,
          anEntry(`late-${round}`, 'm', { timestamp: T + 500, memoryType: 'note' }),
        );
      }
      expect(seen.filter((owner) => owners.includes(owner))).toEqual(owners);
      expect(new Set(seen).size).toBe(seen.length);
    });
  });

  describe(`${name}: likeness among many`, () => {
    test('is that of all of them, whatever the steps, and honours the filter as find does', async () => {
      const warm = await open();
      const angle = (n: number): number => ((n * 137) % 360) * (Math.PI / 180);
      const entries = many('ann', 350, (n) => ({
        timestamp: T + (n % 50),
        stepNumber: n,
        memoryType: n % 2 === 0 ? 'segment' : 'note',
        metadata: { ...anEntry('ann', 'x').metadata, importanceScore: (n % 10) / 10 },
        attributes: { n, third: n % 3 === 0, topic: n % 5 === 0 ? 'shoes' : 'hats' },
        embedding: [Math.cos(angle(n)), Math.sin(angle(n))],
      }));
      await write(warm, ...entries, anEntry('ann', 'none'), anEntry('bob', 'b'));
      const filters: EntryFilter[] = [
        {},
        { timestamp: { from: T + 10, to: T + 20 } },
        { importance: { from: 0.5 }, step: { to: 200 } },
        { memoryType: 'note', attributes: [{ name: 'third', equals: true }] },
        {
          attributes: [
            { name: 'n', from: 20, to: 120 },
            { name: 'topic', equals: 'shoes' },
          ],
        },
        { attributes: [{ name: 'none', equals: 1 }] },
      ];
      for (const filter of filters) {
        const { items } = await warm.find('ann', filter, 'oldest', { limit: 1_000 });
        const near = items
          .flatMap(({ entry }) => (entry.embedding ? [{ id: entry.memoryId, of: entry }] : []))
          .map(({ id, of }) => ({ id, score: of.embedding?.[0] ?? NaN }))
          .toSorted((one, other) => other.score - one.score);
        const all = await warm.similar('ann', [1, 0], { limit: 1_000, filter });
        expect(all.map(({ entry }) => entry.memoryId).toSorted()).toEqual(
          near.map(({ id }) => id).toSorted(),
        );
        const few = await warm.similar('ann', [1, 0], { limit: 7, filter });
        expect(few.map(({ score }) => score.toFixed(5))).toEqual(
          near.slice(0, 7).map(({ score }) => score.toFixed(5)),
        );
      }
    });

    test('of what is written over meanwhile is what it is in the end, and what goes is left out', async () => {
      const warm = await open();
      const entries = many('ann', MANY, (n) => ({ timestamp: T + n, embedding: [-1, 1] }));
      await write(warm, ...entries);
      const best = anEntry('ann', idOf(0), { timestamp: T, embedding: [1, 0] });
      const second = anEntry('ann', idOf(1), { timestamp: T + 1, embedding: [1, 0.1] });
      await write(warm, best, second);
      const looking = warm.similar('ann', [1, 0], { limit: 2 });
      await write(warm, { ...best, content: 'anew', embedding: [1, 1] });
      await warm.remove('ann', [second]);
      const found = await looking;
      for (const { entry, score } of found.filter((one) => one.entry.content === 'anew'))
        expect([entry.memoryId, score.toFixed(4)]).toEqual([idOf(0), Math.SQRT1_2.toFixed(4)]);
      expect(found.length).toBeLessThanOrEqual(2);
      expect(new Set(found.map(({ entry }) => entry.memoryId)).size).toBe(found.length);
    });
  });

  describe(`${name}: an erasure under way`, () => {
    test('is seen by nobody, refuses late writers and lets the owner begin anew', async () => {
      const { now } = harness();
      const warm = await open();
      const erasedAt = now();
      const old = many('ann', MANY, () => ({
        timestamp: erasedAt,
        content: 'secret',
        memoryType: 'note',
        embedding: [1],
        attributes: { a: 1 },
      }));
      await write(warm, ...old, anEntry('bob', 'm', { timestamp: erasedAt }));
      const late = old.at(-1) ?? anEntry('ann', 'none');
      const under = { way: true };
      const erasing = warm.erase('ann', erasedAt, erasedAt + 60_000).finally(() => {
        under.way = false;
      });
      // From the first refusal on the tombstone stands.
      while ((await putOne(warm, { entry: late })).outcome === 'written');
      const fresh = { ...late, timestamp: erasedAt + 1, content: 'begun anew', attributes: {} };
      expect((await putOne(warm, { entry: fresh, expected: undefined })).outcome).toBe('written');
      do {
        await nextTurn();
        const only = [late.memoryId];
        expect(await warm.count('ann')).toBe(1);
        expect(idsIn((await warm.find('ann', {}, 'oldest', { limit: 10 })).items)).toEqual(only);
        const stale = { attributes: [{ name: 'a', equals: 1 }] };
        expect((await warm.find('ann', stale, 'newest', { limit: 10 })).items).toEqual([]);
        expect(await warm.get('ann', [idOf(0), idOf(MANY - 2)])).toEqual([]);
        expect(await warm.search('ann', 'secret', { limit: 10 })).toEqual([]);
        expect(idsIn(await warm.similar('ann', [1], { limit: 10 }))).toEqual(only);
        expect(await warm.remove('ann', [{ memoryId: idOf(MANY - 2) }])).toEqual(['gone']);
        const { items } = await warm.aged('note', erasedAt + 10, { limit: 10 });
        expect(items.find(({ agentId }) => agentId === 'ann')?.oldestAt).toBe(erasedAt + 1);
        expect((await putOne(warm, { entry: old[0] ?? late })).outcome).toBe('erased');
      } while (under.way);
      expect(await erasing).toBeGreaterThan(0);
      expect(await warm.count('ann')).toBe(1);
      expect(await warm.count('bob')).toBe(1);
    });

    test('twice at once leaves nothing, and each counts what it removed', async () => {
      const { now } = harness();
      const warm = await open();
      const erasedAt = now();
      await write(warm, ...many('ann', MANY, (n) => ({ timestamp: erasedAt - (n % 2) })));
      const counts = await Promise.all(
        [erasedAt - 1, erasedAt].map((at) => warm.erase('ann', at, erasedAt + 60_000)),
      );
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(MANY);
      expect(await warm.count('ann')).toBe(0);
    });
  });
}

function idOf(n: number): string {
  return `m${String(n).padStart(4, '0')}`;
}

function idsIn(items: readonly { readonly entry: Entry }[]): string[] {
  return items.map(({ entry }) => entry.memoryId);
}

/** How often the event loop went round while this was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const count = async (): Promise<void> => {
    for (;;) {
      await nextTurn();
      if (done) return;
      turns += 1;
    }
  };
  const counting = count();
  await work();
  done = true;
  await counting;
  return turns;
}
