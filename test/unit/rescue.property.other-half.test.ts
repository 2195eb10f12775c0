import { test, vi } from 'vitest';
import { manyRescues } from '../support/many-rescues.ts';
import { memoryPlaces } from '../support/rescue-places.ts';

/** The first half is in rescue.property.test.ts. */
const RUNS = Number(process.env['HISTORIES'] ?? 50_000);

vi.setConfig({ testTimeout: 600_000 });

test('whatever else happens, each announcement that is wanted and allowed is answered by one message, and no other is', () =>
  manyRescues(RUNS, 1, memoryPlaces));
