import { afterAll, beforeAll, vi } from 'vitest';
import { BlobPlaces } from '../support/blob-places.ts';
import { coldErasureContract } from './cold-erasure.ts';
import { coldContract } from './cold.ts';

// Each call is several requests to a server of one thread.
vi.setConfig({ testTimeout: 120_000 });

let places: BlobPlaces;

beforeAll(async () => {
  places = await BlobPlaces.start();
}, 60_000);
afterAll(() => places[Symbol.asyncDispose]());

coldContract('blob', () => places.harness);
coldErasureContract('blob', () => places.harness);
