import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { SqliteRescueLog } from '../../src/adapters/report/sqlite/sqlite-rescue-log.ts';
import { BusUnavailableError, ReportUnavailableError } from '../../src/model/errors.ts';
import type { Folded, RescueFact, RescueLog } from '../../src/ports/rescue-log.ts';
import { buildReport } from '../../src/rescue/report/report.ts';
import { REPORT_GROUP, Reporter, reportState } from '../../src/rescue/report/reporter.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { testRedis } from '../support/redis-server.ts';
import { abandonedEvent, abandonedEvents, touchedEvent } from '../support/sample-events.ts';

const redis = testRedis();
const CAP = 20;
const KEPT_MS = 86_400_000;
let folder: string;
let log: SqliteRescueLog;
let bus: RedisStreamsBus;
let reporter: Reporter | undefined;
let clock: VirtualClock;
let outcomes: Record<string, number>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-reporter-'));
  log = new SqliteRescueLog(join(folder, 'report.sqlite'));
  bus = new RedisStreamsBus({
    connect: (settings) => new Redis(redis.url, settings),
    prefix: redis.prefix,
    cap: CAP,
    log: silentLogger,
  });
  clock = new VirtualClock(Date.parse(abandonedEvent(1).time));
  outcomes = {};
});

afterEach(async () => {
  await reporter?.close();
  reporter = undefined;
  await bus.close();
  await log.close();
  rmSync(folder, { recursive: true });
});

function report(through: RescueLog = log): Reporter {
  reporter = new Reporter(
    { bus, log: through, clock },
    { reportTtlMs: KEPT_MS },
    (outcome, count) => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    },
  );
  return reporter;
}

async function counted(): Promise<number[]> {
  const { rows } = buildReport(await log.count({ from: 0, to: Date.UTC(2100, 0, 1) }));
  return rows.map(({ announced }) => announced);
}

test('folds what comes and settles it, what comes twice once', async () => {
  await bus.publish([...abandonedEvents(5), ...abandonedEvents(5), touchedEvent(1)]);
  expect(await report().runOnce(1_000)).toBe(11);
  expect(outcomes).toEqual({ added: 6, repeated: 5 });
  expect(await counted()).toEqual([5]);
  expect(await reportState(bus)).toEqual({ behind: 0, deadLetters: 0 });
});

test('puts aside what is no event of its type, says why, and passes over types that it does not know', async () => {
  const spoilt = { ...abandonedEvent(1), data: { user: 'ann' } } as never;
  const unknown = { ...abandonedEvent(2), type: 'session.demoted' } as never;
  await bus.publish([spoilt, unknown, abandonedEvent(3)]);
  await report().runOnce(1_000);
  expect(outcomes).toEqual({ added: 1, unreadable: 1 });
  expect(await counted()).toEqual([1]);
  expect(await reportState(bus)).toEqual({ behind: 0, deadLetters: 1 });
  const [letter] = await bus.deadLetters(REPORT_GROUP, 1);
  expect(letter?.reason).toMatch(/^no event of its type: /);
});

test('refuses what is older than what is kept', async () => {
  await clock.advanceTo(clock.now() + KEPT_MS + 1);
  await bus.publish([abandonedEvent(1)]);
  await report().runOnce(1_000);
  expect(outcomes).toEqual({ refused: 1 });
  expect(await counted()).toEqual([]);
});

test('keeps in hand what the file does not take, reads nothing more, and makes no dead letters of it', async () => {
  let failures = 3;
  class Full extends SqliteRescueLog {
    override fold(facts: readonly RescueFact[], keptFrom: number): Promise<Folded> {
      failures -= 1;
      if (failures >= 0) return Promise.reject(new ReportUnavailableError('the disk is full'));
      return super.fold(facts, keptFrom);
    }
  }
  const full = new Full(join(folder, 'report.sqlite'));
  try {
    await bus.publish(abandonedEvents(3));
    const stuck = report(full);
    await expect(stuck.runOnce(1_000)).rejects.toThrow('the disk is full');
    await bus.publish(abandonedEvents(2, 3));
    await expect(stuck.runOnce(1_000)).rejects.toThrow('the disk is full');
    await expect(stuck.runOnce(1_000)).rejects.toThrow('the disk is full');
    expect(await reportState(bus)).toEqual({ behind: 5, deadLetters: 0 });
    expect(await stuck.runOnce(1_000)).toBe(3);
    expect(await stuck.runOnce(1_000)).toBe(2);
    expect(await counted()).toEqual([5]);
    expect(await reportState(bus)).toEqual({ behind: 0, deadLetters: 0 });
  } finally {
    await full.close();
  }
});

test('sweeps what is older than what is kept', async () => {
  await bus.publish(abandonedEvents(3));
  const swept = report();
  await swept.runOnce(1_000);
  await clock.advanceTo(clock.now() + KEPT_MS + 1);
  await swept.sweep();
  expect(await counted()).toEqual([]);
});

test('the first subscriber finds what was published before it, though the report has counted it', async () => {
  await bus.publish(abandonedEvents(5));
  await report().runOnce(1_000);
  expect(await bus.trim()).toBe(0);
  const subscription = await bus.subscribe({ group: 'rescue' });
  const deliveries = await subscription.receive(10, 1_000);
  expect(deliveries).toHaveLength(5);
  await Promise.all(deliveries.map((delivery) => delivery.done()));
  await subscription.close();
  expect(await bus.trim()).toBe(5);
});

test('while nobody but the report subscribes, events wait up to the cap', async () => {
  const reading = report();
  expect((await bus.publish(abandonedEvents(CAP))).every(({ durable }) => durable)).toBe(true);
  await reading.runOnce(1_000);
  await expect(bus.publish(abandonedEvents(1, CAP))).rejects.toThrow(/nobody subscribes/);
});

test('a report that nobody keeps holds up publishing at the cap, and is named', async () => {
  const others = await bus.subscribe({ group: 'rescue' });
  const left = report();
  await left.runOnce(0);
  await left.close();
  await bus.publish(abandonedEvents(CAP));
  for (const delivery of await others.receive(CAP, 1_000)) await delivery.done();
  const refusal = await bus.publish(abandonedEvents(1, CAP)).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(BusUnavailableError);
  expect(refusal).toMatchObject({ group: REPORT_GROUP });
  await redis.client().xgroup('DESTROY', `${redis.prefix}:events`, REPORT_GROUP);
  expect(await bus.publish(abandonedEvents(1, CAP))).toEqual([{ durable: true }]);
});
