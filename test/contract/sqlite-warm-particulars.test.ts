import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { UnsuitableStoreError, WarmUnavailableError } from '../../src/model/errors.ts';
import type { EntryFilter } from '../../src/ports/warm.ts';
import { inWarmProcess } from '../support/warm-process.ts';
import { anEntry } from './warm.ts';

const T = 1_800_000_000_000;
const clock = { now: () => T, sleep: () => Promise.resolve() };

let folder: string;
let file: string;
const opened: SqliteWarm[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-warm-'));
  file = join(folder, 'warm.sqlite');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map((warm) => warm.close()));
  rmSync(folder, { recursive: true });
});

function open(): SqliteWarm {
  const warm = new SqliteWarm(file, clock);
  opened.push(warm);
  return warm;
}

async function filled(count = 1): Promise<SqliteWarm> {
  const warm = open();
  await warm.put(
    'ann',
    Array.from({ length: count }, (_none, n) => ({ entry: anEntry('ann', `m${n}`) })),
  );
  return warm;
}

describe('the file', () => {
  test('is made with its folder, and is there the next time', async () => {
    file = join(folder, 'a', 'b', 'warm.sqlite');
    await (await filled()).close();
    expect(await open().count('ann')).toBe(1);
  });

  test('serves two processes at once', async () => {
    const one = await filled();
    const other = open();
    await other.put('bob', [{ entry: anEntry('bob', 'm') }]);
    expect(await one.count('bob')).toBe(1);
    expect(await other.count('ann')).toBe(1);
  });

  test('holds what a process wrote that was killed before it could close it', async () => {
    const script = `
      const warm = new SqliteWarm(args[0], clock);
      for (const entry of JSON.parse(args[1])) await warm.put('ann', [{ entry }]);
      process.kill(process.pid, 'SIGKILL');`;
    const entries = ['a', 'b', 'c'].map((id) => anEntry('ann', id));
    const { signal, stderr } = inWarmProcess(script, {
      args: [file, JSON.stringify(entries)],
      at: T,
    });
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    expect(await open().count('ann')).toBe(3);
    expect(await open().search('ann', 'about', { limit: 5 })).toHaveLength(3);
  });

  test('of a newer version is refused and left as it is', async () => {
    await (await filled()).close();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99; PRAGMA journal_mode = DELETE');
    database.close();
    const before = readFileSync(file);
    expect(open).toThrow(UnsuitableStoreError);
    expect(open).toThrow(/version 99.*newer/s);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test.each([
    ['is no database', () => writeFileSync(file, 'once upon a time '.repeat(500))],
    ['was cut short', () => truncateSync(file, 6_000)],
    [
      'has a broken page',
      () =>
        writeFileSync(
          file,
          Buffer.concat([readFileSync(file).subarray(0, 100), Buffer.alloc(70_000, 7)]),
        ),
    ],
  ])('that %s is refused with words that say so, and left as it is', async (_what, spoil) => {
    const warm = await filled(500);
    await warm.close();
    spoil();
    const before = readFileSync(file);
    const use = async (): Promise<void> => {
      const again = open();
      await again.find('ann', {}, 'oldest', { limit: 1_000 });
      await again.search('ann', 'about', { limit: 10 });
    };
    await expect(use()).rejects.toThrow(/damaged, or no SQLite database/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('that another process writes to for long is said to be held, and serves afterwards', async () => {
    const warm = await filled();
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const entry = anEntry('ann', 'n');
    await expect(warm.put('ann', [{ entry }])).rejects.toThrow(/another process holds it/);
    await expect(warm.put('ann', [{ entry }])).rejects.toThrow(WarmUnavailableError);
    expect(await warm.count('ann')).toBe(1);
    other.exec('ROLLBACK');
    other.close();
    expect((await warm.put('ann', [{ entry }]))[0]?.outcome).toBe('written');
  });

  test('that may not grow takes all of a batch or nothing, and says that the disk is full', async () => {
    const { database } = watched();
    const warm = await filled(2);
    const pages = Number(database().prepare('PRAGMA page_count').get()?.['page_count']);
    database().exec(`PRAGMA max_page_count = ${pages + 2}`);
    const large = Array.from({ length: 50 }, (_none, n) => ({
      entry: anEntry('ann', `large${n}`, { content: 'words '.repeat(500) }),
    }));
    await expect(warm.put('ann', large)).rejects.toThrow(/the disk is full/);
    expect(await warm.count('ann')).toBe(2);
    database().exec('PRAGMA max_page_count = 1000000');
    await warm.put('ann', large);
    expect(await warm.count('ann')).toBe(52);
  });
});

describe('what a query goes through', () => {
  test('is an index of the owner’s, and never the whole table', async () => {
    const { database, prepared } = watched();
    const warm = await filled(3);
    const range = { from: 0, to: 1 };
    const filter = {
      timestamp: range,
      importance: range,
      step: range,
      memoryType: 'x',
      attributes: [
        { name: 'a', equals: 1 },
        { name: 'b', ...range },
      ],
    };
    const kinds: EntryFilter = { memoryType: ['x', 'y'] };
    for (const order of ['newest', 'oldest', 'important', 'step'] as const)
      for (const one of [{}, { timestamp: range }, { memoryType: 'x' }, kinds, filter])
        for (const cursor of [
          undefined,
          (await warm.find('ann', {}, 'oldest', { limit: 1 })).cursor,
        ])
          await warm.find('ann', one, order, { limit: 1, cursor }).catch(() => undefined);
    await warm.search('ann', 'about words', { limit: 5, filter });
    await warm.similar('ann', [1], { limit: 5, filter });
    await warm.get('ann', ['m0']);
    await warm.put('ann', [{ entry: anEntry('ann', 'm0') }], { readBack: true });
    await warm.remove('ann', [{ memoryId: 'm1' }]);
    await warm.aged('note', T, { limit: 5 });
    await warm.erase('ann', T, T);
    await warm.count('ann');
    await warm.sweep();
    const texts = prepared();
    const whole = [...texts]
      .filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql))
      .flatMap((sql) =>
        database()
          .prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .all()
          .map((row) => `${String(row['detail'])}  ◀ ${sql}`)
          // The text index is a virtual table, which is always said to be scanned; a number says by which of its ways.
          // A page is what a search of an index gave.
          .filter(
            (detail) =>
              detail.startsWith('SCAN') &&
              !/VIRTUAL TABLE INDEX \d+:\S|^SCAN (page|\(subquery-\d+\))/.test(detail),
          ),
      );
    expect(texts.size).toBeGreaterThan(20);
    expect(whole).toEqual([]);
  });
});

/** Looks on while a store is opened and used. */
function watched(): { database: () => DatabaseSync; prepared: () => ReadonlySet<string> } {
  const { mock } = vi.spyOn(DatabaseSync.prototype, 'prepare');
  return {
    database: () => mock.contexts.at(-1) as DatabaseSync,
    prepared: () => new Set(mock.calls.map(([sql]) => sql)),
  };
}
