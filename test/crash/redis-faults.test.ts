/** A real daemon beside a Redis that fails. Each fault has both for itself, so that they are waited out together. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestContext, describe, test } from 'vitest';
import type { HealthStatus } from '../../src/runtime/health.ts';
import { type Fault, REDIS_FAULTS } from '../support/redis-faults.ts';
import { type Used, WatchedRedis } from '../support/watched-redis.ts';

/** Longer than any time-out of the daemon here. With REKINDLE_TEST_OUTAGE_SECONDS=30 it is a whole outage. */
const LASTS_MS = 1_000 * Number(process.env['REKINDLE_TEST_OUTAGE_SECONDS'] ?? 6);

/** Waited for on a machine that has other things to do; a test that fails takes so long. */
const WITHIN = { timeout: 120_000, interval: 50 };
const TEST_TIMEOUT_MS = 400_000;

/** Users who go quiet while it lasts, and once more as many as come and go about it. */
const USERS = 100;

/**
 * More would be a busy loop, or a log that hides what matters. Idle, a daemon takes some 2 % of a core, and 140 commands
 * a second with those inside scripts; announcing a user takes some 30.
 */
const BOUNDS = { cpu: 0.3, commandsPerSecond: 500, connectionsPerSecond: 20, logLines: 30 };
const COMMANDS_PER_USER = 100;

const SAYS = 'a daemon tells all once and says what is wrong while';

describe.concurrent(`${SAYS} its Redis is`, () => {
  test.for(REDIS_FAULTS.filter(({ of }) => of === 'sessions'))(
    '$name',
    { timeout: TEST_TIMEOUT_MS },
    suffer,
  );
});

describe.concurrent(`${SAYS} the Redis of its bus is`, () => {
  test.for(REDIS_FAULTS.filter(({ of }) => of === 'bus'))(
    '$name',
    { timeout: TEST_TIMEOUT_MS },
    suffer,
  );
});

async function suffer(fault: Fault, { expect }: Pick<TestContext, 'expect'>): Promise<void> {
  await using watched = await WatchedRedis.open(fault);
  const { shop, daemon } = watched;
  const allTold = (): Promise<void> => expect.poll(() => shop.missing(), WITHIN).toBe(0);
  const shows = (expected: Readonly<Record<string, HealthStatus>>): Promise<void> =>
    expect.poll(() => troubles(watched), WITHIN).toEqual(expected);

  const [early, late] = [await shop.leaveCarts(10), await shop.leaveCarts(10)];
  await allTold();
  if (fault.forgets) shop.forget([...early, ...late]);
  else await shop.leaveCarts(USERS);
  const armed = early.length + late.length + (fault.forgets ? 0 : USERS);
  await expect.poll(() => waiting(watched), WITHIN).toBe(armed);
  const before = await watched.sample();
  const end = await fault.begin(watched.victim);
  const beganAt = performance.now();
  await shows(fault.shows);
  if (fault.shopWrites) {
    await shop.comeBack(early);
    await shop.leaveCarts(USERS);
  }
  await sleep(LASTS_MS - (performance.now() - beganAt));
  if (fault.worksOn) await allTold();
  const used = await watched.usedSince(before);
  await end();

  const endedAt = performance.now();
  await shop.comeBack(late);
  await shop.leaveCarts(10);
  await allTold();
  const toldMs = performance.now() - endedAt;
  await shows({});
  if (fault.of === 'sessions' && !fault.keepsTurns) {
    // What nobody tells of, the schedule of reconcile finds.
    await watched.victim.control.config('SET', 'notify-keyspace-events', '');
    await shop.leaveCarts(10);
    await allTold();
  }
  await expect.poll(() => inHand(watched), WITHIN).toBe(0);
  const { told, expected, repeats } = await shop.outcome();
  expect(told).toEqual(expected);
  print(fault, used, toldMs, repeats);
  if (fault.name.startsWith('slow')) expect(used.callMs).toBeGreaterThan(50);
  else if (!fault.worksOn) expect(used.portErrors).toBeGreaterThan(0);
  expect(used.cpu).toBeLessThan(BOUNDS.cpu);
  expect(used.connections).toBeLessThan(BOUNDS.connectionsPerSecond * used.seconds);
  expect(used.logLines).toBeLessThan(
    BOUNDS.logLines + (fault.logLinesPerSecond ?? 0) * used.seconds,
  );
  const announced = fault.shows['work'] === 'failed' ? 0 : 2 * USERS;
  expect(used.commands ?? 0).toBeLessThan(
    BOUNDS.commandsPerSecond * used.seconds + COMMANDS_PER_USER * announced,
  );
  expect(await daemon.end()).toBe(0);
}

test('a daemon starts while the Redis of its bus is away, and tells all when it is there', async ({
  expect,
}) => {
  await using watched = await WatchedRedis.open({ of: 'bus', config: {} }, { busAway: true });
  const { shop, daemon, victim } = watched;
  const shown = async (): Promise<unknown> => troubles(watched);
  await expect.poll(shown, WITHIN).toEqual({ bus: 'degraded' });
  expect(daemon.output).toContain('REKINDLE_BUS_REDIS_URL');
  await shop.leaveCarts(10);
  await expect
    .poll(async () => (await watched.http.metrics()).get('rekindle_bus_failures_total'), WITHIN)
    .toBeGreaterThan(0);
  await victim.proxy.admit();
  await expect.poll(() => shop.missing(), WITHIN).toBe(0);
  await expect.poll(shown, WITHIN).toEqual({});
  expect(await daemon.end()).toBe(0);
});

/** The checks that are not ok. */
async function troubles({ http }: WatchedRedis): Promise<Record<string, HealthStatus>> {
  const { checks } = await http.ready();
  return Object.fromEntries(
    Object.entries(checks).flatMap(([name, { status }]) =>
      status === 'ok' ? [] : [[name, status]],
    ),
  );
}

/** Users who wait for a look. */
async function waiting({ http }: WatchedRedis): Promise<number> {
  return (await http.metrics()).get('rekindle_armed_users')!;
}

/** Users whose look is due or under way. */
async function inHand({ http }: WatchedRedis): Promise<number> {
  const metrics = await http.metrics();
  return metrics.get('rekindle_due_users')! + metrics.get('rekindle_leased_users')!;
}

function print({ of, name }: Fault, used: Used, toldMs: number, repeats: number): void {
  const perSecond = (count: number | undefined): string =>
    count === undefined ? '-' : (count / used.seconds).toFixed(1);
  process.stdout.write(
    `redis-faults: of the ${of}, ${name}: ${used.seconds.toFixed(1)} s with ${(100 * used.cpu).toFixed(1)} % of a core, ` +
      `${perSecond(used.commands)} commands/s, ${perSecond(used.connections)} connections/s, ` +
      `${used.callMs.toFixed(0)} ms a call, ${used.portErrors} failed, ${used.logLines} log lines; ` +
      `all told ${(toldMs / 1_000).toFixed(1)} s after, ${repeats} repeats\n`,
  );
}
