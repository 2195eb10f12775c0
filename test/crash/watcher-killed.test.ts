import { afterEach, describe, expect, test } from 'vitest';
import { openBus, openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { STEPS, type KillPoint } from '../support/kill-points.ts';
import { testRedis } from '../support/redis-server.ts';
import { assertValidEvent } from '../support/schemas.ts';
import { WatcherProcess } from '../support/watcher-process.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });
const watchers: WatcherProcess[] = [];

afterEach(async () => {
  await Promise.all(watchers.splice(0).map((watcher) => watcher.end('SIGKILL')));
});

const settings = (): Record<string, string> => ({
  REDIS_URL: redis.url,
  REKINDLE_STAGES: '1s,1h',
  REKINDLE_LEASE: '1s',
});

/** Starts a watcher that dies at the kill point, and one without after it died. */
async function dieAndGoOn(point: KillPoint): Promise<void> {
  const doomed = new WatcherProcess(settings(), point);
  watchers.push(doomed);
  expect(await doomed.exited()).toBe('SIGKILL');
  watchers.push(new WatcherProcess(settings()));
}

/** What a subscriber hears until nothing more comes. */
async function heard(quietMs = 2_500): Promise<AnyEvent[]> {
  const bus = await openBus(loadConfig(settings()));
  const subscription = await bus.subscribe({ group: 'test' });
  const events: AnyEvent[] = [];
  for (;;) {
    const deliveries = await subscription.receive(100, events.length === 0 ? 15_000 : quietMs);
    if (deliveries.length === 0) break;
    for (const delivery of deliveries) {
      events.push(delivery.event);
      await delivery.done();
    }
  }
  await subscription.close();
  await bus.close();
  return events;
}

async function leaveCarts(users: readonly string[]): Promise<void> {
  const client = redis.client();
  const seconds = (Date.now() / 1_000).toFixed(3);
  for (const user of users) {
    await client.hset(
      `session:${user}`,
      'last_activity',
      seconds,
      'cart',
      '[{"product_id":"p1","price":5}]',
    );
  }
}

describe('a watcher killed with SIGKILL', () => {
  test('between publish and strike: the same id comes again, and nothing else', async () => {
    await leaveCarts(['alice']);
    await dieAndGoOn({ when: 'before', step: 'ledgers.strike', nth: 1 });
    const events = await heard();
    events.forEach(assertValidEvent);
    expect(events.length).toBeGreaterThanOrEqual(2);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
  });

  const points = STEPS.flatMap((step) =>
    (['before', 'after'] as const).map((when): KillPoint => ({ step, when, nth: 1 })),
  ).filter(({ step, when }) => !(step === 'agenda.claim' && when === 'before'));

  test.each(points)(
    '$when $step: every stage that is due is announced, under one id',
    async (point) => {
      const users = ['alice', 'bob', 'carol'];
      await leaveCarts(users);
      await dieAndGoOn(point);
      const events = await heard();
      events.forEach(assertValidEvent);
      const byUser = Map.groupBy(events, (event) => event.data.user);
      expect([...byUser.keys()].sort()).toEqual(users);
      for (const repeats of byUser.values())
        expect(new Set(repeats.map(({ id }) => id)).size).toBe(1);

      const hot = await openHot(loadConfig(settings()));
      const readings = await hot.ledgers.read(users, hot.clock.now());
      expect(readings.flatMap(({ pending }) => pending)).toEqual([]);
      await hot.close();
    },
  );
});
