import { MemoryCold } from '../support/memory-cold.ts';
import { coldErasureContract } from './cold-erasure.ts';
import { type ColdHarness, T, coldContract } from './cold.ts';

let now = T;
let place: MemoryCold;

const harness: ColdHarness = {
  open: async () => {
    place = new MemoryCold({ now: () => now });
    return place;
  },
  another: async () => place,
  now: () => now,
  pass: (ms) => void (now += ms),
};

coldContract('memory', () => harness);
coldErasureContract('memory', () => harness);
