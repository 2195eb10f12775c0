import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { COLUMNS, boundRow } from '../../src/adapters/warm/sqlite/row.ts';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { wordOf } from '../../src/adapters/warm/sqlite/text-index.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { Entry } from '../../src/model/entry.ts';

export const OWNER = 'the-one-who-asks';

/** The instant of the first entry. */
export const BEGAN_AT = 1_800_000_000_000;

/** Between two entries of the one who asks. */
export const APART_MS = MINUTE_MS;

export const TOPICS = 20;
export const FLOATS = 1_536;
const OWN_MAX = 10_000;
const OWN_BYTES = 2_000;
const OTHERS_BYTES = 300;
const OTHERS_EACH = 100;
const BATCH = 10_000;
const VOCABULARY = 3_000;

/** A file of the warm tier with one owner who asks, among others. */
export interface WarmFile extends Disposable {
  readonly file: string;
  /** Entries of the one who asks. */
  readonly own: number;
  readonly described: string;
}

/** Loads a file by plain inserts, many to a transaction: the entries of the one who asks lie all over it. */
export async function loadWarmFile(others: number): Promise<WarmFile> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  const file = join(folder, 'warm.sqlite');
  const own = Math.min(OWN_MAX, Math.ceil(others / 10));
  // The schema is the adapter's.
  await new SqliteWarm(file, { now: Date.now, sleep: () => Promise.resolve() }).close();
  const insert = new Inserts(file);
  const random = new SeededRandom(1);
  const each = Math.max(1, Math.floor(others / own));
  let loaded = 0;
  for (let n = 0; n < others; n += 1) {
    const owner = `other-${n % Math.ceil(others / OTHERS_EACH)}`;
    insert.one(entryOf(owner, n, textOf(random, OTHERS_BYTES), random.next()));
    if (n % each === 0 && loaded < own) {
      const embedding = Array.from({ length: FLOATS }, () => random.next() - 0.5);
      const text = textOf(random, OWN_BYTES);
      insert.one({ ...entryOf(OWNER, loaded, text, random.next()), embedding });
      loaded += 1;
    }
    if (n % BATCH === BATCH - 1) {
      insert.commit();
      await nextTurn();
    }
  }
  insert.close();
  return {
    file,
    own: loaded,
    described: `owner with ${loaded} entries of ${OWN_BYTES / 1_000} KB and ${FLOATS} floats, others' of ${OTHERS_BYTES} B without`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** A word that many entries hold, or few: as in a language, the first are the most frequent. */
export function wordAt(place: number): string {
  return `word${Math.floor(place * place * VOCABULARY).toString(36)}`;
}

function textOf(random: SeededRandom, bytes: number): string {
  let text = '';
  while (text.length < bytes) text += `${wordAt(random.next())} `;
  return text;
}

function entryOf(agentId: string, n: number, content: string, importanceScore: number): Entry {
  const timestamp = BEGAN_AT + n * APART_MS;
  return {
    memoryId: `segment-${n}`,
    agentId,
    timestamp,
    content,
    metadata: {
      compressionLevel: 1,
      importanceScore,
      retrievalCount: 0,
      creationTime: timestamp,
      lastAccessTime: timestamp,
    },
    memoryType: 'segment',
    stepNumber: n,
    attributes: { topic: `topic-${n % TOPICS}`, channel: 'web', language: 'hi', turns: n % 50 },
    sources: [`message-${n}-a`, `message-${n}-b`],
  };
}

/** Plain inserts of the rows that the adapter writes for an entry. */
export class Inserts {
  readonly #database: DatabaseSync;
  readonly #entry;
  readonly #attribute;
  readonly #text;

  constructor(file: string, synchronous: 'OFF' | 'FULL' = 'OFF') {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`PRAGMA synchronous = ${synchronous}; BEGIN`);
    this.#entry = this.#database.prepare(
      `INSERT INTO entry (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    );
    this.#attribute = this.#database.prepare(
      'INSERT INTO attribute (owner, name, kind, value, entry) VALUES (?, ?, ?, ?, ?)',
    );
    this.#text = this.#database.prepare(
      'INSERT INTO entry_text (rowid, owner, content) VALUES (?, ?, ?)',
    );
  }

  one(entry: Entry): void {
    const { lastInsertRowid } = this.#entry.run(...boundRow(entry, undefined));
    for (const [name, value] of Object.entries(entry.attributes)) {
      const bound = typeof value === 'boolean' ? Number(value) : value;
      this.#attribute.run(entry.agentId, name, typeof value, bound, lastInsertRowid);
    }
    this.#text.run(lastInsertRowid, wordOf(entry.agentId), entry.content);
  }

  commit(): void {
    this.#database.exec('COMMIT; BEGIN');
  }

  close(): void {
    this.#database.exec('COMMIT');
    this.#database.close();
  }
}
