import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { type WarmHarness, warmContract } from './warm.ts';
import { warmMeanwhileContract } from './warm-meanwhile.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-warm-'));
const opened: SqliteWarm[] = [];
let now = 1_800_000_000_000;

afterAll(async () => {
  await Promise.all(opened.map((warm) => warm.close()));
  rmSync(folder, { recursive: true });
});

const harness: WarmHarness = {
  open: async () => {
    const file = join(folder, `${opened.length}.sqlite`);
    const warm = new SqliteWarm(file, { now: () => now, sleep: () => Promise.resolve() });
    opened.push(warm);
    return warm;
  },
  now: () => now,
  pass: (ms) => void (now += ms),
};

warmContract('SQLite', () => harness);
warmMeanwhileContract('SQLite', () => harness);
