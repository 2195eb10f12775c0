import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/demo/random.ts';
import { HOUR_MS } from '../../src/model/duration.ts';
import { ServiceBusServer } from '../servers/service-bus/service-bus-server.ts';
import type { Crowd } from '../support/busy-shop.ts';
import { BOUNDARIES, type Boundary, type KillPoint } from '../support/kill-points.ts';
import { testRedis } from '../support/redis-server.ts';
import { ShopTrial } from '../support/shop-trial.ts';
import { WatcherFleet } from '../support/watcher-fleet.ts';

/** Where the bus is in the Redis of the sessions, a commit announces and settles: nothing comes after it. */
const OF_ONE_STEP = BOUNDARIES.filter(
  ({ step }) => !['bus.publish', 'agenda.settle'].includes(step),
);

/** In all, or a few more. REKINDLE_STORM_KILLS asks for a longer storm: a kill costs half a second of a processor. */
const KILLS = Number(process.env['REKINDLE_STORM_KILLS'] ?? 200);

const REPLICAS = 2;

/** A watcher lives for up to so many turns of the step at which it dies: some tenths of a second. */
const NTH_MAX = 12;

/** Beyond it, a storm would say little: so many silences in which either was right. */
const EITHER_MAX = 0.25;

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

let broker: ServiceBusServer;
beforeAll(async () => {
  broker = await ServiceBusServer.start();
  broker.broker.addTopic('storm', { duplicateWindowMs: HOUR_MS });
});
afterAll(() => broker.stop());

const onServiceBus = (): Record<string, string> => ({
  REKINDLE_BUS: 'service-bus',
  SERVICEBUS_CONNECTION_STRING: broker.connectionString,
  SERVICEBUS_ADMIN_URL: broker.administrationUrl,
  SERVICEBUS_TOPIC: 'storm',
});

const settings = (): Record<string, string> => ({
  REDIS_URL: redis.url,
  REKINDLE_STAGES: '1s,5s',
  // Longer than any storm: what was announced last is valid to the end.
  REKINDLE_COOLDOWN: '1d',
  REKINDLE_LEASE: '1s',
  // Nothing repairs what a look has lost.
  REKINDLE_RECONCILE_EVERY: '1d',
});

const inAnotherDatabase = (): Record<string, string> => ({
  REKINDLE_BUS_REDIS_URL: `${redis.url}/1`,
});

/** Each boundary equally often, in no order. */
function killPoints(
  boundaries: readonly Boundary[],
  kills: number,
  random: SeededRandom,
): KillPoint[] {
  const rounds = Math.ceil(kills / boundaries.length);
  const points = Array.from({ length: rounds }, () => boundaries).flat();
  return points
    .map((boundary) => ({ boundary, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ boundary }): KillPoint => {
      const nth = 1 + Math.floor(random.between(0, NTH_MAX));
      return { ...boundary, nth, signal: 'SIGKILL' };
    });
}

describe('two replicas, killed with SIGKILL at every boundary of a look, again and again', () => {
  const storms: {
    name: string;
    kills: number;
    crowd: Crowd;
    listens: boolean;
    bus?: () => Record<string, string>;
    /** Default: all. */
    boundaries?: readonly Boundary[];
    /** Whether an announcement may come again: not where it is one step with its commit, or where the bus knows it. */
    repeats?: boolean;
  }[] = [
    {
      name: 'users of the library, nobody reconciles',
      kills: KILLS * 0.4,
      crowd: { seed: 1, users: 200, foreignEvery: 0 },
      listens: false,
      boundaries: OF_ONE_STEP,
    },
    {
      name: 'users of the library, over a bus elsewhere',
      kills: KILLS * 0.3,
      crowd: { seed: 4, users: 200, foreignEvery: 0 },
      listens: false,
      bus: inAnotherDatabase,
      repeats: true,
    },
    {
      name: 'users of another program among them',
      kills: KILLS * 0.3,
      crowd: { seed: 2, users: 200, foreignEvery: 3 },
      listens: true,
      bus: inAnotherDatabase,
      repeats: true,
    },
    {
      name: 'users of the library, over Service Bus',
      kills: KILLS * 0.2,
      crowd: { seed: 3, users: 100, foreignEvery: 0 },
      listens: false,
      bus: onServiceBus,
    },
  ];

  test.each(storms)(
    '$name: what was due and valid is on the bus, under one id, and nothing else',
    async ({ name, kills, crowd, listens, bus, boundaries = BOUNDARIES, repeats = false }) => {
      const all = { ...settings(), ...bus?.() };
      const points = killPoints(boundaries, kills, new SeededRandom(crowd.seed));
      await using trial = await ShopTrial.open(all, crowd, redis.client());
      // Who gets to listen reconciles.
      if (!listens) expect(await trial.hot.leases.acquire('listener', 'nobody', 1e9)).toBe(true);
      await using fleet = new WatcherFleet(all);
      await fleet.suffer(points, REPLICAS);
      const judgement = await trial.settle();

      const { due, short, either } = judgement.silences;
      const table = [...fleet.kills].map(([boundary, count]) => `${boundary} ${count}`).sort();
      process.stdout.write(
        `kill storm, ${name}: ${points.length} kills (${table.join(', ')}); ${trial.report(judgement)}\n`,
      );
      expect(judgement).toMatchObject({ wrong: [], missing: [] });
      expect(trial.ear.changed).toEqual([]);
      expect(trial.ear.fenced).toEqual([]);
      expect(await trial.lostByTheLedgers()).toEqual([]);
      expect(await fleet.stop()).toEqual([0, 0]);

      expect(table).toHaveLength(boundaries.length);
      expect(new Set(fleet.kills.values())).toEqual(new Set([points.length / boundaries.length]));
      expect(trial.ear.repeats > 0).toBe(repeats);
      expect(either / (due + short + either)).toBeLessThan(EITHER_MAX);
    },
    60_000 + KILLS * 4_000,
  );
});
