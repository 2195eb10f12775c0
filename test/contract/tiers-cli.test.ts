import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEMOTION } from '../../src/abandonment/demotion.ts';
import { openWarm, warmFile } from '../../src/compose-warm.ts';
import { openHot, openJobs } from '../../src/compose.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { openRekindle } from '../../src/index.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import type { Jobs } from '../../src/ports/jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { anEntry } from './warm.ts';
import { testRedis } from '../support/redis-server.ts';

/** A command takes a second to start where nothing else runs. */
const PATIENT = { timeout: 60_000 };

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const redis = testRedis();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-cli-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const settings = (): Record<string, string> => ({
  REDIS_URL: redis.url,
  REKINDLE_DATA_DIR: folder,
  REKINDLE_WINDOW: '3',
  REKINDLE_HTTP: 'off',
});
const config = (): Config => loadConfig(settings());

function run(args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [fileOf('src/cli/main.ts'), ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: folder,
    env: { PATH: process.env['PATH'], ...settings(), ...env },
  });
}

function json(args: readonly string[]): { status: number | null; said: Record<string, unknown> } {
  const { status, stdout } = run([...args, '--json']);
  return { status, said: JSON.parse(stdout) as Record<string, unknown> };
}

/** Somebody says five words, two of which the window pushes out, and fills a cart. */
async function converse(user: string): Promise<void> {
  const rekindle = await openRekindle({ env: settings() });
  try {
    for (const id of ['1', '2', '3', '4', '5'])
      await rekindle.appendMessage(user, { id, role: 'user', content: `secret ${id}` });
    await rekindle.updateCart(user, [{ product_id: 'shirt', price: 20, quantity: 2 }]);
  } finally {
    await rekindle.close();
  }
}

async function withJobs<T>(work: (jobs: Jobs) => Promise<T>): Promise<T> {
  const jobs = await openJobs(config(), silentLogger);
  try {
    return await work(jobs);
  } finally {
    await jobs.stop(AbortSignal.abort());
  }
}

const queue = (...users: string[]): Promise<void> => withJobs((jobs) => jobs.add(DEMOTION, users));

/** Puts an entry into warm that no demotion understands. */
async function spoilWarm(user: string): Promise<void> {
  const hot = await openHot(config());
  const warm = await openWarm(config(), hot.clock);
  const entry = anEntry(user, 'spoilt', { memoryType: 'segment', stepNumber: 1 });
  await warm.put(user, [{ entry }]);
  await warm.close();
  await hot.close();
}

describe('demote --once', PATIENT, () => {
  test('takes to warm what is queued, and then finds nothing', async () => {
    await converse('ann');
    await queue('ann', 'nobody');
    const nothing = { copied: 0, sunk: 0, nothing: 0, messages: 0, failed: 0, dead: 0 };
    expect(json(['demote', '--once'])).toEqual({
      status: 0,
      said: { ...nothing, copied: 1, nothing: 1, messages: 5 },
    });
    expect(json(['demote', '--once'])).toEqual({ status: 0, said: nothing });
    expect(run(['demote', '--once']).stdout).toBe(
      '0 copied, 0 sunk, 0 found nothing, 0 messages; 0 failed, 0 dead\n',
    );
  });

  test('fails with 1 when a demotion did, and takes the others', async () => {
    await converse('ann');
    await converse('bob');
    await spoilWarm('ann');
    await queue('ann', 'bob');
    expect(json(['demote', '--once'])).toMatchObject({
      status: 1,
      said: { copied: 1, messages: 5, failed: 1, dead: 0 },
    });
  });

  test('fails with 1 when there can be no warm tier, and says where', () => {
    writeFileSync(join(folder, 'file'), '');
    const dataDir = join(folder, 'file', 'data');
    const { status, stdout, stderr } = run(['demote', '--once', '--data-dir', dataDir]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(dataDir);
    const doctor = run(['doctor', '--data-dir', dataDir]);
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/^refuse +data folder: .* may not be written to/m);
  });
});

