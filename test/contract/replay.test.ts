import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeReplay } from '../../src/compose-replay.ts';
import { loadConfig } from '../../src/config.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { backtest } from '../../src/replay/backtest.ts';
import { openEventFile } from '../../src/replay/event-file.ts';
import { writeClickstream } from '../support/clickstream.ts';
import { describeUnless } from '../support/did-not-run.ts';
import { testRedis } from '../support/redis-server.ts';
import { assertValidEvent } from '../support/schemas.ts';

const OTTO = fileURLToPath(
  new URL('../../../shared/data/clickstream/otto_sample_28d.csv', import.meta.url),
);
const redis = testRedis();

async function replayed(path: string, idle: string, agent = false): Promise<AnyEvent[]> {
  const config = loadConfig({ REDIS_URL: redis.url, REKINDLE_STAGES: idle });
  const replay = await composeReplay(config, { agent });
  const events: AnyEvent[] = [];
  try {
    await replay.run((await openEventFile(path)).byTime(), (event) => events.push(event));
  } finally {
    await replay.close();
  }
  events.forEach(assertValidEvent);
  return events;
}

interface Announced {
  readonly id: string;
  readonly user: string;
  readonly at: number;
}

async function backtested(path: string, idleMs: number): Promise<Announced[]> {
  const announced: Announced[] = [];
  await backtest((await openEventFile(path)).inFileOrder(), {
    idleMs: [idleMs],
    onAnnouncement: ({ id, user, at }) => announced.push({ id, user, at }),
  });
  return announced;
}

const byTime = (one: Announced, other: Announced): number =>
  one.at - other.at || one.id.localeCompare(other.id);

async function expectSame(
  path: string,
  idle: string,
  idleMs: number,
  agent = false,
): Promise<number> {
  const events = await replayed(path, idle, agent);
  const announced = events
    .filter((event) => event.type === 'cart.abandoned')
    .map((event) => ({ id: event.id, user: event.data.user, at: Date.parse(event.time) }));
  expect(announced.sort(byTime)).toEqual((await backtested(path, idleMs)).sort(byTime));
  return announced.length;
}

