import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FilesCold } from '../../src/adapters/cold/files/files-cold.ts';
import { ColdUnavailableError, errorMessage } from '../../src/model/errors.ts';
import { inColdProcess } from '../support/cold-process.ts';
import { didNotRun } from '../support/did-not-run.ts';
import { T, anObject } from './cold.ts';

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

describe('a disk', () => {
  test('without room refuses, serves what it has, and takes more when there is room', async (context) => {
    const unmount = smallDisk(context);
    try {
      const cold = await open();
      const text = Array.from({ length: 8_000 }, () => Math.random()).join();
      const put = (n: number): Promise<unknown> =>
        cold.put('ann', 'insights', anObject(`i-${n}`, { text }));
      let written = 0;
      const fill = async (): Promise<void> => {
        for (; written < 100; written += 1) await put(written);
      };
      expect(await refusal(fill())).toMatch(/the disk is full; make room/);
      expect(written).toBeGreaterThan(0);
      expect(await cold.count('ann')).toBe(written);
      expect(await cold.get('ann', 'insights', 'i-0')).toBe(text);
      expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
      expect(await cold.erase('ann', T - 1, T * 2)).toBe(0);
      rmSync(join(folder, 'insights', 'ann', 'i-0@1800000000000.json.zst'));
      expect(await put(written)).toBe('written');
    } finally {
      unmount();
    }
  });

  test('that may only be read serves readers, who open it too, and says why it takes nothing', async (context) => {
    const unmount = smallDisk(context);
    try {
      await (await open()).put('ann', 'insights', anObject('i'));
      execFileSync('mount', ['-o', 'remount,ro', dirname(folder)]);
      const cold = await open();
      expect(await cold.get('ann', 'insights', 'i')).toBe(anObject('i').text);
      const calls = [
        cold.put('ann', 'insights', anObject('i2')),
        cold.erase('ann', T, T * 2),
        cold.sweep(),
      ];
      for (const said of await refusals(calls)) expect(said).toMatch(/may only be read; mount/);
    } finally {
      unmount();
    }
  });

  /** Mounts a disk of a megabyte where the folder is to be made. */
  function smallDisk(context: TestContext): () => void {
    const disk = dirname(folder);
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch (error) {
      return didNotRun(context, `no small disk can be mounted here: ${String(error)}`);
    }
    return () => void execFileSync('umount', [disk]);
  }
});

describe('without the right to write', () => {
  const tried = `
    const say = (error) => console.log(error.name, error.message);
    const cold = await open().catch(say);
    if (cold) {
      console.log(await cold.get('ann', 'insights', 'i'));
      await cold.put('ann', 'insights', { name: 'i2', text: '', at: T }).catch(say);
      await cold.erase('ann', T, T * 2).catch(say);
    }`;

  test('no folder is made, and it is said what to do', async (context) => {
    const { stdout } = await asNobody(context);
    expect(stdout).toMatch(/^ColdUnavailableError .*cold: it may not be used; let the user/);
    expect(existsSync(folder)).toBe(false);
  });

  test('what stands is read, and it is said why nothing is written', async (context) => {
    await (await open()).put('ann', 'insights', anObject('i'));
    const before = everything();
    const { stdout } = await asNobody(context);
    const [read, put, erased] = stdout.split('\n');
    expect(read).toBe(anObject('i').text);
    for (const said of [put, erased])
      expect(said).toMatch(/^ColdUnavailableError .*it may not be used; let/);
    expect(everything()).toEqual(before);
  });

  test('to read, that is said', async (context) => {
    await (await open()).put('ann', 'insights', anObject('i'));
    chmodSync(folder, 0o700);
    const { stdout } = await asNobody(context);
    expect(stdout).toMatch(/^ColdUnavailableError .*it may not be used; let the user/);
  });

  /** Root may write anywhere: then somebody else tries, in a folder that is not theirs. */
  async function asNobody(context: TestContext): Promise<{ stdout: string }> {
    if (process.getuid?.() !== 0)
      return didNotRun(context, 'only root can start a process of another user');
    const closed = tmpdir();
    if ((statSync(closed).mode & 0o001) === 0)
      return didNotRun(context, `${closed} lets nobody pass`);
    chmodSync(above, 0o755);
    chownSync(above, 0, 0);
    const end = await inColdProcess(tried, { folder, asNobody: true });
    if (end.stdout === '') return didNotRun(context, `no process without rights: ${end.stderr}`);
    return end;
  }
});
