import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type MarkedProcess, markedProcesses } from '../support/marked-processes.ts';
import { testRedis } from '../support/redis-server.ts';

const ENTRY = 'src/cli/main.ts';
/** Keys of those whose sessions lie there before the daemon runs. */
const HAS_A_PAST = /-0(?:01|16|31)(?::|$)/;

const CROWD = ['--seconds', '10', '--users', '40', '--json'];

interface Summary {
  readonly sessions: number;
  readonly foreign_sessions: number;
  readonly messages: number;
  readonly orders: number;
  readonly announced: number;
  readonly announced_by_stage: Record<string, number>;
  readonly cancelled: Record<string, number>;
  readonly lateness_ms: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly sank: number;
  readonly resumed: Readonly<Record<string, number>>;
  readonly kept: Readonly<Record<'said' | 'hot' | 'warm' | 'both' | 'cold', number>>;
  readonly compacted: Readonly<Record<'users' | 'conversations' | 'messages' | 'insights', number>>;
  readonly recalled: { readonly users: number; readonly in_all_parts: number };
  readonly excerpt: Readonly<
    Record<'immediate' | 'relevant' | 'insights', { tokens: number; lines: string[] }>
  > & { readonly question: string; readonly tokens: number };
  readonly rescue: {
    readonly sent: number;
    readonly skipped: Readonly<Record<string, number>>;
    readonly called_back: number;
    readonly recovered: Readonly<Record<'direct' | 'assisted' | 'organic', number>>;
    readonly drafts: readonly { language: string; channel: string; text: string }[];
    readonly report: { readonly behind: number; readonly rows: readonly Row[] };
  };
  readonly duplicates: number;
  readonly seconds: number;
  readonly checks: { readonly ok: boolean; readonly announcements_expected: number };
}

interface Row {
  readonly announced: number;
  readonly touched: number;
  readonly recovered: Readonly<Record<string, { readonly orders: number }>>;
}

let folder: string;
let mark: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-test-'));
  mark = `DEMO_TEST=${randomUUID()}`;
});

