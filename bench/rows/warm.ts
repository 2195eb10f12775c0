import { copyFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { wordOf } from '../../src/adapters/warm/sqlite/text-index.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  percentile,
} from '../harness.ts';
import { BEGAN_AT, OWNER, type WarmFile, loadWarmFile } from '../warm/load.ts';
import { askBoth, questionsOf } from '../warm/questions.ts';

const YEAR_MS = 365 * DAY_MS;

/** All entries are from before it. */
const NOW = BEGAN_AT + 10 * YEAR_MS;

const KINDS = ['by time', 'by attribute', 'by text', 'by similarity'];
const SHARES = [
  { what: 'p50', share: 0.5 },
  { what: 'p99', share: 0.99 },
];

const queries = KINDS.flatMap((kind) =>
  SHARES.map(({ what }): Head => ({ name: queryName(kind, what), unit: 'ms' })),
);
const erase: Head = { name: 'warm tier, erase an owner', unit: 'ms' };
const wait: Head = {
  name: 'warm tier, erase an owner, longest wait of the event loop',
  unit: 'ms',
};

/** Queries for one owner and the end of that owner, beside the SQL that does the same on the same file. */
export const warm: Series = {
  name: 'warm tier',
  of: 'entries of others',
  sessions: 100_000,
  growth: [100_000, 1_000_000],
  apart: false,
  figures: [...queries, erase, wait],
  measure,
};

function queryName(kind: string, what: string): string {
  return `warm tier, query ${kind}, ${what}`;
}

async function measure({ sessions }: Bench): Promise<ReadonlyMap<string, Sample>> {
  using loaded = await loadWarmFile(sessions);
  const samples = new Map<string, Sample>();
  for (const [name, sample] of await askAll(loaded)) samples.set(name, sample);
  const copy = `${loaded.file}-of-peer`;
  copyFileSync(loaded.file, copy);
  const ours = await eraseThroughPort(loaded);
  const bareMs = eraseBySql(copy, loaded.own);
  const note = loaded.described;
  samples.set(erase.name, { value: ours.ms, peer: bareMs, note });
  // The peer does it in one go.
  samples.set(wait.name, { value: ours.longestWaitMs, peer: bareMs, note });
  return samples;
}

function openWarm(file: string): SqliteWarm {
  return new SqliteWarm(file, { now: () => NOW, sleep: () => Promise.resolve() });
}

async function askAll({ file, own, described }: WarmFile): Promise<[string, Sample][]> {
  const store = openWarm(file);
  const database = new DatabaseSync(file, { readOnly: true });
  const samples: [string, Sample][] = [];
  for (const question of questionsOf(store, database, { own, now: NOW })) {
    const timed = await askBoth(question);
    for (const { what, share } of SHARES) {
      const note = `${question.times} queries; ${described}`;
      samples.push([
        queryName(question.name, what),
        { value: percentile(timed.ours, share), peer: percentile(timed.bare, share), note },
      ]);
    }
  }
  database.close();
  await store.close();
  return samples;
}

async function eraseThroughPort({
  file,
  own,
}: WarmFile): Promise<{ ms: number; longestWaitMs: number }> {
  const store = openWarm(file);
  const wait = new LongestWait();
  const startedAt = performance.now();
  const removed = await store.erase(OWNER, NOW, NOW + YEAR_MS);
  const ms = performance.now() - startedAt;
  const longestWaitMs = await wait.end();
  await store.close();
  assertDone(removed, own, 'entries were erased');
  return { ms, longestWaitMs };
}

function eraseBySql(file: string, own: number): number {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA synchronous = FULL');
  const startedAt = performance.now();
  database.exec('BEGIN IMMEDIATE');
  database
    .prepare('DELETE FROM entry_text WHERE rowid IN (SELECT version FROM entry WHERE owner = ?)')
    .run(OWNER);
  database.prepare('DELETE FROM attribute WHERE owner = ?').run(OWNER);
  const { changes } = database.prepare('DELETE FROM entry WHERE owner = ?').run(OWNER);
  database.exec('COMMIT');
  const ms = performance.now() - startedAt;
  const left = database
    .prepare('SELECT count(*) AS n FROM entry_text WHERE entry_text MATCH ?')
    .get(`owner:${wordOf(OWNER)}`);
  database.close();
  assertDone(Number(changes), own, 'entries were deleted');
  assertDone(Number(left?.['n']), 0, 'of their texts are left');
  return ms;
}

/** How long the event loop did not come round, at the most. */
class LongestWait {
  #longestMs = 0;
  #ended = false;
  readonly #watching = this.#watch();

  async end(): Promise<number> {
    this.#ended = true;
    await this.#watching;
    return this.#longestMs;
  }

  async #watch(): Promise<void> {
    for (let last = performance.now(); !this.#ended; ) {
      await nextTurn();
      const now = performance.now();
      this.#longestMs = Math.max(this.#longestMs, now - last);
      last = now;
    }
  }
}
