import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CosmosPlace } from '../support/cosmos-warm.ts';
import { type TestRedis, testRedis } from '../support/redis-server.ts';
import { type Tally, TierHistory } from '../support/tier-history.ts';
import { history } from '../support/tier-steps.ts';
import { TierWorld } from '../support/tier-world.ts';

/** `TIER_HISTORIES` sets another number, `TIER_SEED` other histories. */
const RUNS = Number(process.env['TIER_HISTORIES'] ?? 2_000);
const LANES = 4;
const SEED = Number(process.env['TIER_SEED'] ?? 20_261_121);

vi.setConfig({ testTimeout: 3_600_000 });

const redis = testRedis();
let place: CosmosPlace;

beforeAll(async () => {
  place = await CosmosPlace.start();
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

type Server = Pick<TestRedis, 'client' | 'prefix'>;

/** A container of its own for each history: that and the way there take time, so there are fewer of them. */
async function overCosmos(server: Server): Promise<TierWorld> {
  const container = await place.container();
  return new TierWorld(server, { warm: (clock) => place.warmIn(container, { clock }) });
}

test.each([
  ['SQLite', RUNS, async (server: Server) => new TierWorld(server)],
  ['Cosmos DB', RUNS / 20, overCosmos],
] as const)(
  'whatever happens and whoever dies, all that was said stands in warm, in %s, once, unchanged and in order',
  async (name, runs, worldOf) => {
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
            await using world = await worldOf(server);
            const one = new TierHistory(world, steps);
            await one.run();
            expect(world.faults).toEqual([]);
            for (const what of Object.keys(sum) as (keyof Tally)[]) sum[what] += one.tally[what];
          }),
          { numRuns: Math.ceil(runs / LANES), seed: SEED + lane },
        );
      }),
    );
    const told = Object.entries<number>({ ...sum }).map(
      ([what, n]) => `${n.toLocaleString('en')} ${what}`,
    );
    process.stdout.write(
      `tiers, ${name}: ${runs.toLocaleString('en')} histories; ${told.join(', ')}\n`,
    );
    // Histories in which nothing happens would prove nothing.
    for (const some of Object.values(sum)) expect(some).toBeGreaterThan(runs / 10);
  },
);