afterEach(() => {
  for (const { pid } of markedProcesses(mark)) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test('the demo announces what its people call for, loses no message, recalls who is back after days, writes to whom it may, says so as JSON, and leaves nothing behind', async () => {
  const { code, stdout, stderr } = await ended(startDemo());
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const summary = JSON.parse(stdout) as Summary;
  expect(summary).toMatchObject({ seconds: 10, foreign_sessions: 4, duplicates: 0 });
  // Who has a past comes back once it is compacted, and on a busy machine not in time.
  expect(summary.sessions).toBeGreaterThanOrEqual(38);
  expect(summary.sessions).toBeLessThanOrEqual(40);
  expect(summary.checks).toMatchObject({ ok: true, missing: 0, unexpected: 0, problems: [] });
  expect(summary.checks).toMatchObject({ misplaced: 0, bereft: 0, forgotten: 0 });
  expect(summary.checks.announcements_expected).toBeGreaterThan(0);
  expect(summary.announced).toBeGreaterThanOrEqual(summary.checks.announcements_expected);
  expect(Object.keys(summary.announced_by_stage)).toEqual(['0', '1']);
  expect(summary.cancelled['resumed']).toBeGreaterThan(0);
  expect(summary.sank).toBeGreaterThan(0);
  expect(summary.resumed['warm']).toBeGreaterThan(0);
  const { said, hot, warm, both, cold } = summary.kept;
  expect(warm).toBeGreaterThan(0);
  expect(hot + warm + both + cold).toBe(said);
  const { compacted, recalled, excerpt } = summary;
  expect(compacted).toMatchObject({ users: 3, conversations: 3, messages: cold });
  expect(compacted.insights).toBeGreaterThanOrEqual(3);
  expect(recalled.users).toBeGreaterThan(0);
  expect(recalled.in_all_parts).toBe(recalled.users);
  const { immediate, relevant, insights, question, tokens } = excerpt;
  expect(immediate.tokens + relevant.tokens + insights.tokens).toBe(tokens);
  expect(immediate.lines.at(-1)).toBe(`> user: ${question}`);
  expect(relevant.lines[0]).toMatch(/^> (user|assistant): /);
  expect(insights.lines[0]).toMatch(/^> (preference|mistake|pattern|lesson|fact): /);
  const { sent, skipped, recovered, drafts, report } = summary.rescue;
  expect(summary.checks).toMatchObject({ misdirected: 0, misjudged: 0, miscounted: 0 });
  expect(sent).toBeGreaterThan(0);
  expect(Object.keys(skipped)).toEqual(expect.arrayContaining(['none', 'holdout']));
  expect(drafts.map(({ language }) => language)).toEqual(expect.arrayContaining(['en', 'hi-en']));
  for (const { text } of drafts) expect(text).not.toBe('');
  const orders = recovered.direct + recovered.assisted + recovered.organic;
  expect(orders).toBeGreaterThan(0);
  const sum = (of: (row: Row) => number): number =>
    report.rows.reduce((all, row) => all + of(row), 0);
  expect(sum((row) => row.announced)).toBe(summary.announced);
  expect(sum((row) => row.touched)).toBe(sent);
  const classes = (row: Row): number[] => Object.values(row.recovered).map((one) => one.orders);
  expect(sum((row) => classes(row).reduce((all, count) => all + count, 0))).toBe(orders);
  const { p50, p95, max } = summary.lateness_ms;
  expect(p50).toBeGreaterThanOrEqual(0);
  expect(p95).toBeLessThanOrEqual(max);
  await nothingIsLeft();
});

test('killed, it takes Redis and the daemon with it', async () => {
  const demo = startDemo();
  const finished = ended(demo);
  await daemonOf(mark);
  demo.kill('SIGKILL');
  await finished;
  await nothingIsLeft();
});

describe('with REDIS_URL', () => {
  const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

  test('it uses that server, touches nothing of its owner’s, and removes what it wrote', async () => {
    const client = redis.client();
    await client.hset('session:somebody', { cart: '[{"product_id":"a"}]', last_activity: '1' });
    const { code, stdout, stderr } = await ended(startDemo({ REDIS_URL: redis.url }));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ redis: 'given', checks: { ok: true } });
    expect(await client.keys('*')).toEqual(['session:somebody']);
    await nothingIsLeft();
  });

  test('Ctrl-C ends it at once and leaves nothing behind', async () => {
    const demo = startDemo({ REDIS_URL: redis.url });
    const finished = ended(demo);
    await somebodyCame();
    demo.kill('SIGINT');
    expect(await finished).toMatchObject({ code: 130, stdout: '' });
    expect(await redis.client().keys('*')).toEqual([]);
    await nothingIsLeft();
  });

  test('when the daemon dies it says so, with the end of its log', async () => {
    const finished = ended(startDemo({ REDIS_URL: redis.url }));
    await somebodyCame();
    process.kill((await daemonOf(mark)).pid, 'SIGKILL');
    const { code, stdout, stderr } = await finished;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rekindle: the daemon ended with SIGKILL; the end of its log:\n {2}\{/);
    expect(await redis.client().keys('*')).toEqual([]);
    await nothingIsLeft();
  });

  async function somebodyCame(): Promise<void> {
    const client = redis.client();
    await vi.waitFor(
      async () => {
        const sessions = await client.keys('rekindle-demo-*:session:*');
        expect(sessions.filter((key) => !HAS_A_PAST.test(key))).not.toEqual([]);
      },
      { timeout: 20_000, interval: 50 },
    );
  }
});

function startDemo(env: Record<string, string> = {}): ChildProcess {
  const [name = '', value] = mark.split('=');
  const { REDIS_URL: _theirs, ...inherited } = process.env;
  return spawn(process.execPath, [ENTRY, 'demo', ...CROWD], {
    env: { ...inherited, ...env, TMPDIR: folder, [name]: value },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ended(
  demo: ChildProcess,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [stdout, stderr, [code]] = await Promise.all([
    text(demo.stdout!),
    text(demo.stderr!),
    once(demo, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

async function daemonOf(mark: string): Promise<MarkedProcess> {
  return vi.waitFor(
    () => {
      const daemon = markedProcesses(mark).find(({ command }) => /main\.ts daemon\b/.test(command));
      if (!daemon) throw new Error('there is no daemon yet');
      return daemon;
    },
    { timeout: 20_000, interval: 50 },
  );
}

async function nothingIsLeft(): Promise<void> {
  await vi.waitFor(
    () => {
      expect(markedProcesses(mark)).toEqual([]);
      expect(readdirSync(folder)).toEqual([]);
    },
    { timeout: 5_000, interval: 50 },
  );
}
