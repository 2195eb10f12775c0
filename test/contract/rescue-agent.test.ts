import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileOutbox } from '../../src/adapters/outbox/file/file-outbox.ts';
import { testRedis } from '../support/redis-server.ts';

const WORKER = fileURLToPath(new URL('../../workers/rescue-agent.ts', import.meta.url));
const redis = testRedis();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-agent-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Starts the worker, which is to end by itself. */
async function run(
  env: Readonly<Record<string, string>>,
): Promise<{ code: unknown; says: string }> {
  const child = spawn(process.execPath, [WORKER], {
    cwd: folder,
    env: { PATH: process.env['PATH'], REDIS_URL: redis.url, REKINDLE_DATA_DIR: folder, ...env },
  });
  const says = text(child.stderr);
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, says: await says };
}

describe('the agent does not start', () => {
  test.each([
    ['REKINDLE_AGENT_DRAFTER', 'openai', 'OPENAI_MODEL'],
    ['REKINDLE_AGENT_OUTBOX', 'https://example.com/drafts', 'REKINDLE_AGENT_WEBHOOK_SECRET'],
    ['REKINDLE_AGENT_DRAFTER', 'poet', 'one of templates, openai'],
  ])('with %s=%s alone, and says what is missing: %s', async (name, value, missing) => {
    const { code, says } = await run({ [name]: value });
    expect(says).toContain(missing);
    expect(code).toBe(2);
  });

  test('with an address of another protocol', async () => {
    const { code, says } = await run({
      REKINDLE_AGENT_OUTBOX: 'ftp://example.com/drafts',
      REKINDLE_AGENT_WEBHOOK_SECRET: 'secret',
    });
    expect(says).toContain('a webhook needs an address such as');
    expect(code).toBe(2);
  });

  test('with a file that another process writes', async () => {
    const outbox = await FileOutbox.open(join(folder, 'drafts.jsonl'), Date);
    const { code, says } = await run({});
    await outbox.close();
    expect(says).toContain('another process has it');
    expect(code).toBe(2);
  });
});
