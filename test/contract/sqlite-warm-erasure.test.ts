import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { APPLICATION_ID, MIGRATIONS } from '../../src/adapters/warm/sqlite/schema.ts';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { WarmUnavailableError } from '../../src/model/errors.ts';
import { inWarmProcess } from '../support/warm-process.ts';
import { T, anEntry, putOne, write } from './warm.ts';

const MANY = 500;

let folder: string;
let file: string;
let now: number;
const opened: SqliteWarm[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-warm-'));
  file = join(folder, 'warm.sqlite');
  now = T;
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((warm) => warm.close()));
  rmSync(folder, { recursive: true });
});

function open(): SqliteWarm {
  const warm = new SqliteWarm(file, { now: () => now, sleep: () => Promise.resolve() });
  opened.push(warm);
  return warm;
}

async function filled(): Promise<SqliteWarm> {
  const warm = open();
  const entries = Array.from({ length: MANY }, (_none, n) => anEntry('ann', `m${n}`));
  await write(warm, ...entries, anEntry('bob', 'm'));
  return warm;
}

/** What the file holds, whoever may see it. */
function raw(sql: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Object.values(database.prepare(sql).get() ?? {})[0];
  } finally {
    database.close();
  }
}

function rowsOfAnn(): unknown {
  return raw("SELECT count(*) FROM entry WHERE owner = 'ann'");
}

/** Begins to erase, takes a few steps, and dies. */
async function erasedHalfWay(forgetAt = T * 2): Promise<void> {
  await (await filled()).close();
  const script = `
    const warm = new SqliteWarm(args[0], clock);
    void warm.erase('ann', ${T}, ${forgetAt});
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    process.kill(process.pid, 'SIGKILL');`;
  const { signal, stderr } = inWarmProcess(script, { args: [file], at: T });
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
  expect(rowsOfAnn()).toBeGreaterThan(0);
  expect(rowsOfAnn()).toBeLessThan(MANY);
}

describe('an erasure', () => {
  test('refuses a writer who comes between its steps', async () => {
    const warm = await filled();
    let ended = false;
    const erasing = warm.erase('ann', T, T * 2).finally(() => (ended = true));
    await nextTurn();
    expect(rowsOfAnn()).toBeGreaterThan(0);
    expect(await putOne(warm, { entry: anEntry('ann', 'late') })).toEqual({
      outcome: 'erased',
      erasedAt: T,
    });
    expect(ended).toBe(false);
    expect(await erasing).toBe(MANY);
    expect(rowsOfAnn()).toBe(0);
  });

  test('whose process is killed leaves nothing to be seen or written, and a repeat ends it', async () => {
    await erasedHalfWay();
    const left = Number(rowsOfAnn());
    const warm = open();
    expect(await warm.count('ann')).toBe(0);
    expect(await warm.search('ann', 'about', { limit: 10 })).toEqual([]);
    expect((await putOne(warm, { entry: anEntry('ann', 'm1') })).outcome).toBe('erased');
    expect(await warm.erase('ann', T, T * 2)).toBe(left);
    expect(rowsOfAnn()).toBe(0);
    expect(await warm.count('bob')).toBe(1);
  });

  test('that nobody repeats stays in force past its time, until a sweep has ended it', async () => {
    await erasedHalfWay(T + 1_000);
    const warm = open();
    now = T + 2_000;
    expect(await warm.count('ann')).toBe(0);
    expect((await putOne(warm, { entry: anEntry('ann', 'm1') })).outcome).toBe('erased');
    while ((await warm.sweep()) > 0) expect(await warm.count('ann')).toBe(0);
    expect(rowsOfAnn()).toBe(0);
    await warm.sweep();
    expect(raw('SELECT count(*) FROM tombstone')).toBe(0);
    expect((await putOne(warm, { entry: anEntry('ann', 'm1') })).outcome).toBe('written');
  });

  test('names its owner for as long as it takes, and not after', async () => {
    await erasedHalfWay();
    expect(raw('SELECT unfinished FROM tombstone')).toBe('ann');
    await open().erase('ann', T, T * 2);
    expect(raw('SELECT unfinished FROM tombstone')).toBeNull();
    expect(raw('SELECT owner FROM tombstone')).toMatch(/^[0-9a-f]{64}$/);
  });

  test('in whose midst the store is closed says so, and a repeat ends it', async () => {
    const warm = await filled();
    const erasing = warm.erase('ann', T, T * 2);
    await warm.close();
    await expect(erasing).rejects.toThrow(WarmUnavailableError);
    const again = open();
    expect(await again.count('ann')).toBe(0);
    expect(await again.erase('ann', T, T * 2)).toBe(MANY);
  });

  test('does not revive an older one whose time was up', async () => {
    const warm = open();
    await warm.erase('ann', T, T + 1_000);
    now = T + 1_000;
    await write(warm, anEntry('ann', 'm', { timestamp: T }));
    expect(await warm.erase('ann', T - 10, T + 60_000)).toBe(0);
    expect(await warm.count('ann')).toBe(1);
    expect((await putOne(warm, { entry: anEntry('ann', 'n') })).outcome).toBe('written');
  });

  test('leaves no words in the text index once it was swept', async () => {
    const warm = open();
    const entries = Array.from({ length: MANY }, (_none, n) =>
      anEntry('ann', `m${n}`, { content: `unmistakable${n} ${'words '.repeat(20)}` }),
    );
    await write(warm, ...entries);
    const bytes = (): number => Number(raw('SELECT sum(length(block)) FROM entry_text_data'));
    const before = bytes();
    await warm.erase('ann', T, T * 2);
    for (let sweep = 0; sweep < 20; sweep += 1) await warm.sweep();
    expect(bytes()).toBeLessThan(before / 10);
  });
});

test('a file of the first version is brought up to date, with its entries and erasures', async () => {
  const database = new DatabaseSync(file);
  database.exec(MIGRATIONS[0] ?? '');
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1;
    INSERT INTO entry VALUES (7, 'ann', 'm', ${T}, 0.5, NULL, NULL, 'about m', NULL, '{}', '[]', NULL, 0, ${T}, ${T}, NULL);
    INSERT INTO entry_text (rowid, owner, content) VALUES (7, 'oann', 'about m');
    INSERT INTO tombstone VALUES ('0bob', ${T}, ${T * 2});`);
  database.close();
  const warm = open();
  expect((await warm.get('ann', ['m']))[0]).toMatchObject({
    version: '7',
    entry: { content: 'about m' },
  });
  expect(await warm.count('ann')).toBe(1);
  expect(raw('SELECT erased_at FROM tombstone')).toBe(T);
  expect(await warm.erase('ann', T, T * 2)).toBe(1);
});
