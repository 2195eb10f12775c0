import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll } from 'vitest';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { ThreadedWarm } from '../../src/adapters/warm/sqlite/threaded-warm.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { type WarmHarness, warmContract } from './warm.ts';
import { FaultyWarm } from '../support/faulty-warm.ts';
import { warmFaultsContract } from './warm-faults.ts';
import { warmMeanwhileContract } from './warm-meanwhile.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-warm-'));
const opened: WarmStore[] = [];
let now = 1_800_000_000_000;

afterAll(async () => {
  await Promise.all(opened.map((warm) => warm.close()));
  rmSync(folder, { recursive: true });
});

function fileOf(index: number): string {
  return join(folder, `${index}.sqlite`);
}

const harness: WarmHarness = {
  open: async () => {
    const warm = new SqliteWarm(fileOf(opened.length), {
      now: () => now,
      sleep: () => Promise.resolve(),
    });
    opened.push(warm);
    return warm;
  },
  now: () => now,
  pass: (ms) => void (now += ms),
};

warmContract('SQLite', () => harness);
warmContract('SQLite on a thread of its own', () => ({
  ...harness,
  open: async () => {
    const warm = await ThreadedWarm.open(fileOf(opened.length), {
      now: () => now,
      sleep: () => Promise.resolve(),
    });
    opened.push(warm);
    return warm;
  },
}));
warmMeanwhileContract('SQLite', () => harness);
warmFaultsContract(
  'SQLite',
  () => harness,
  () => ({
    failOne: 'a file takes a batch whole or not at all',
    away: 'a file that is open does not go away; what befalls it is in sqlite-warm-faults.test.ts',
    // Another process that writes for long is what a throttle is elsewhere.
    throttle: async () => {
      const other = new DatabaseSync(fileOf(opened.length - 1));
      other.exec('BEGIN IMMEDIATE');
      return async () => other.close();
    },
    budgetMs: 1_000,
  }),
);

// What no file does, a fake does: so that the suite itself is known to run.
let faulty: FaultyWarm;
warmFaultsContract(
  'SQLite behind faults',
  () => ({
    ...harness,
    open: async () => {
      faulty = new FaultyWarm(await harness.open());
      return faulty.store;
    },
  }),
  () => ({
    failOne: (...of) => faulty.failOne(...of),
    throttle: () => faulty.throttle(),
    away: () => faulty.away(),
    budgetMs: 0,
  }),
);
