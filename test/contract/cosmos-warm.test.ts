import { afterAll, afterEach, beforeAll } from 'vitest';
import { WRITES } from '../servers/cosmos/faults.ts';
import { CosmosPlace } from '../support/cosmos-warm.ts';
import { type WarmHarness, warmContract } from './warm.ts';
import { warmFaultsContract } from './warm-faults.ts';
import { warmMeanwhileContract } from './warm-meanwhile.ts';

/** A machine that does other things is slow; what fails on purpose fails within this. */
const BUDGET_MS = 2_000;

let place: CosmosPlace;
let now = 1_800_000_000_000;
const ends: (() => void)[] = [];

beforeAll(async () => {
  place = await CosmosPlace.start(() => now);
});

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

const clock = { now: () => now };

function harness(dimensions?: number): WarmHarness {
  return {
    open: () => place.open({ clock }, dimensions),
    now: () => now,
    pass: (ms) => void (now += ms),
  };
}

function ended(...all: (() => void)[]): () => Promise<void> {
  ends.push(...all);
  return async () => {
    for (const end of all) end();
  };
}

warmContract('Cosmos DB', () => harness());
warmContract('Cosmos DB with a vector policy', () => harness(2));
warmMeanwhileContract('Cosmos DB', () => harness());
warmMeanwhileContract('Cosmos DB with a vector policy', () => harness(2));
warmFaultsContract(
  'Cosmos DB',
  () => ({ ...harness(), open: () => place.open({ clock, budgetMs: BUDGET_MS }) }),
  () => ({
    failOne: async (_agentId, memoryId) =>
      ended(place.server.fail({ item: (id) => id === memoryId, effect: 503 })),
    throttle: async () =>
      ended(place.server.fail({ kinds: WRITES, effect: 429, retryAfterMs: 100 })),
    away: async () => ended(place.server.fail({ effect: 'cut before' })),
    budgetMs: BUDGET_MS,
  }),
);
