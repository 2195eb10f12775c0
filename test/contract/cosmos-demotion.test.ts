import { afterAll, beforeAll } from 'vitest';
import { CosmosPlace } from '../support/cosmos-warm.ts';
import { TierWorld } from '../support/tier-world.ts';
import { demotionContract } from './demotion.ts';

let place: CosmosPlace;

beforeAll(async () => {
  place = await CosmosPlace.start();
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

demotionContract('Cosmos DB', async (redis) => {
  const container = await place.container();
  return new TierWorld(redis, { warm: (clock) => place.warmIn(container, { clock }) });
});
