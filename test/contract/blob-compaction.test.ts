import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import { UserErasedError } from '../../src/model/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { ColdStore } from '../../src/ports/cold.ts';
import { insightsOf } from '../../src/tiers/current-insights.ts';
import { erase } from '../../src/tiers/erase.ts';
import { BlobPlaces } from '../support/blob-places.ts';
import { CompactionRun, compactionHistory } from '../support/compaction-history.ts';
import { testRedis } from '../support/redis-server.ts';
import { SteppedTask } from '../support/stepped-task.ts';
import { TierWorld } from '../support/tier-world.ts';

/** `BLOB_COMPACTION_HISTORIES` sets another number, `COMPACTION_SEED` other histories. */
const RUNS = Number(process.env['BLOB_COMPACTION_HISTORIES'] ?? 25);
const SEED = Number(process.env['COMPACTION_SEED'] ?? 20_261_130);

vi.setConfig({ testTimeout: 600_000 });

const redis = testRedis();
let places: BlobPlaces;

beforeAll(async () => {
  places = await BlobPlaces.start();
}, 60_000);
afterAll(() => places[Symbol.asyncDispose]());

/** A world whose cold tier is in blobs. */
async function openWorld(client: Redis): Promise<TierWorld> {
  await client.flushall();
  let made: Promise<unknown> = Promise.resolve();
  const cold = (clock: Clock): ColdStore => {
    const place = places.storeAt(clock);
    made = place.made;
    return place.cold;
  };
  const world = new TierWorld({ client: () => client, prefix: 'rekindle' }, { cold });
  await made;
  return world;
}

test('whatever happens and whoever dies, what was said stands in blobs or is retained, once and unchanged', async () => {
  let conversations = 0;
  const client = redis.client();
  await fc.assert(
    fc.asyncProperty(compactionHistory, async (history) => {
      await using world = await openWorld(client);
      const one = new CompactionRun(world, history);
      await one.run();
      expect(world.faults).toEqual([]);
      conversations += one.tally.conversations;
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  process.stdout.write(`compaction to blobs: ${RUNS} histories; ${conversations} conversations\n`);
  expect(conversations).toBeGreaterThan(RUNS / 2);
});

test.each(['cold.put', 'cold.putCurrent', 'warm.remove'])(
  'a user who is erased while being compacted, before %s, never comes back',
  async (call) => {
    await using world = await openWorld(redis.client());
    for (const id of ['1', '2']) await world.says('ann', id);
    await world.liveUntil(world.now + 40 * DAY_MS);
    const compactor = await SteppedTask.begin((gate) => world.newCompactor(gate).compact('ann'));
    while (compactor.next !== call) await compactor.step();
    world.outage(HOUR_MS);
    const jobs = { forget: async () => 0 };
    const settings = { tombstoneTtlMs: 90 * DAY_MS, prefix: 'rekindle', queues: [] };
    await erase('ann', { ...world.tierPorts, jobs }, settings);
    await compactor.finish().catch((error: unknown) => {
      expect(error).toBeInstanceOf(UserErasedError);
    });
    expect(await world.cold.count('ann')).toBe(0);
    expect(await insightsOf(world.cold, 'ann')).toEqual([]);
    expect((await places.blobs()).filter((name) => !name.startsWith('erasures/'))).toEqual([]);
  },
);
