import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { UnsuitableStoreError, WarmUnavailableError } from '../../src/model/errors.ts';
import type { EntryOrder } from '../../src/ports/warm.ts';
import { didNotRun } from '../support/did-not-run.ts';
import { type ChildEnd, inWarmProcess } from '../support/warm-process.ts';
import { T, anEntry, putOne, write } from './warm.ts';

const PAGE_BYTES = 4_096;

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

describe('a damaged file', () => {
  test('is named in words that say what to do, whichever page is spoilt, and reading leaves it as it is', async () => {
    const good = await madeWhole();
    const noticed: string[] = [];
    const pages = pagesByKind();
    expect(pages.length).toBeGreaterThan(25);
    for (const [index, { kind, number }] of pages.entries()) {
      const bad = Buffer.from(good);
      const start = (number - 1) * PAGE_BYTES;
      // Of the first page, the header stands: what happens without it is tried below.
      bad.fill(index % 2 === 0 ? 0 : 0xff, number === 1 ? 100 : start, start + PAGE_BYTES);
      putInPlace(bad);
      const unchanged = async (): Promise<void> => {
        expect(readFileSync(file).equals(bad), kind).toBe(true);
      };
      const failures = await failuresOf((warm) => [
        ...readings(warm),
        unchanged(),
        ...writings(warm),
      ]);
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(UnsuitableStoreError);
        expect(String(failure)).toContain(file);
        expect(String(failure)).toMatch(/damaged.*backup in its place, or move it away/);
      }
      if (failures.length > 0) noticed.push(kind);
    }
    // All of them, though no page has a checksum.
    expect(noticed).toEqual(pages.map(({ kind }) => kind));
  });

  test.each([1, 50, 100, 2_000, 2 * PAGE_BYTES, 10 * PAGE_BYTES])(
    'of which %i bytes are left is refused, and left as it is',
    async (bytes) => {
      const cut = (await madeWhole()).subarray(0, bytes);
      putInPlace(cut);
      const [failure, ...others] = await failuresOf(readings);
      expect(failure).toBeInstanceOf(UnsuitableStoreError);
      expect(others.every((other) => other instanceof UnsuitableStoreError)).toBe(true);
      expect(readFileSync(file).equals(cut)).toBe(true);
    },
  );

  test('whose text of ours cannot be read is said to be damaged', async () => {
    await madeWhole();
    const database = new DatabaseSync(file);
    database.exec("UPDATE entry SET attributes = '{'");
    database.close();
    const failures = await failuresOf(readings);
    expect(failures.length).toBeGreaterThan(3);
    for (const failure of failures) expect(String(failure)).toMatch(/damaged/);
  });

  /** @returns the bytes of a file in which every index and the text have several pages, some of them free */
  async function madeWhole(): Promise<Buffer> {
    const warm = open();
    const writes = Array.from({ length: 400 }, (_none, n) => ({
      entry: anEntry('ann', `m${n}-${'long '.repeat(30)}`, {
        timestamp: T + n,
        content: `about ${n} ${n % 20 === 0 ? 'and so on '.repeat(1_500) : ''}`,
        embedding: [1, n],
        stepNumber: n,
        memoryType: `a type ${'that is long '.repeat(10)}`,
        attributes: { topic: 'shoes '.repeat(20), n },
      }),
      expiresAt: n < 5 ? T - 1 : undefined,
    }));
    await warm.put('ann', writes);
    await warm.remove(
      'ann',
      writes.slice(200, 250).map(({ entry }) => ({ memoryId: entry.memoryId })),
    );
    await warm.erase('bob', T, T * 2);
    await warm.close();
    return readFileSync(file);
  }

  /** The first page of each kind: of which tree, and which part of it. */
  function pagesByKind(): { kind: string; number: number }[] {
    const database = new DatabaseSync(file, { readOnly: true });
    const rows = database
      .prepare('SELECT name, pagetype, min(pageno) AS number FROM dbstat GROUP BY name, pagetype')
      .all();
    database.close();
    return rows.map((row) => ({
      kind: `${String(row['name'])}, ${String(row['pagetype'])}`,
      number: Number(row['number']),
    }));
  }

  function putInPlace(bytes: Buffer): void {
    writeFileSync(file, bytes);
    for (const other of ['-wal', '-shm']) rmSync(file + other, { force: true });
  }

  async function failuresOf(calls: (warm: SqliteWarm) => Promise<unknown>[]): Promise<unknown[]> {
    let warm: SqliteWarm;
    try {
      warm = open();
    } catch (error) {
      return [error];
    }
    const ends = await Promise.allSettled(calls(warm));
    await warm.close();
    return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  }

  function readings(warm: SqliteWarm): Promise<unknown>[] {
    const orders: EntryOrder[] = ['newest', 'oldest', 'important', 'step'];
    const page = { limit: 1_000 };
    return [
      ...orders.map((order) => warm.find('ann', {}, order, page)),
      warm.find('ann', { attributes: [{ name: 'n', from: 0 }] }, 'newest', page),
      warm.search('ann', 'about', page),
      warm.similar('ann', [1, 1], page),
      warm.count('ann'),
      warm.aged('note', T * 2, page),
    ];
  }

  function writings(warm: SqliteWarm): Promise<unknown>[] {
    const entries = Array.from({ length: 20 }, (_none, n) => anEntry('ann', `new${n}`));
    const written = warm.put(
      'ann',
      entries.map((entry) => ({ entry })),
    );
    const then = (call: () => Promise<unknown>): Promise<unknown> => written.then(call, call);
    return [
      written,
      then(() => warm.sweep()),
      then(() => warm.erase('bob', T, T * 2)),
      then(() => warm.erase('ann', T * 2, T * 3)),
    ];
  }
});

