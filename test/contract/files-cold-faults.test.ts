import { afterAll } from 'vitest';
import { ColdPlaces } from '../support/cold-places.ts';
import { coldFaultsContract } from './cold-faults.ts';

const places = new ColdPlaces();

afterAll(() => {
  places.remove();
});

coldFaultsContract(
  'files',
  () => places.harness,
  () => places.faults,
);