/** Who said something ten days ago, of which nothing is hot any more. */
async function longAgo(user: string): Promise<void> {
  const at = Date.now() - 10 * DAY_MS;
  const rekindle = await openRekindle({ env: settings() });
  try {
    for (const [index, content] of ['hello', 'I prefer size M', 'goodbye'].entries())
      await rekindle.appendMessage(user, { id: `m${index}`, role: 'user', content }, { at });
  } finally {
    await rekindle.close();
  }
  await queue(user);
  expect(json(['demote', '--once'])).toMatchObject({ status: 0 });
}

describe('compact --once', PATIENT, () => {
  test('takes what has aged to cold, once; inspect shows it, and erase removes it', async () => {
    await longAgo('ann');
    await converse('bob');
    const nothing = { users: 0, conversations: 0, messages: 0, failed: 0, dead: 0 };
    expect(json(['compact', '--once'])).toEqual({
      status: 0,
      said: { ...nothing, users: 1, conversations: 1, messages: 3 },
    });
    expect(json(['compact', '--once'])).toEqual({ status: 0, said: nothing });
    const { said } = json(['inspect', 'ann']);
    expect(said).toMatchObject({
      warm: { segments: 0, messages: [], sessions: [{}] },
      cold: { transcripts: 1, records: 1, insights: [{ kind: 'preference', support: 1 }] },
    });
    expect(JSON.stringify(said)).not.toContain('size M');
    expect(run(['inspect', 'ann', '--text']).stdout).toMatch(/preference, 1 conversation.*size M/);
    expect(json(['erase', 'ann'])).toMatchObject({
      status: 0,
      said: { removed: { cold: 3 }, remains: { cold: 0, warm: 0 } },
    });
    expect(json(['inspect', 'ann']).said).toMatchObject({ cold: { transcripts: 0, records: 0 } });
  });

  test('fails with 1 when a summary does, and keeps the conversation where it is', async () => {
    await longAgo('ann');
    const model = { REKINDLE_SUMMARIZER: 'openai', OPENAI_MODEL: 'none', OPENAI_API_KEY: 'secret' };
    const nowhere = { ...model, OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' };
    const { status, stdout, stderr } = run(['compact', '--once', '--json'], nowhere);
    expect({ status, said: JSON.parse(stdout) as unknown }).toMatchObject({
      status: 1,
      said: { users: 1, conversations: 0, failed: 1 },
    });
    expect(stderr).not.toMatch(/secret|size M/);
    expect(json(['inspect', 'ann']).said).toMatchObject({ warm: { segments: 1 } });
  });

  test('says what is wrong with its settings', () => {
    const half = run(['compact', '--once'], { REKINDLE_SUMMARIZER: 'openai' });
    expect(half.status).toBe(2);
    expect(half.stderr).toContain('OPENAI_MODEL');
    const cron = run(['compact', '--once', '--compact-cron', 'at night']);
    expect(cron.status).toBe(2);
    expect(cron.stderr).toContain('cron expression');
    expect(run(['compact'])).toMatchObject({ status: 2 });
  });
});

describe('recall', PATIENT, () => {
  test('shows what was said in every tier, and keeps within the budget', async () => {
    await longAgo('ann');
    expect(run(['compact', '--once']).status).toBe(0);
    await converse('ann');
    await queue('ann');
    expect(run(['demote', '--once']).status).toBe(0);
    const { status, said } = json([
      'recall',
      'ann',
      '--query',
      'the second secret',
      '--budget',
      '200',
    ]);
    expect(status).toBe(0);
    expect(said).toMatchObject({
      user: 'ann',
      immediate: { messages: [{ id: '3' }, { id: '4' }, { id: '5', text: 'secret 5' }] },
      insights: [{ kind: 'preference', text: expect.stringContaining('size M') as string }],
      dropped: ['3', '4', '5'].map((id) => ({ tier: 'warm', id, reason: 'duplicate' })),
    });
    expect(said['relevant']).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: '2', text: 'secret 2' })]),
    );
    expect(said['tokens']).toBeLessThanOrEqual(200);
    const { stdout } = run(['recall', 'ann', '--query', 'the second secret']);
    expect(stdout).toMatch(/secret 5[^]*secret 2[^]*size M[^]*^\d+ of 2700 tokens$/m);
    const scarce = run(['recall', 'ann', '--budget', '12']).stdout;
    expect(scarce).toMatch(/^left out: .*(hot|warm), /m);
  });

  test('of somebody unknown says so, and names the tiers that are not there', () => {
    const { status, stdout } = run(['recall', 'nobody']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^nothing is known of this user$/m);
    expect(stdout).toMatch(/^left out: warm, .*warm\.sqlite is not there/m);
    expect(stdout).toMatch(/^left out: cold, .*cold is not there/m);
  });

  test('refuses a budget and a user that can be none', () => {
    expect(run(['recall', 'ann', '--budget', 'plenty'])).toMatchObject({ status: 2, stdout: '' });
    expect(run(['recall', ''])).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('inspect', PATIENT, () => {
  test('shows every tier, and no word of what was said unless it is told to', async () => {
    await converse('ann');
    await queue('ann');
    const { said: before } = json(['inspect', 'ann']);
    expect(before).toMatchObject({
      window: { count: 3, messages: [{ id: '3' }, { id: '4' }, { id: '5', role: 'user' }] },
      overflow: { count: 2, messages: [{ id: '1' }, { id: '2' }] },
      demotion: { job: 'waiting', dead: null },
      erased_at: null,
      warm: {
        place: warmFile(config()),
        problem: expect.stringContaining('no such file') as string,
      },
    });
    expect(run(['demote', '--once']).status).toBe(0);
    const { said } = json(['inspect', 'ann']);
    expect(said).toMatchObject({
      session: { cart: expect.stringContaining('shirt') as string },
      window: { count: 3 },
      overflow: { count: 0 },
      demotion: { job: null, dead: null },
      warm: {
        entries: 2,
        segments: 1,
        sessions: [{ ours: true, messages: 5, cart: { items: 1, value: 40 } }],
      },
    });
    expect(said['warm']).toMatchObject({
      messages: ['1', '2', '3', '4', '5'].map((id) => ({ id, role: 'user' })),
    });
    const { stdout } = run(['inspect', 'ann']);
    expect(stdout).toMatch(/^window +3 messages$/m);
    expect(stdout).toMatch(/^warm\.messages +5 messages in 1 segment$/m);
    expect(stdout).toMatch(/^warm\.session\.\S+ +5 messages, cart of 1 worth 40, hash \S+$/m);
    expect(stdout + JSON.stringify(said)).not.toContain('secret');
    expect(run(['inspect', 'ann', '--text']).stdout).toMatch(/^warm +\S+ +user +secret 1$/m);
    expect(JSON.stringify(json(['inspect', 'ann', '--text']).said)).toContain('secret 5');
  });

  test('says what is wrong with warm, and shows the rest', async () => {
    await converse('ann');
    writeFileSync(warmFile(config()), 'once upon a time '.repeat(500));
    const { status, said } = json(['inspect', 'ann']);
    expect(status).toBe(0);
    expect(said).toMatchObject({
      window: { count: 3 },
      warm: { problem: expect.stringContaining('damaged') as string },
    });
  });
});

describe('erase', PATIENT, () => {
  test('reports place by place what it removed, and then finds nothing', async () => {
    await converse('ann');
    await queue('ann');
    expect(run(['demote', '--once']).status).toBe(0);
    await queue('ann');
    const first = json(['erase', 'ann']);
    expect(first).toMatchObject({
      status: 0,
      said: {
        user: 'ann',
        erased_at: expect.any(String) as string,
        removed: { warm: 2, 'hot session': 1, 'hot messages': 3, 'demotion jobs': 1 },
      },
    });
    const { said: shown } = json(['inspect', 'ann']);
    expect(shown).toMatchObject({ session: null, erased_at: first.said['erased_at'] });
    for (const { said } of [first, json(['erase', 'ann'])]) {
      const { removed, remains } = said as Record<'removed' | 'remains', Record<string, number>>;
      expect(Object.values(remains).every((count) => count === 0)).toBe(true);
      expect(Object.keys(remains).sort()).toEqual(Object.keys(removed).sort());
    }
    expect(run(['erase', 'ann']).stdout).toMatch(/^warm +0 +0$[^]*a second scan found nothing\n$/m);
  });

  test('of somebody unknown finds nothing, and that is fine', () => {
    const { status, said } = json(['erase', 'nobody']);
    expect(status).toBe(0);
    expect(Object.values(said['removed'] as object).every((count) => count === 0)).toBe(true);
  });
});

describe('a warm tier that cannot be used', PATIENT, () => {
  test.each([
    [
      'damaged',
      async () => writeFile(warmFile(config()), 'once upon a time '.repeat(500)),
      'damaged',
    ],
    [
      'of a newer version',
      async () => {
        const hot = await openHot(config());
        await (await openWarm(config(), hot.clock)).close();
        await hot.close();
        const newer = new DatabaseSync(warmFile(config()));
        newer.exec('PRAGMA user_version = 99');
        newer.close();
      },
      'newer Rekindle',
    ],
  ])('because it is %s stops the daemon at its start, and doctor says so', async (_, make, why) => {
    await make();
    for (const worker of [[fileOf('src/cli/main.ts'), 'daemon'], [fileOf('workers/demoter.ts')]]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, worker, {
        encoding: 'utf8',
        timeout: 30_000,
        env: { PATH: process.env['PATH'], ...settings(), LOG_LEVEL: 'error' },
      });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain(why);
      expect(stderr).toContain(warmFile(config()));
    }
    const { status, stdout } = run(['doctor']);
    expect(status).toBe(1);
    expect(stdout).toMatch(new RegExp(`^refuse +warm tier: .*${why}`, 'm'));
  });
});

test(
  'a cold tier of a newer version stops the daemon at its start, and doctor says so',
  PATIENT,
  () => {
    const cold = join(folder, 'cold');
    mkdirSync(cold);
    writeFileSync(join(cold, 'format'), 'rekindle cold 99\n');
    const daemon = run(['daemon']);
    expect(daemon.status).toBe(1);
    expect(daemon.stderr).toMatch(/of version 99, made by a newer Rekindle/);
    const doctor = run(['doctor']);
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/^refuse +cold tier: .*of version 99/m);
  },
);

test('the demoter works alone, and stops in good order at SIGTERM', PATIENT, async () => {
  await converse('ann');
  await queue('ann');
  const demoter = spawn(process.execPath, [fileOf('workers/demoter.ts')], {
    env: { PATH: process.env['PATH'], ...settings() },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log = text(demoter.stderr);
  const ended = once(demoter, 'exit');
  try {
    await expect
      .poll(() => withJobs((jobs) => jobs.inspect(DEMOTION, 'ann')), { timeout: 20_000 })
      .toEqual({ state: undefined, dead: undefined });
    await running(demoter);
  } finally {
    demoter.kill('SIGTERM');
  }
  expect(await ended).toEqual([0, null]);
  expect(await log).toContain('"msg":"stopped"');
  expect(json(['inspect', 'ann']).said).toMatchObject({ warm: { segments: 1 } });
  // Nobody looks: that is the watcher's.
  expect(await redis.client().exists('rekindle:ledger:ann')).toBe(0);
});

/** A moment for the signals to be listened to. */
async function running(process: ChildProcess): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(process.exitCode).toBeNull();
}
