import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, test, vi } from 'vitest';
import { markedProcesses } from '../support/marked-processes.ts';

vi.setConfig({ testTimeout: 90_000 });

const MAIN = join(import.meta.dirname, '..', 'servers', 'main.ts');

/** Starts a server as a program. @returns what it says of how to connect */
async function run(
  mark: string,
  ...words: string[]
): Promise<[ChildProcess, Record<string, string>]> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, REKINDLE_TEST_MARK: mark },
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return [child, JSON.parse(line) as Record<string, string>];
}

async function noneLeft(mark: string): Promise<void> {
  await vi.waitFor(() => expect(markedProcesses(`REKINDLE_TEST_MARK=${mark}`)).toEqual([]), 20_000);
}

describe('a test server that was started as a program', () => {
  test.each([
    ['azurite', ['first'], ['connectionString', 'url']],
    ['key-vault', ['a=b'], ['certificate', 'url']],
    ['managed-identity', [], ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']],
  ])('%s says how to connect, and ends with SIGTERM', async (name, words, keys) => {
    const mark = `${name}-${process.pid}`;
    const [child, connect] = await run(mark, name, ...words);
    expect(Object.keys(connect).toSorted()).toEqual(keys);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await noneLeft(mark);
  });

  test('holds the containers that were asked for, and ends with its parent, however that dies', async () => {
    const mark = `pipe-${process.pid}`;
    const [child, { connectionString = '' }] = await run(mark, 'azurite', 'first', 'second');
    const account = BlobServiceClient.fromConnectionString(connectionString);
    expect(await account.getContainerClient('second').exists()).toBe(true);
    // Its own child notices in turn.
    child.kill('SIGKILL');
    await noneLeft(mark);
    const [other] = await run(mark, 'azurite');
    other.stdin?.end();
    expect(await once(other, 'exit')).toEqual([0, null]);
    await noneLeft(mark);
  });
});
