import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { FilesCold } from '../../src/adapters/cold/files/files-cold.ts';
import { coldErasureContract } from './cold-erasure.ts';
import { type ColdHarness, T, coldContract } from './cold.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-cold-'));
let places = 0;
let now = T;

afterAll(() => rmSync(folder, { recursive: true }));

const harness: ColdHarness = {
  open: async () => {
    places += 1;
    return harness.another();
  },
  another: () => FilesCold.open(join(folder, String(places)), { now: () => now }),
  now: () => now,
  pass: (ms) => void (now += ms),
};

coldContract('files', () => harness);
coldErasureContract('files', () => harness);
