import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FilesCold } from '../../src/adapters/cold/files/files-cold.ts';
import {
  ColdUnavailableError,
  DamagedObjectError,
  UnsuitableStoreError,
  errorMessage,
} from '../../src/model/errors.ts';
import { systemError, watchFileCalls } from '../support/fs-calls.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

const HOUR_MS = 3_600_000;

let above: string;
let folder: string;

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'rekindle-cold-'));
  folder = join(above, 'data', 'cold');
});

afterEach(() => {
  rmSync(above, { recursive: true, force: true });
});

function open(): Promise<FilesCold> {
  return FilesCold.open(folder, { now: () => T });
}

/** What a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => 'served',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ColdUnavailableError);
  return errorMessage(error);
}

function refusals(calls: readonly Promise<unknown>[]): Promise<string[]> {
  return Promise.all(calls.map(refusal));
}

function everything(): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

describe('the folder', () => {
  test('is laid out by owners, and a person can check an object with the tools of a shell', async () => {
    const cold = await open();
    await cold.put('Ann:1', 'transcripts', anObject('c-1'));
    await replaceCurrent(cold, 'Ann:1', 'now');
    const [current, object] = everything().filter((file) => file.includes('~41nn~3a1'));
    expect(current).toMatch(
      /insights\/~41nn~3a1\/current@1\.[0-9a-f]{8}@1800000000000\.json\.zst$/,
    );
    expect(object).toMatch(/transcripts\/~41nn~3a1\/c-1@1800000000000\.json\.zst$/);
    const script = `require('zlib').zstdDecompressSync(require('fs').readFileSync(process.argv[1]))`;
    const content = execFileSync(process.execPath, [
      '-p',
      `${script}.toString()`,
      object!,
    ]).toString();
    const [line, text] = content.split('\n');
    expect(text).toBe(anObject('c-1').text);
    const sum = execFileSync('sha256sum', { input: text! }).toString().slice(0, 64);
    expect(JSON.parse(line!)).toEqual({
      rekindle: 1,
      object: 'transcripts/~41nn~3a1/c-1@1800000000000',
      bytes: text!.length,
      sha256: sum,
    });
  });

  test('may be made by many processes at once', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, open));
    const puts = stores.map((cold, n) => cold.put('ann', 'insights', anObject(`i-${n}`)));
    expect(await Promise.all(puts)).toEqual(puts.map(() => 'written'));
    expect(await (await open()).count('ann')).toBe(8);
  });

  test.each([
    ['of a newer version', 'rekindle cold 2\n', /version 2, made by a newer Rekindle/],
    ['of no version', 'rekindle cold\n', /damaged, or another program/],
    ['of another program', 'PNG', /damaged, or another program/],
  ])('%s is refused, and left as it is', async (_what, format, words) => {
    const before = await open();
    await before.put('ann', 'insights', anObject('i'));
    writeFileSync(join(folder, 'format'), format);
    const files = everything();
    await expect(open()).rejects.toThrow(UnsuitableStoreError);
    await expect(open()).rejects.toThrow(words);
    // Whoever had it open writes no more, either.
    await expect(before.put('ann', 'insights', anObject('i2'))).rejects.toThrow(
      UnsuitableStoreError,
    );
    await expect(before.erase('ann', T, T * 2)).rejects.toThrow(UnsuitableStoreError);
    expect(everything()).toEqual(files);
    expect(readFileSync(join(folder, 'format'), 'utf8')).toBe(format);
  });

  test('that holds other things is refused, and left as it is; what a volume has is none', async () => {
    mkdirSync(join(folder, 'lost+found'), { recursive: true });
    mkdirSync(join(folder, 'transcripts'));
    await open();
    rmSync(join(folder, 'format'));
    await open();
    rmSync(join(folder, 'format'));
    for (const other of ['photo.png', 'transcripts/ann']) {
      writeFileSync(join(folder, other), '');
      await expect(open()).rejects.toThrow(UnsuitableStoreError);
      await expect(open()).rejects.toThrow(/holds (photo|transcripts).*folder of its own/);
      expect(existsSync(join(folder, 'format'))).toBe(false);
      rmSync(join(folder, other));
    }
  });

  test('that is a file is said to be none', async () => {
    mkdirSync(dirname(folder));
    writeFileSync(folder, '');
    await expect(open()).rejects.toThrow(UnsuitableStoreError);
    await expect(open()).rejects.toThrow(/needs a folder, and .*cold is none/);
  });

  test('that goes away is missed by every call, not taken for an empty one, and serves when it is back', async () => {
    const cold = await open();
    await cold.put('ann', 'insights', anObject('i'));
    renameSync(folder, `${folder}-away`);
    const put = (): Promise<unknown> => cold.put('ann', 'insights', anObject('i2'));
    const calls = (): Promise<unknown>[] => [
      put(),
      cold.putCurrent('ann', 'now', { expected: undefined, at: T }),
      cold.get('ann', 'insights', 'i'),
      cold.names('ann', 'insights', { limit: 1 }),
      cold.current('ann'),
      cold.count('ann'),
      cold.erase('ann', T, T * 2),
      cold.sweep(),
    ];
    for (const said of await refusals(calls())) expect(said).toMatch(/gone, or not mounted; bring/);
    expect(existsSync(folder)).toBe(false);
    // What a mount point is without its volume.
    mkdirSync(folder);
    await refusals(calls());
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}-away`, folder);
    expect(await cold.get('ann', 'insights', 'i')).toBeDefined();
    expect(await put()).toBe('written');
  });

  test.each(['EACCES', 'EROFS', 'ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ESTALE'])(
    'that answers %s is said to be away, with the word of the system',
    async (code) => {
      const cold = await open();
      const end = watchFileCalls(async () => {
        throw systemError(code);
      });
      try {
        for (const said of await refusals([
          cold.put('ann', 'insights', anObject('i')),
          cold.current('ann'),
          open(),
        ]))
          expect(said).toMatch(new RegExp(`^the cold tier's folder ${folder}: .*; .*${code}`));
      } finally {
        end();
      }
    },
  );
});

describe('an owner’s lock', () => {
  test('that another process keeps is waited for, and said to be held', async () => {
    const cold = await open();
    await cold.put('ann', 'insights', anObject('i'));
    const [lock] = readdirSync(join(folder, 'locks'));
    const other = new DatabaseSync(join(folder, 'locks', lock!));
    other.exec('BEGIN IMMEDIATE');
    const put = cold.put('ann', 'insights', anObject('i2'));
    setTimeout(() => other.exec('COMMIT'), 200);
    expect(await put).toBe('written');
    other.exec('BEGIN IMMEDIATE');
    expect(await refusal(cold.erase('ann', T, T * 2))).toMatch(
      /is held by another process; try again/,
    );
    expect(await cold.count('ann')).toBe(2);
    other.close();
    expect(await cold.erase('ann', T, T * 2)).toBe(2);
  });

  test('that holds something is said to be no lock', async () => {
    const cold = await open();
    await cold.put('ann', 'insights', anObject('i'));
    const [lock] = readdirSync(join(folder, 'locks'));
    writeFileSync(join(folder, 'locks', lock!), 'no lock at all, '.repeat(100));
    expect(await refusal(cold.erase('ann', T, T * 2))).toMatch(
      /cannot be had .*is empty, or remove/,
    );
  });
});

describe('what writers leave', () => {
  test('that died is swept after an hour, and not what may yet be finished', async () => {
    const cold = await open();
    await cold.put('ann', 'insights', anObject('i'));
    const [old, fresh] = ['old', 'fresh'].map((name) => join(folder, 'tmp', name));
    for (const file of [old!, fresh!]) writeFileSync(file, 'half');
    const anHourAgo = new Date(Date.now() - HOUR_MS - 1_000);
    utimesSync(old!, anHourAgo, anHourAgo);
    expect(await cold.sweep()).toBe(1);
    expect(readdirSync(join(folder, 'tmp'))).toEqual(['fresh']);
    expect(await cold.count('ann')).toBe(1);
  });

  test('of somebody who is erased goes at once, and nothing that is left names the owner', async () => {
    const cold = await open();
    await replaceCurrent(cold, 'ann', 'the words of ann');
    const end = watchFileCalls(async (call) => {
      if (call === 'rename' || call === 'rm') throw systemError('EIO');
    });
    await refusal(cold.put('ann', 'transcripts', anObject('c')));
    end();
    expect(readdirSync(join(folder, 'tmp'))).toHaveLength(1);
    await cold.erase('ann', T, T * 2);
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
    for (const file of everything()) {
      expect(file.slice(folder.length)).not.toContain('ann');
      expect(readFileSync(file).toString('latin1')).not.toContain('ann');
    }
    expect(readdirSync(join(folder, 'insights'))).toEqual([]);
  });

  test('of an erasure that nobody can read keeps writers out until it is repeated', async () => {
    const cold = await open();
    await cold.erase('ann', T, T * 2);
    const [tombstone] = readdirSync(join(folder, 'erasures'));
    writeFileSync(join(folder, 'erasures', tombstone!), 'spoilt');
    const later = anObject('i', { at: T + 1 });
    await expect(cold.put('ann', 'insights', later)).rejects.toThrow(DamagedObjectError);
    await expect(cold.sweep()).rejects.toThrow(tombstone);
    expect(await cold.erase('ann', T, T * 2)).toBe(0);
    expect(await cold.put('ann', 'insights', later)).toBe('written');
    expect(await cold.sweep()).toBe(0);
  });

  test('besides objects in an owner’s folder is counted, and goes with an erasure', async () => {
    const cold = await open();
    await cold.put('ann', 'transcripts', anObject('c', { at: T + 1 }));
    mkdirSync(join(folder, 'transcripts', 'ann', 'backup'));
    writeFileSync(join(folder, 'transcripts', 'ann', 'backup', 'c'), 'words');
    writeFileSync(join(folder, 'transcripts', 'ann', 'c (copy).json'), 'words');
    expect(await cold.count('ann')).toBe(3);
    expect(await cold.erase('ann', T, T * 2)).toBe(2);
    expect(await cold.names('ann', 'transcripts', { limit: 9 })).toEqual(['c']);
  });
});
