import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { SqliteRescueLog } from '../../src/adapters/report/sqlite/sqlite-rescue-log.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { buildReport } from '../../src/rescue/report/report.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { testRedis } from '../support/redis-server.ts';
import { REPORTER_STEPS, type ReporterPlan, ReporterProcess } from '../support/reporter-process.ts';
import {
  abandonedEvent,
  cancelledEvent,
  erasedEvent,
  recoveredEvent,
  touchedEvent,
} from '../support/sample-events.ts';

const redis = testRedis();
const USERS = 40;
let folder: string;
let processes: ReporterProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-reporter-'));
  processes = [];
});

afterEach(async () => {
  await Promise.all(processes.map((one) => one.kill()));
  rmSync(folder, { recursive: true });
});

function start(step?: ReporterPlan['step']): ReporterProcess {
  const started = new ReporterProcess({
    ...{ url: redis.url, prefix: redis.prefix, file: join(folder, 'report.sqlite'), claimMs: 300 },
    ...(step && { step }),
  });
  processes.push(started);
  return started;
}

async function publish(events: readonly AnyEvent[]): Promise<void> {
  const bus = new RedisStreamsBus({
    connect: (settings) => new Redis(redis.url, settings),
    prefix: redis.prefix,
    cap: 100_000,
    log: silentLogger,
  });
  try {
    expect((await bus.publish(events)).every(({ durable }) => durable)).toBe(true);
  } finally {
    await bus.close();
  }
}

async function report() {
  const log = new SqliteRescueLog(join(folder, 'report.sqlite'), { readOnly: true });
  try {
    return buildReport(await log.count({ from: 0, to: Date.UTC(2100, 0, 1) }));
  } finally {
    await log.close();
  }
}

test.each(REPORTER_STEPS)(
  'a reporter that is killed %s loses nothing, and the next one counts nothing twice',
  async (step) => {
    const events = Array.from({ length: USERS }, (_none, n) => [
      ...[abandonedEvent(n), touchedEvent(n), cancelledEvent(n), recoveredEvent(n)],
      ...(n % 4 === 0 ? [erasedEvent(n)] : []),
    ]).flat();
    await publish(events);
    const doomed = start(step);
    expect(await doomed.exited()).toBe('SIGKILL');
    expect(doomed.said).toBe('struck down\n');
    const { rows } = await report();
    const folded = ['after the fold', 'amid settling', 'after settling'].includes(step);
    // What was within a transaction is there as a whole, or not at all.
    expect(rows.map(({ announced }) => announced)).toEqual(folded ? [USERS * 0.75] : []);

    const next = start();
    expect(await next.exited()).toBe(0);
    // What was settled does not come again.
    const left = { 'amid settling': events.length / 2, 'after settling': 0 }[step as string];
    expect(next.said).toBe(`took ${String(left ?? events.length)}\n`);
    expect((await report()).rows).toMatchObject([
      {
        announced: USERS * 0.75,
        touched: USERS * 0.75,
        cancelled: { resumed: USERS * 0.75 },
        recovered: { assisted: { orders: USERS * 0.75, value: USERS * 0.75 * 39.8 } },
      },
    ]);
  },
);
