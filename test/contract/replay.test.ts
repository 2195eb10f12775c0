import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

async function replayed(path: string, idle: string): Promise<AnyEvent[]> {
  const config = loadConfig({ REDIS_URL: redis.url, REKINDLE_STAGES: idle });
  const replay = await composeReplay(config);
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

async function expectSame(path: string, idle: string, idleMs: number): Promise<number> {
  const events = await replayed(path, idle);
  const announced = events
    .filter((event) => event.type === 'cart.abandoned')
    .map((event) => ({ id: event.id, user: event.data.user, at: Date.parse(event.time) }));
  expect(announced.sort(byTime)).toEqual((await backtested(path, idleMs)).sort(byTime));
  return announced.length;
}

describe('a clickstream that was made up', { timeout: 60_000 }, () => {
  let folder = '';
  let path = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rekindle-replay-'));
    path = join(folder, 'clicks.csv');
    await writeClickstream(path, { events: 3_000, visitors: 150, seed: 7 });
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
});

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
