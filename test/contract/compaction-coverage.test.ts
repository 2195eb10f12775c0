import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import {
  CompactionRun,
  type CompactionTally,
  compactionHistory,
} from '../support/compaction-history.ts';
import { testRedis } from '../support/redis-server.ts';
import { TierWorld } from '../support/tier-world.ts';

/** `COMPACTION_HISTORIES` sets another number, `COMPACTION_SEED` other histories. */
const RUNS = Number(process.env['COMPACTION_HISTORIES'] ?? 600);
const LANES = 3;
const SEED = Number(process.env['COMPACTION_SEED'] ?? 20_261_121);

vi.setConfig({ testTimeout: 3_600_000 });

const redis = testRedis();

test('whatever happens and whoever dies, what was said stands in cold or is retained, once and unchanged', async () => {
  const sum: CompactionTally = {
    compactions: 0,
    conversations: 0,
    messages: 0,
    crashes: 0,
    failures: 0,
    fenced: 0,
  };
  await Promise.all(
    Array.from({ length: LANES }, async (_none, lane) => {
      const client = redis.client();
      await client.select(lane);
      await fc.assert(
        fc.asyncProperty(compactionHistory, async (history) => {
          await client.flushdb();
          await using world = new TierWorld({ client: () => client, prefix: 'rekindle' });
          const one = new CompactionRun(world, history);
          await one.run();
          expect(world.faults).toEqual([]);
          for (const name of Object.keys(sum) as (keyof CompactionTally)[])
            sum[name] += one.tally[name];
        }),
        { numRuns: RUNS / LANES, seed: SEED + lane },
      );
    }),
  );
  const told = Object.entries<number>({ ...sum }).map(
    ([name, n]) => `${n.toLocaleString('en')} ${name}`,
  );
  process.stdout.write(`compaction: ${RUNS.toLocaleString('en')} histories; ${told.join(', ')}\n`);
  const { fenced: _seldom, ...often } = sum;
  for (const some of Object.values(often)) expect(some).toBeGreaterThan(RUNS / 10);
});
