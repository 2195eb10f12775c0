import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Charge } from '../../src/adapters/warm/cosmos/requests.ts';
import { CosmosPlace } from '../support/cosmos-warm.ts';
import { testRedis } from '../support/redis-server.ts';
import { TierWorld } from '../support/tier-world.ts';
import { demotionContract } from './demotion.ts';

const redis = testRedis();
let place: CosmosPlace;

beforeAll(async () => {
  place = await CosmosPlace.start();
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

test('a session is taken to Cosmos DB with one look and one write', async () => {
  const charges: Charge[] = [];
  const container = await place.container();
  await using world = new TierWorld(redis, {
    window: 10,
    warm: (clock) => place.warmIn(container, { clock, onCharge: (charge) => charges.push(charge) }),
  });
  const ids = Array.from({ length: 10 }, (_none, n) => `m${n}`);
  for (const id of ids) await world.says('ann', id);
  expect(await world.demoter.demote('ann')).toMatchObject({ messages: 10, outcome: 'copied' });
  expect(charges).toMatchObject([
    { operation: 'find', roundTrips: 1 },
    { operation: 'put', roundTrips: 1 },
  ]);
  // Nor does a session that is known take more.
  for (const id of ids) await world.says('ann', `${id} again`);
  expect(await world.demoter.demote('ann')).toMatchObject({ messages: 10, outcome: 'copied' });
  expect(charges.reduce((sum, { roundTrips }) => sum + roundTrips, 0)).toBe(4);
});

demotionContract('Cosmos DB', async (redis) => {
  const container = await place.container();
  return new TierWorld(redis, { warm: (clock) => place.warmIn(container, { clock }) });
});
