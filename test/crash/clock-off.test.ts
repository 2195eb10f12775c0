import type { RekindleEvent } from '../../src/model/event.ts';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { BusEar } from '../support/bus-ear.ts';
import { testRedis } from '../support/redis-server.ts';
import { ShopProcess } from '../support/shop-process.ts';
import { PATIENT, ShopTrial } from '../support/shop-trial.ts';
import { foreignWriter } from '../support/shop-writers.ts';
import { WatcherProcess } from '../support/watcher-process.ts';

type Announced = RekindleEvent<'cart.abandoned'>;

/** What the clock of a host is off by. */
const AHEAD_MS = 2 * MINUTE_MS;
const BEHIND_MS = -2 * MINUTE_MS;

const WAIT = { timeout: 60_000, interval: 50 };

const CART = [{ product_id: 'shawl', price: 20, quantity: 1 }];

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });
const clockOff = fileURLToPath(new URL('../support/clock-off.ts', import.meta.url));
const watchers: WatcherProcess[] = [];

afterEach(async () => {
  await Promise.all(watchers.splice(0).map((watcher) => watcher.end('SIGKILL')));
});

async function startWatcher(
  settings: Readonly<Record<string, string>>,
  offMs = 0,
): Promise<WatcherProcess> {
  const watcher = new WatcherProcess({
    settings: { ...settings, CLOCK_OFF_MS: String(offMs) },
    preload: clockOff,
  });
  watchers.push(watcher);
  const before = Date.now();
  await watcher.go();
  await watcher.running();
  const at = Date.parse(/"time":"([^"]+)"[^\n]*"running"/.exec(watcher.output)?.[1] ?? '') - offMs;
  expect(at).toBeGreaterThanOrEqual(before);
  expect(at).toBeLessThanOrEqual(Date.now());
  return watcher;
}

test('a watcher whose host is two minutes ahead or behind announces on time, beside others and alone', async () => {
  const settings = {
    REDIS_URL: redis.url,
    REKINDLE_STAGES: '1s,4s',
    REKINDLE_COOLDOWN: '1d',
    // By a clock that is two minutes ahead every lease of another has run out long ago.
    REKINDLE_LEASE: '100s',
    ...PATIENT,
  };
  const crowd = { seed: 4, users: 100, foreignEvery: 4 };
  await using trial = await ShopTrial.open(settings, crowd, redis.client());
  const startedAt = trial.hot.clock.now();
  const ahead = await startWatcher(settings, AHEAD_MS);
  // Nobody else is there yet.
  await hearsMore(trial.ear, 20);
  const honest = await startWatcher(settings);
  const behind = await startWatcher(settings, BEHIND_MS);
  await hearsMore(trial.ear, 200);
  expect([await ahead.end(), await honest.end()]).toEqual([0, 0]);
  // Nobody else is left.
  await hearsMore(trial.ear, 20);
  const judgement = await trial.settle();
  process.stdout.write(`clocks off by two minutes: ${trial.report(judgement)}\n`);
  expect(judgement).toMatchObject({ wrong: [], missing: [] });
  // Nobody took what another had in hand.
  expect(trial.ear.repeats).toBe(0);
  for (const { time } of trial.ear.events) {
    expect(Date.parse(time)).toBeGreaterThan(startedAt);
    expect(Date.parse(time)).toBeLessThan(trial.hot.clock.now() + SECOND_MS);
  }
  expect(await behind.end()).toBe(0);
});

test('an application on such a host writes when things happened, for its library asks Redis', async () => {
  const settings = { REDIS_URL: redis.url, REKINDLE_STAGES: '1s,1h', ...PATIENT };
  const hot = await openHot(loadConfig(settings));
  const ear = await BusEar.open(loadConfig(settings));
  await startWatcher(settings);
  const visit = async (offMs: number): Promise<void> => {
    const user = `off by ${offMs}`;
    const shop = new ShopProcess({ ...settings, CLOCK_OFF_MS: String(offMs) }, clockOff);
    const before = hot.clock.now();
    await shop.does({ user, cart: CART });
    const after = hot.clock.now();
    const { lastActivityAt = 0 } = (await hot.sessions.read(user)) ?? {};
    expect(lastActivityAt).toBeGreaterThan(before - SECOND_MS);
    expect(lastActivityAt).toBeLessThan(after + SECOND_MS);
    const announced = await ear.until(user, ({ type }) => type === 'cart.abandoned');
    expect(Date.parse((announced as Announced).data.last_activity)).toBe(lastActivityAt);
    expect(Date.parse(announced!.time)).toBeGreaterThanOrEqual(lastActivityAt + SECOND_MS);
    await shop.does({ user });
    await ear.until(user, ({ type }) => type === 'cart.rescue_cancelled');
    await shop.end();
  };
  await Promise.all([visit(AHEAD_MS), visit(BEHIND_MS)]);
  await ear.close();
  await hot.close();
});

test('what another program writes counts by its own clock', async () => {
  const settings = { REDIS_URL: redis.url, REKINDLE_STAGES: '122s,1h', ...PATIENT };
  const thresholdMs = 122 * SECOND_MS;
  const hot = await openHot(loadConfig(settings));
  const ear = await BusEar.open(loadConfig(settings));
  const write = foreignWriter(redis.client());
  const watcher = await startWatcher(settings);
  await watcher.said('keyspace notifications arrive');
  const writes = async (user: string, offMs: number): Promise<number> => {
    const at = hot.clock.now() + offMs;
    await write(user, { did: 'changed the cart', at, cart: CART });
    return at;
  };
  const becomesDue = (user: string, dueAt: number): Promise<void> =>
    vi.waitFor(async () => expect(await hot.agenda.inspect(user)).toMatchObject({ dueAt }), WAIT);

  const aheadAt = await writes('ahead', AHEAD_MS);
  const honestAt = await writes('honest', 0);
  const behindAt = await writes('behind', BEHIND_MS);
  const announced = await ear.until('behind', () => true);
  expect(announced).toMatchObject({ type: 'cart.abandoned', data: { stage: 0 } });
  expect(Date.parse((announced as Announced).data.last_activity)).toBe(behindAt);
  expect(Date.parse(announced!.time)).toBeGreaterThanOrEqual(behindAt + thresholdMs);
  await becomesDue('ahead', aheadAt + thresholdMs);
  await becomesDue('honest', honestAt + thresholdMs);

  // On another host now, whose clock is right: what stands last counts, and it is a return all the same.
  const backAt = await writes('ahead', 0);
  await writes('behind', 0);
  await ear.until('behind', ({ type }) => type === 'cart.rescue_cancelled');
  await becomesDue('ahead', backAt + thresholdMs);
  expect(ear.events).toHaveLength(2);
  await ear.close();
  await hot.close();
});

async function hearsMore({ events }: BusEar, count: number): Promise<void> {
  const enough = events.length + count;
  await vi.waitFor(() => expect(events.length).toBeGreaterThanOrEqual(enough), WAIT);
}
