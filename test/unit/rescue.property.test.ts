import { test, vi } from 'vitest';
import { manyRescues } from '../support/many-rescues.ts';
import { memoryPlaces } from '../support/rescue-places.ts';

/** Half of those that a whole run takes: two test files run side by side. `HISTORIES` sets another number for each. */
const RUNS = Number(process.env['HISTORIES'] ?? 50_000);

vi.setConfig({ testTimeout: 600_000 });

test('whatever happens, each announcement that is wanted and allowed is answered by one message, and no other is', () =>
  manyRescues(RUNS, 0, memoryPlaces));
