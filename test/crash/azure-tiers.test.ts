import { afterAll, beforeAll } from 'vitest';
import { connectContainer } from '../../src/adapters/cold/blob/connect.ts';
import { type Azurite, startAzurite } from '../servers/azurite.ts';
import { CosmosPlace, DATABASE } from '../support/cosmos-warm.ts';
import { tierCrashes } from './tiers.ts';

let cosmos: CosmosPlace;
let azurite: Azurite;
let places = 0;

beforeAll(async () => {
  [cosmos, azurite] = await Promise.all([CosmosPlace.start(), startAzurite()]);
});

afterAll(async () => {
  await cosmos[Symbol.asyncDispose]();
  await azurite[Symbol.asyncDispose]();
});

tierCrashes('Cosmos DB and Blob Storage', async () => {
  const container = await cosmos.container();
  const { connectionString } = azurite;
  const blobs = `tiers-${(places += 1)}`;
  await connectContainer({ connectionString }, blobs).create();
  return {
    settings: {
      REKINDLE_WARM: 'cosmos',
      COSMOS_ACCOUNT_URI: cosmos.server.endpoint,
      COSMOS_KEY: cosmos.server.key,
      COSMOS_DATABASE: DATABASE,
      COSMOS_CONTAINER: container.id,
      REKINDLE_COLD: 'blob',
      BLOB_CONNECTION_STRING: connectionString,
      BLOB_CONTAINER: blobs,
    },
    openWarm: (clock) => cosmos.warmIn(container, { clock }),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
