import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { testRedis } from '../support/redis-server.ts';

const redis = testRedis();

const script = fileURLToPath(new URL('../support/loaded-packages.ts', import.meta.url));

/** The packages of clouds that a process has loaded which started and stopped everything that the settings ask for. */
async function loaded(env: Readonly<Record<string, string>>): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-lazy-'));
  try {
    const child = spawn(process.execPath, [script], {
      // No .env of the reader's lies there.
      cwd: folder,
      env: {
        ...{ PATH: process.env['PATH'], REDIS_URL: redis.url, REKINDLE_HTTP: 'off' },
        ...{ REKINDLE_DATA_DIR: folder, ...env },
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return await json(child.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a deployment that uses none of Azure loads none of its packages', async () => {
  expect(await loaded({})).toEqual([]);
  // Else this could not fail.
  expect(await loaded({ ALSO: '@azure/storage-blob' })).toContain('@azure/storage-blob');
});
