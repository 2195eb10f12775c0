import { afterAll, expect, test, vi } from 'vitest';
import type { HotOptions } from '../support/hot-options.ts';
import { explore } from '../support/race-explorer.ts';
import type { World } from '../support/race-explorer.ts';
import { GROUPS } from '../support/race-scenarios.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { restoreDatabase, saveDatabase } from '../support/redis-snapshot.ts';

const redis = testRedis();

/** As many as a Redis has databases. */
const WORLDS = 16;

/** All the scenarios there are take half an hour. */
const all = process.env['RACES'] === 'all';

vi.setConfig({ testTimeout: all ? 10_800_000 : 600_000 });

/** Whether commits announce, for the bus is in the same Redis; they settle where there is nothing to announce in any case. */
const PLACES = [
  { place: 'elsewhere', options: {} },
  { place: 'beside the sessions', options: { busCap: 1e6 } },
];

async function openWorld(database: number, options: Partial<HotOptions>): Promise<World> {
  const client = redis.client();
  await client.select(database);
  return {
    hot: redisHot({ client: () => client }, options),
    clear: async () => {
      await client.flushdb();
    },
    save: () => saveDatabase(client),
    restore: (saved) => restoreDatabase(client, saved),
  };
}

const total = { scenarios: 0, histories: 0, steps: 0, states: 0, interleavings: 0n };

afterAll(() => {
  const [scenarios, histories, steps, states, interleavings] = Object.values(total).map((n) =>
    n.toLocaleString('en'),
  );
  process.stdout.write(
    `races: ${histories} histories of ${scenarios} scenarios, ${steps} steps, ${states} states, ` +
      `which stand for ${interleavings} interleavings\n`,
  );
});

const races = PLACES.flatMap((place) => GROUPS.map((group) => ({ ...place, ...group })));

test.each(races)(
  '$name, the bus $place: nothing is lost, forgotten, left or told twice',
  async (group) => {
    const worlds = await Promise.all(
      Array.from({ length: WORLDS }, (_none, n) => openWorld(n, group.options)),
    );
    const scenarios = all ? group.all() : group.some;
    for (const scenario of scenarios) {
      const { histories, steps, states, interleavings } = await explore(scenario, worlds);
      total.histories += histories;
      total.steps += steps;
      total.states += states;
      total.interleavings += interleavings;
    }
    total.scenarios += scenarios.length;
    // Races in which nobody met anybody would prove nothing.
    expect(total.interleavings).toBeGreaterThan(10_000n);
  },
);
