import { afterAll, expect, test, vi } from 'vitest';
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

async function openWorld(database: number): Promise<World> {
  const client = redis.client();
  await client.select(database);
  return {
    hot: redisHot({ client: () => client }),
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

test.each(GROUPS)('$name: nothing is lost, forgotten, left or told twice', async (group) => {
  const worlds = await Promise.all(Array.from({ length: WORLDS }, (_none, n) => openWorld(n)));
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
});
