import { afterAll, beforeAll } from 'vitest';
import { BlobPlaces } from '../support/blob-places.ts';
import { coldFaultsContract } from './cold-faults.ts';

let places: BlobPlaces;

beforeAll(async () => {
  places = await BlobPlaces.start();
}, 60_000);
afterAll(() => places[Symbol.asyncDispose]());

coldFaultsContract(
  'blob',
  () => places.harness,
  () => places.faults,
);
