import { afterEach, expect, test } from 'vitest';
import { testRedis } from '../support/redis-server.ts';
import { PATIENT, ShopTrial } from '../support/shop-trial.ts';
import { WatcherProcess } from '../support/watcher-process.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

const REPLICAS = 2;

/** Replicas that take the place of another. */
const RESTARTS = 12;

const watchers: WatcherProcess[] = [];

afterEach(async () => {
  await Promise.all(watchers.splice(0).map((watcher) => watcher.end('SIGKILL')));
});

test('replicas replaced one after another under load: nothing is lost, and nothing is said twice', async () => {
  const settings = {
    REDIS_URL: redis.url,
    REKINDLE_STAGES: '1s,4s',
    REKINDLE_COOLDOWN: '1d',
    // Whoever is left behind under a lease is lost for longer than this test waits.
    REKINDLE_LEASE: '1h',
    REKINDLE_RECONCILE_EVERY: '1d',
    // A command that was given up may have taken effect, and is repeated.
    ...PATIENT,
  };
  const start = async (): Promise<WatcherProcess> => {
    const watcher = new WatcherProcess({ settings });
    watchers.push(watcher);
    await watcher.go();
    await watcher.running();
    return watcher;
  };
  const running: WatcherProcess[] = [];
  for (let replica = 0; replica < REPLICAS; replica += 1) running.push(await start());

  const crowd = { seed: 3, users: 200, foreignEvery: 4 };
  await using trial = await ShopTrial.open(settings, crowd, redis.client());
  const codes: (string | number | undefined)[] = [];
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    running.push(await start());
    codes.push(await running.shift()?.end('SIGTERM'));
  }
  const judgement = await trial.settle();
  process.stdout.write(`rolling restart: ${RESTARTS} restarts; ${trial.report(judgement)}\n`);
  expect(judgement).toMatchObject({ wrong: [], missing: [] });
  expect(trial.ear.repeats).toBe(0);
  expect(await trial.lostByTheLedgers()).toEqual([]);
  for (const watcher of running) codes.push(await watcher.end('SIGTERM'));
  expect(new Set(codes)).toEqual(new Set([0]));
  expect(trial.ear.fenced).toEqual([]);
});
