import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test, vi } from 'vitest';
import { SortOnDisk } from '../../src/replay/sort-on-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-test-'));
vi.stubEnv('TMPDIR', folder);

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

interface Item {
  readonly key: number;
  readonly place: number;
  readonly text: string;
}

const byKey = (one: Item, other: Item): number => one.key - other.key;

test('it sorts as an array sorts, equals in their order, however little fits in memory', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.string({ unit: 'grapheme' })), {
        maxLength: 60,
      }),
      fc.integer({ min: 1, max: 70 }),
      (pairs, inMemory) => {
        const items = pairs.map(([key, text], place): Item => ({ key, place, text }));
        using sort = new SortOnDisk(byKey, inMemory);
        for (const item of items) sort.add(item);
        expect(sort.count).toBe(items.length);
        expect([...sort.take()]).toEqual(items.toSorted(byKey));
      },
    ),
  );
});

test('many runs of many blocks', () => {
  using sort = new SortOnDisk<Item>(byKey, 1_000);
  for (let place = 0; place < 20_500; place += 1) {
    sort.add({ key: (place * 7_919) % 20_500, place, text: 'é' });
  }
  let key = 0;
  for (const item of sort.take()) {
    if (item.key !== key) throw new Error(`${item.key} stands where ${key} should`);
    key += 1;
  }
  expect(key).toBe(20_500);
});

test('its file has no name, so nothing is left behind however it ends', () => {
  using sort = new SortOnDisk<Item>(byKey, 2);
  for (let place = 0; place < 10; place += 1) sort.add({ key: -place, place, text: '' });
  expect(readdirSync(folder)).toEqual([]);
  sort[Symbol.dispose]();
  expect(() => [...sort.take()]).toThrow(/disposed/);
});
