import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FileOutbox } from '../../src/adapters/outbox/file/file-outbox.ts';
import { UsageError } from '../../src/model/errors.ts';
import { systemError } from '../support/fs-calls.ts';
import { outgoing } from '../support/outgoing.ts';

const AT = Date.parse('2026-03-01T12:30:00Z');
const clock = { now: () => AT };

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-outbox-'));
  file = join(folder, 'below', 'drafts.jsonl');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function keys(): unknown[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => (JSON.parse(line) as { key: unknown }).key);
}

describe('an outbox that is a file', () => {
  test('has a line for each message, and makes its folder', async () => {
    const outbox = await FileOutbox.open(file, clock);
    const sent = await outbox.send(outgoing({ text: 'एक\ndo' }), 'k1');
    expect(sent).toEqual({ messageId: 'k1', channel: 'whatsapp', at: AT });
    await outbox.close();
    expect(
      readFileSync(file, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { key: 'k1', sent_at: '2026-03-01T12:30:00.000Z', ...outgoing({ text: 'एक\ndo' }) },
    ]);
  });

  test('holds one message of a key, however often and however close together it is sent', async () => {
    const outbox = await FileOutbox.open(file, clock);
    const first = outgoing({ text: 'first', channel: 'sms' });
    const all = [
      outbox.send(first, 'k1'),
      outbox.send(outgoing({ text: 'second' }), 'k1'),
      outbox.send(outgoing(), 'k2'),
    ];
    const [one, again] = await Promise.all(all);
    expect(again).toEqual(one);
    expect(await outbox.sent('k1')).toEqual(one);
    expect(await outbox.sent('k3')).toBeUndefined();
    await outbox.close();
    expect(keys()).toEqual(['k1', 'k2']);
  });

  test('remembers its keys when it is opened again, also from more than one read of the file', async () => {
    const before = await FileOutbox.open(file, clock);
    const many = Array.from({ length: 50 }, (_, n) => `k${n}`);
    for (const key of many) await before.send(outgoing({ text: 'ह'.repeat(2_000) }), key);
    await before.close();
    const after = await FileOutbox.open(file, { now: () => AT + 1 });
    for (const key of many) expect((await after.send(outgoing(), key)).at).toBe(AT);
    await after.close();
    expect(keys()).toEqual(many);
  });

  test('cuts off half a line that a crash left behind', async () => {
    const before = await FileOutbox.open(file, clock);
    await before.send(outgoing(), 'k1');
    await before.close();
    appendFileSync(file, '{"key":"k2","sent_at":"2026-03-01T12:3');
    const after = await FileOutbox.open(file, clock);
    expect(await after.sent('k2')).toBeUndefined();
    await after.send(outgoing(), 'k2');
    await after.close();
    expect(keys()).toEqual(['k1', 'k2']);
  });

  test('does not touch a file that is something else', async () => {
    file = join(folder, 'notes.txt');
    writeFileSync(file, 'milk\neggs');
    await expect(FileOutbox.open(file, clock)).rejects.toThrow(UsageError);
    expect(readFileSync(file, 'utf8')).toBe('milk\neggs');
  });

  test('belongs to one process at a time', async () => {
    const outbox = await FileOutbox.open(file, clock);
    await expect(FileOutbox.open(file, clock)).rejects.toThrow('another process has it');
    await outbox.close();
    await (await FileOutbox.open(file, clock)).close();
  });

  test('leaves nothing of a message that the disk did not take', async () => {
    const outbox = await FileOutbox.open(file, clock);
    await outbox.send(outgoing(), 'k1');
    const handle = await open(file);
    const ofHandles = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const sync = vi.spyOn(ofHandles, 'sync').mockRejectedValueOnce(systemError('EIO'));
    try {
      await expect(outbox.send(outgoing({ text: 'lost' }), 'k2')).rejects.toThrow('EIO');
      expect(await outbox.sent('k2')).toBeUndefined();
      await outbox.send(outgoing(), 'k3');
      await outbox.send(outgoing(), 'k2');
    } finally {
      sync.mockRestore();
    }
    await outbox.close();
    expect(keys()).toEqual(['k1', 'k3', 'k2']);
    expect(readFileSync(file, 'utf8')).not.toContain('lost');
  });

  test('sends nothing for who has given up', async () => {
    const outbox = await FileOutbox.open(file, clock);
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(outbox.send(outgoing(), 'k1', gone)).rejects.toThrow('gone');
    await outbox.close();
    expect(keys()).toEqual([]);
  });
});

/** Sends k0, k1, … until it is killed in front of or behind the n-th call to the file; prints each key it was told of. */
async function killedAt(n: number, when: 'before' | 'after'): Promise<{ told: string[] }> {
  const outboxFile = fileURLToPath(
    new URL('../../src/adapters/outbox/file/file-outbox.ts', import.meta.url),
  );
  const script = `
    import fs from 'node:fs/promises';
    import { writeSync } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const real = fs.open;
    let left = ${n};
    const die = () => process.kill(process.pid, 'SIGKILL');
    fs.open = async (...args) => {
      const handle = await real(...args);
      for (const name of ['appendFile', 'sync', 'truncate']) {
        const call = handle[name].bind(handle);
        handle[name] = async (...given) => {
          const mine = left--;
          if (mine === 0 && '${when}' === 'before') { die(); await new Promise(() => {}); }
          if (mine === 0 && name === 'appendFile') {
            await call(given[0].subarray(0, given[0].length / 2));
            die(); await new Promise(() => {});
          }
          const result = await call(...given);
          if (mine === 0) { die(); await new Promise(() => {}); }
          return result;
        };
      }
      return handle;
    };
    syncBuiltinESMExports();
    const { FileOutbox } = await import(${JSON.stringify(outboxFile)});
    const outbox = await FileOutbox.open(${JSON.stringify(file)}, { now: () => ${AT} });
    for (let k = 0; k < 3; k += 1) {
      await outbox.send(${JSON.stringify(outgoing())}, 'k' + k);
      writeSync(1, 'k' + k + ' ');
    }
    die();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let told = '';
  let complaints = '';
  child.stdout.on('data', (data: Buffer) => (told += data.toString()));
  child.stderr.on('data', (data: Buffer) => (complaints += data.toString()));
  const signal = await new Promise((resolve) => {
    child.on('close', (_code, by) => {
      resolve(by);
    });
  });
  expect(complaints).toBe('');
  expect(signal).toBe('SIGKILL');
  return { told: told.split(' ').filter((key) => key !== '') };
}

describe('a process that is killed between writing a message and saying so', () => {
  // Opening makes three calls to the file and its folder, each message two.
  test.each([...Array(9).keys()].flatMap((n) => [[n, 'before'] as const, [n, 'after'] as const]))(
    'at call %d (%s it) leaves nothing that is lost or sent twice',
    async (n, when) => {
      const { told } = await killedAt(n, when);
      expect(told).toHaveLength(Math.max(0, Math.floor((n - 3) / 2)));
      const outbox = await FileOutbox.open(file, clock);
      // What it had said was sent stands there; and whoever calls again sends what is missing.
      for (const key of told) expect(await outbox.sent(key)).toBeDefined();
      for (const key of ['k0', 'k1', 'k2']) await outbox.send(outgoing(), key);
      await outbox.close();
      expect(keys()).toEqual(['k0', 'k1', 'k2']);
      expect(existsSync(`${file}.lock`)).toBe(true);
    },
    30_000,
  );
});
