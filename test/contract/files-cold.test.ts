import { afterAll } from 'vitest';
import { ColdPlaces } from '../support/cold-places.ts';
import { coldErasureContract } from './cold-erasure.ts';
import { coldContract } from './cold.ts';

const places = new ColdPlaces();

afterAll(() => {
  places.remove();
});

coldContract('files', () => places.harness);
coldErasureContract('files', () => places.harness);