describe('a clickstream that was made up', { timeout: 120_000 }, () => {
  let folder = '';
  let path = '';
  let slice = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rekindle-replay-'));
    path = join(folder, 'clicks.csv');
    await writeClickstream(path, { events: 3_000, visitors: 150, seed: 7 });
    slice = join(folder, 'slice.csv');
    await writeClickstream(slice, { events: 1_000, visitors: 60, seed: 8 });
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ['10m', 600_000],
    ['1h', 3_600_000],
  ])('replay announces what backtest announces, event for event: %s', async (idle, idleMs) => {
    expect(await expectSame(path, idle, idleMs)).toBeGreaterThan(50);
  });

  test('a second replay says the same, to the byte', async () => {
    const first = await replayed(path, '30m,20h,72h');
    await redis.client().flushall();
    expect(await replayed(path, '30m,20h,72h')).toEqual(first);
  });

  test('with the agent it announces the same, event for event', async () => {
    expect(await expectSame(slice, '30m', 1_800_000, true)).toBeGreaterThan(15);
  });

  test('the agent acts once on each announcement that it may act on, outside quiet hours, and never after an order', async () => {
    const events = await replayed(slice, '30m,20h,72h', true);
    const announcements = new Map(
      events.flatMap((event) => (event.type === 'cart.abandoned' ? [[event.id, event]] : [])),
    );
    const ends = Map.groupBy(
      events.filter(({ type }) => type === 'cart.recovered' || type === 'cart.rescue_cancelled'),
      (event) => ('announcement_id' in event.data ? event.data.announcement_id : ''),
    );
    const touches = events.filter((event) => event.type === 'cart.touched');
    expect(touches.length).toBeGreaterThan(10);
    const touched = touches.map(({ data }) => data.announcement_id);
    expect(new Set(touched).size).toBe(touches.length);
    let held = 0;
    for (const { data } of touches) {
      const announcement = announcements.get(data.announcement_id);
      expect(announcement?.data.contact.allowed).toBe('yes');
      const notBefore = announcement?.data.contact.not_before ?? announcement?.time ?? '';
      expect(Date.parse(data.at)).toBeGreaterThanOrEqual(Date.parse(notBefore));
      if (announcement?.data.contact.not_before) held += 1;
      for (const end of ends.get(data.announcement_id) ?? [])
        expect(Date.parse(data.at)).toBeLessThanOrEqual(Date.parse(end.time));
    }
    // Some waited for the morning, by the time of the file.
    expect(held).toBeGreaterThan(0);
  });

  test('the same file gives the same report, to the byte, and its sums are those of what was announced', async () => {
    const first = await report();
    expect(await report()).toBe(first);
    const summary = JSON.parse(first) as Summary;
    const { announced, cancelled, recovered, touched, agent, report: told } = summary;
    const { sent, skipped, unwanted, overtaken, deferred, held } = agent;
    expect(sent).toBeGreaterThan(10);
    expect(deferred).toBeGreaterThan(0);
    expect(Object.keys(skipped)).toEqual(expect.arrayContaining(['holdout', 'scope']));
    expect(sent + total(skipped) + total(unwanted) + overtaken + held).toBe(announced);
    expect(touched).toBe(sent);
    const sum = (of: (row: Row) => number): number =>
      told.rows.reduce((all, row) => all + of(row), 0);
    expect(sum((row) => row.announced)).toBe(announced);
    expect(sum((row) => total(row.allowed))).toBe(announced);
    expect(sum((row) => row.touched)).toBe(sent);
    expect(sum((row) => total(row.cancelled))).toBe(cancelled);
    const orders = (row: Row): number[] => Object.values(row.recovered).map((one) => one.orders);
    expect(sum((row) => total(orders(row)))).toBe(recovered);
    expect(told.without_announcement).toEqual({ cancelled: 0, touched: 0, recovered: 0 });
    expect(told.control.users).toBeGreaterThan(0);
    expect(told.lift).not.toBeNull();
  });

  async function report(): Promise<string> {
    const command = ['src/cli/main.ts', 'replay', '--events', slice, '--agent', '--json'];
    const settings = ['--holdout', '0.2', '--timezone', 'Asia/Kolkata'];
    const env = { PATH: process.env['PATH'] };
    const run = promisify(execFile)(process.execPath, [...command, ...settings], { env });
    return (await run).stdout;
  }
});

interface Summary {
  readonly announced: number;
  readonly cancelled: number;
  readonly recovered: number;
  readonly touched: number;
  readonly agent: Readonly<Record<'sent' | 'overtaken' | 'deferred' | 'held', number>> &
    Readonly<Record<'skipped' | 'unwanted', Readonly<Record<string, number>>>>;
  readonly report: {
    readonly rows: readonly Row[];
    readonly without_announcement: Readonly<Record<string, number>>;
    readonly control: { readonly users: number };
    readonly lift: unknown;
  };
}

interface Row {
  readonly announced: number;
  readonly touched: number;
  readonly allowed: Record<string, number>;
  readonly cancelled: Record<string, number>;
  readonly recovered: Record<string, { readonly orders: number }>;
}

function total(counts: Readonly<Record<string, number>> | readonly number[]): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

describeUnless(
  existsSync(OTTO) ? undefined : 'the shared clickstream is not beside this checkout',
  'the OTTO sample',
  () => {
    test.each([
      ['10m', 600_000],
      ['30m', 1_800_000],
      ['60m', 3_600_000],
    ])('replay announces the known 12 carts: %s', async (idle, idleMs) => {
      expect(await expectSame(OTTO, idle, idleMs)).toBe(12);
    });
  },
);
