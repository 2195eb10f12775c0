import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { testRedis } from '../support/redis-server.ts';
import { type Tally, TierHistory } from '../support/tier-history.ts';
import { history } from '../support/tier-steps.ts';
import { TierWorld } from '../support/tier-world.ts';

/** `TIER_HISTORIES` sets another number, `TIER_SEED` other histories. */
const RUNS = Number(process.env['TIER_HISTORIES'] ?? 2_000);
const LANES = 4;
const SEED = Number(process.env['TIER_SEED'] ?? 20_261_121);

vi.setConfig({ testTimeout: 3_600_000 });

const redis = testRedis();

test('whatever happens and whoever dies, all that was said stands in warm, once, unchanged and in order', async () => {
  const sum: Tally = { demotions: 0, sunk: 0, crashes: 0, resumes: 0, messages: 0, repeats: 0 };
  // Each lane waits for Redis half of its time.
  await Promise.all(
    Array.from({ length: LANES }, async (_none, lane) => {
      const client = redis.client();
      await client.select(lane);
      const server = { client: () => client, prefix: 'rekindle' };
      await fc.assert(
        fc.asyncProperty(history, async (steps) => {
          await client.flushdb();
          await using world = new TierWorld(server);
          const one = new TierHistory(world, steps);
          await one.run();
          expect(world.faults).toEqual([]);
          for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += one.tally[name];
        }),
        { numRuns: RUNS / LANES, seed: SEED + lane },
      );
    }),
  );
  const told = Object.entries<number>({ ...sum }).map(
    ([name, n]) => `${n.toLocaleString('en')} ${name}`,
  );
  process.stdout.write(`tiers: ${RUNS.toLocaleString('en')} histories; ${told.join(', ')}\n`);
  // Histories in which nothing happens would prove nothing.
  for (const some of Object.values(sum)) expect(some).toBeGreaterThan(RUNS / 10);
});