describe('a file that is not ours', () => {
  test.each([
    ['with tables', 'CREATE TABLE theirs (x)'],
    ['that only says whose it is', 'PRAGMA application_id = 1234'],
    ['with a version', 'PRAGMA user_version = 1'],
  ])('%s is named, and left as it is', (_what, sql) => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    const before = readFileSync(file);
    expect(open).toThrow(UnsuitableStoreError);
    expect(open).toThrow(/another program.*file of its own/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('but empty is taken', async () => {
    writeFileSync(file, '');
    expect(await open().count('ann')).toBe(0);
  });

  test('but a folder is said to be none', () => {
    mkdirSync(file);
    expect(open).toThrow(UnsuitableStoreError);
    expect(open).toThrow(/needs a file, and .*warm\.sqlite is none/);
  });
});

test('a file that another process keeps to itself is said to be held, and opens afterwards', async () => {
  await write(open(), anEntry('ann', 'm'));
  await opened.pop()?.close();
  const other = new DatabaseSync(file);
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
  const before = readFileSync(file);
  expect(open).toThrow(WarmUnavailableError);
  expect(open).toThrow(/another process holds it; try again/);
  other.close();
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(await open().count('ann')).toBe(1);
});

describe('a disk without room', () => {
  test('takes all of a batch or nothing, says so, and serves what it has', async (context) => {
    const unmount = smallDisk(context);
    try {
      let written = 0;
      const fill = async (): Promise<void> => {
        for (const warm = open(); ; written += 2)
          await write(warm, ...[0, 1].map((n) => large(`m${written + n}`)));
      };
      await expect(fill()).rejects.toThrow(WarmUnavailableError);
      const [warm] = opened;
      await expect(warm?.put('ann', [{ entry: large('more') }])).rejects.toThrow(
        `${file}: the disk is full; make room`,
      );
      expect(written).toBeGreaterThan(0);
      expect(await warm?.count('ann')).toBe(written);
    } finally {
      await Promise.all(opened.splice(0).map((warm) => warm.close()));
      unmount();
    }
  });

  test('cannot make a file, and says so', (context) => {
    const unmount = smallDisk(context);
    try {
      expect(() => writeFileSync(join(folder, 'disk', 'filler'), Buffer.alloc(2_000_000))).toThrow(
        /ENOSPC/,
      );
      expect(open).toThrow(WarmUnavailableError);
      expect(open).toThrow(/the disk is full; make room/);
    } finally {
      unmount();
    }
  });

  function large(id: string): ReturnType<typeof anEntry> {
    return anEntry('ann', id, { content: 'words '.repeat(1_000) });
  }

  /** Mounts a disk of a megabyte and moves the file there. */
  function smallDisk(context: TestContext): () => void {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch (error) {
      return didNotRun(context, `no small disk can be mounted here: ${String(error)}`);
    }
    file = join(disk, 'warm.sqlite');
    return () => void execFileSync('umount', [disk]);
  }
});

describe('without the right to write', () => {
  const tried = `
    try { new SqliteWarm(args[0], clock); console.log('opened'); }
    catch (error) { console.log(error.name, error.message); }`;

  test('in the folder, no file is made, and it is said what to do', (context) => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o555 });
    file = join(closed, 'warm.sqlite');
    const { stdout } = asSomebody(context, tried);
    expect(stdout).toMatch(
      /^WarmUnavailableError .*closed\/warm\.sqlite: it (cannot be opened; see|may not be written to; let)/,
    );
    expect(existsSync(file)).toBe(false);
  });

  test('to the file, it is left as it is, and it is said what to do', async (context) => {
    await write(open(), anEntry('ann', 'm'));
    await opened.pop()?.close();
    chmodSync(file, 0o444);
    const before = readFileSync(file);
    const { stdout } = asSomebody(context, tried);
    expect(stdout).toMatch(/^WarmUnavailableError .*warm\.sqlite: it may not be written to; let/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('to a folder above it, no folder is made', (context) => {
    chmodSync(folder, 0o555);
    file = join(folder, 'a', 'b', 'warm.sqlite');
    const { stdout } = asSomebody(context, tried);
    chmodSync(folder, 0o755);
    expect(stdout).toMatch(/^WarmUnavailableError .*it may not be written to; let/);
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });

  /** Root may write anywhere: then nobody tries. */
  function asSomebody(context: TestContext, script: string): ChildEnd {
    const asNobody = process.getuid?.() === 0;
    if (asNobody) {
      chmodSync(folder, 0o755);
      chownSync(folder, 65_534, 65_534);
      if (file === join(folder, 'a', 'b', 'warm.sqlite')) chmodSync(folder, 0o555);
    }
    const end = inWarmProcess(script, { args: [file], at: T, asNobody });
    if (end.stdout === '') return didNotRun(context, `no process without rights: ${end.stderr}`);
    return end;
  }
});

describe('a clock that jumps back', () => {
  test('brings back what has expired until it is swept, and nothing after', async () => {
    const warm = open();
    await warm.put('ann', [{ entry: anEntry('ann', 'm'), expiresAt: T + 1_000 }]);
    now = T + 1_000;
    expect(await warm.count('ann')).toBe(0);
    now = T - 86_400_000;
    expect(await warm.count('ann')).toBe(1);
    expect(await warm.sweep()).toBe(0);
    expect(await warm.count('ann')).toBe(1);
    now = T + 1_000;
    expect(await warm.sweep()).toBe(1);
    now = T - 86_400_000;
    expect(await warm.count('ann')).toBe(0);
  });

  test('repeats no version', async () => {
    const warm = open();
    const versions: string[] = [];
    for (const jump of [0, 5_000, -86_400_000, 0, -1]) {
      now = T + jump;
      for (const id of ['a', 'b']) {
        const outcome = await putOne(warm, { entry: anEntry('ann', id) });
        versions.push(outcome.outcome === 'written' ? outcome.version : 'none');
      }
      await warm.remove('ann', [{ memoryId: 'b' }]);
      await warm.sweep();
    }
    expect(new Set(versions).size).toBe(versions.length);
    expect(versions).not.toContain('none');
    const [stored] = await warm.get('ann', ['a']);
    expect(stored?.version).toBe(versions.at(-2));
  });

  test('ends no erasure early, nor reads an older one into it', async () => {
    const warm = open();
    await warm.erase('ann', T, T + 60_000);
    now = T - 86_400_000;
    await warm.sweep();
    expect((await putOne(warm, { entry: anEntry('ann', 'm') })).outcome).toBe('erased');
    expect(await warm.erase('ann', now, now + 60_000)).toBe(0);
    expect((await putOne(warm, { entry: anEntry('ann', 'm') })).outcome).toBe('erased');
    const fresh = anEntry('ann', 'm', { timestamp: T + 1 });
    expect((await putOne(warm, { entry: fresh })).outcome).toBe('written');
  });
});
