import { hash } from 'node:crypto';
import { cosine } from '../../../model/embedding.ts';
import { assertEntry } from '../../../model/entry.ts';
import { UsageError } from '../../../model/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import {
  ABSENT,
  type AgedOwner,
  type EntryFilter,
  type EntryOrder,
  type EntryRemoval,
  type EntryWrite,
  PAGE_MAX,
  type Page,
  type PageRequest,
  type RemovalOutcome,
  type Scored,
  type SearchRequest,
  type StoredEntry,
  type WarmStore,
  type WriteOutcome,
} from '../../../ports/warm.ts';
import { Database, type Row } from './database.ts';
import {
  type Bound,
  ORDERS,
  boundOf,
  decodeCursor,
  encodeCursor,
  kindOf,
  whereOf,
  wordsOf,
} from './query.ts';
import { COLUMNS, boundRow, floatsOf, storedEntry } from './row.ts';

const ENTRY = `entry.version, ${COLUMNS.map((column) => `entry.${column}`).join(', ')}`;

/** Expired entries that one sweep removes: 1,000 of half a kilobyte held the event loop for 19 to 87 ms. */
const SWEEP_AT_ONCE = 200;

/** The warm tier in one SQLite file. Calls of one process and of others take turns; each is done when it returns. */
export class SqliteWarm implements WarmStore {
  readonly #clock: Clock;
  readonly #database: Database;

  /** @throws as `Database` does */
  constructor(file: string, clock: Clock) {
    this.#clock = clock;
    this.#database = new Database(file);
  }

  async put(agentId: string, writes: readonly EntryWrite[]): Promise<readonly WriteOutcome[]> {
    for (const { entry, expiresAt } of writes) {
      assertEntry(agentId, entry);
      if (expiresAt !== undefined) assertInstant('expiresAt', expiresAt);
    }
    if (writes.length === 0) return [];
    const now = this.#clock.now();
    return this.#database.write(() => {
      const erasedAt = this.#erasedAt(agentId, now);
      return writes.map((write) => this.#putOne(agentId, write, erasedAt, now));
    });
  }

  #putOne(
    agentId: string,
    { entry, expected, expiresAt }: EntryWrite,
    erasedAt: number | undefined,
    now: number,
  ): WriteOutcome {
    if (erasedAt !== undefined && entry.timestamp <= erasedAt)
      return { outcome: 'erased', erasedAt };
    const { version, expired } = this.#standing(agentId, entry.memoryId, now);
    const seen = expired ? undefined : version;
    if (expected !== undefined && seen !== (expected === ABSENT ? undefined : expected))
      return { outcome: 'conflict', version: seen };
    if (version !== undefined) this.#delete(Number(version));
    const marks = COLUMNS.map(() => '?').join(', ');
    const inserted = this.#database.run(
      `INSERT INTO entry (${COLUMNS.join(', ')}) VALUES (${marks})`,
      boundRow(entry, expiresAt),
    );
    for (const [name, value] of Object.entries(entry.attributes)) {
      this.#database.run(
        'INSERT INTO attribute (owner, name, kind, value, entry) VALUES (?, ?, ?, ?, ?)',
        [agentId, name, kindOf(value), boundOf(value), inserted],
      );
    }
    this.#database.run('INSERT INTO entry_text (rowid, owner, content) VALUES (?, ?, ?)', [
      inserted,
      wordOf(agentId),
      entry.content,
    ]);
    return { outcome: 'written', version: String(inserted) };
  }

  async get(agentId: string, memoryIds: readonly string[]): Promise<readonly StoredEntry[]> {
    const now = this.#clock.now();
    return this.#database.read(() =>
      memoryIds.flatMap((id) => {
        const [row] = this.#database.all(
          `SELECT ${ENTRY} FROM entry WHERE owner = ? AND id = ? AND (expires_at IS NULL OR expires_at > ?)`,
          [agentId, id, now],
        );
        return row ? [storedEntry(row)] : [];
      }),
    );
  }

  async remove(
    agentId: string,
    removals: readonly EntryRemoval[],
  ): Promise<readonly RemovalOutcome[]> {
    if (removals.length === 0) return [];
    const now = this.#clock.now();
    return this.#database.write(() =>
      removals.map(({ memoryId, expected }): RemovalOutcome => {
        const { version, expired } = this.#standing(agentId, memoryId, now);
        if (version === undefined || expired) return 'gone';
        if (expected !== undefined && version !== expected) return 'conflict';
        this.#delete(Number(version));
        return 'removed';
      }),
    );
  }

  async find(
    agentId: string,
    filter: EntryFilter,
    order: EntryOrder,
    { limit, cursor }: PageRequest,
  ): Promise<Page<StoredEntry>> {
    assertLimit(limit);
    const { column, direction } = ORDERS[order];
    const where = whereOf(agentId, filter, this.#clock.now());
    const texts = [where.text];
    const values: Bound[] = [...where.values];
    // What has no step is in no order by steps.
    if (column === 'step') texts.push('entry.step IS NOT NULL');
    if (cursor !== undefined) {
      texts.push(`(entry.${column}, entry.id) ${direction === 'ASC' ? '>' : '<'} (?, ?)`);
      values.push(...decodeCursor(order, cursor, 2));
    }
    const rows = this.#database.read(() =>
      this.#database.all(
        `SELECT ${ENTRY} FROM entry WHERE ${texts.join(' AND ')} ORDER BY entry.${column} ${direction}, entry.id ${direction} LIMIT ?`,
        [...values, limit + 1],
      ),
    );
    const items = rows.slice(0, limit);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return {
      items: items.map(storedEntry),
      cursor: last && encodeCursor(order, Number(last[column]), String(last['id'])),
    };
  }

  async search(
    agentId: string,
    text: string,
    { limit, filter = {} }: SearchRequest,
  ): Promise<readonly Scored[]> {
    assertLimit(limit);
    const words = wordsOf(text);
    if (words.length === 0) return [];
    const where = whereOf(agentId, filter, this.#clock.now());
    const find = (operator: 'AND' | 'OR'): Row[] =>
      this.#database.all(
        `SELECT ${ENTRY}, bm25(entry_text, 0.0, 1.0) AS rank FROM entry_text JOIN entry ON entry.version = entry_text.rowid
         WHERE entry_text MATCH ? AND ${where.text} ORDER BY rank, entry.version DESC LIMIT ?`,
        [
          `owner:${wordOf(agentId)} AND content:(${words.map((word) => `"${word}"`).join(` ${operator} `)})`,
          ...where.values,
          limit,
        ],
      );
    return this.#database.read(() => {
      const all = find('AND').map((row) => scored(row, 1));
      if (all.length === limit || words.length === 1) return all;
      const found = new Set(all.map(({ version }) => version));
      const some = find('OR').map((row) => scored(row, 0));
      return [...all, ...some.filter(({ version }) => !found.has(version))].slice(0, limit);
    });
  }

  async similar(
    agentId: string,
    embedding: readonly number[],
    { limit, filter = {} }: SearchRequest,
  ): Promise<readonly Scored[]> {
    assertLimit(limit);
    const asked = Float32Array.from(embedding);
    const where = whereOf(agentId, filter, this.#clock.now());
    return this.#database.read(() => {
      const scores: { version: number; score: number }[] = [];
      const rows = this.#database.each(
        `SELECT entry.version, entry.embedding FROM entry WHERE ${where.text} AND length(entry.embedding) = ?`,
        [...where.values, asked.byteLength],
      );
      for (const row of rows) {
        const score = cosine(asked, floatsOf(row['embedding'] as Uint8Array));
        scores.push({ version: Number(row['version']), score });
      }
      scores.sort((a, b) => b.score - a.score || b.version - a.version);
      return scores.slice(0, limit).flatMap(({ version, score }) => {
        const [row] = this.#database.all(`SELECT ${ENTRY} FROM entry WHERE version = ?`, [version]);
        return row ? [{ ...storedEntry(row), score }] : [];
      });
    });
  }

  async recalled(agentId: string, memoryIds: readonly string[], at: number): Promise<void> {
    assertInstant('at', at);
    if (memoryIds.length === 0) return;
    this.#database.write(() => {
      for (const id of memoryIds) {
        this.#database.run(
          'UPDATE entry SET retrievals = retrievals + 1, accessed_at = max(accessed_at, ?) WHERE owner = ? AND id = ?',
          [at, agentId, id],
        );
      }
    });
  }

  async aged(before: number, { limit, cursor }: PageRequest): Promise<Page<AgedOwner>> {
    assertLimit(limit);
    const now = this.#clock.now();
    const after = cursor === undefined ? [-(2 ** 53), '', ''] : decodeCursor('aged', cursor, 3);
    // An owner is named at its oldest entry, so that nobody is named twice.
    const rows = this.#database.read(() =>
      this.#database.all(
        `SELECT owner, timestamp, id FROM entry WHERE timestamp < ? AND (timestamp, owner, id) > (?, ?, ?)
           AND (expires_at IS NULL OR expires_at > ?)
           AND NOT EXISTS (
             SELECT 1 FROM entry AS older
             WHERE older.owner = entry.owner AND (older.timestamp, older.id) < (entry.timestamp, entry.id)
               AND (older.expires_at IS NULL OR older.expires_at > ?)
           )
         ORDER BY timestamp, owner, id LIMIT ?`,
        [before, ...after, now, now, limit + 1],
      ),
    );
    const items = rows.slice(0, limit);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return {
      items: items.map((row) => ({
        agentId: String(row['owner']),
        oldestAt: Number(row['timestamp']),
      })),
      cursor:
        last &&
        encodeCursor('aged', Number(last['timestamp']), String(last['owner']), String(last['id'])),
    };
  }

  async erase(agentId: string, erasedAt: number, forgetAt: number): Promise<number> {
    assertInstant('erasedAt', erasedAt);
    assertInstant('forgetAt', forgetAt);
    return this.#database.write(() => {
      this.#database.run(
        `INSERT INTO tombstone (owner, erased_at, forget_at) VALUES (?, ?, ?)
         ON CONFLICT (owner) DO UPDATE SET erased_at = max(erased_at, excluded.erased_at), forget_at = max(forget_at, excluded.forget_at)`,
        [digestOf(agentId), erasedAt, forgetAt],
      );
      const rows = this.#database.all(
        'SELECT version FROM entry WHERE owner = ? AND timestamp <= ?',
        [agentId, erasedAt],
      );
      for (const row of rows) this.#delete(Number(row['version']));
      return rows.length;
    });
  }

  async count(agentId: string): Promise<number> {
    const [row] = this.#database.read(() =>
      this.#database.all(
        'SELECT count(*) AS n FROM entry WHERE owner = ? AND (expires_at IS NULL OR expires_at > ?)',
        [agentId, this.#clock.now()],
      ),
    );
    return Number(row?.['n']);
  }

  async sweep(): Promise<number> {
    const now = this.#clock.now();
    return this.#database.write(() => {
      this.#database.run('DELETE FROM tombstone WHERE forget_at <= ?', [now]);
      const rows = this.#database.all('SELECT version FROM entry WHERE expires_at <= ? LIMIT ?', [
        now,
        SWEEP_AT_ONCE,
      ]);
      for (const row of rows) this.#delete(Number(row['version']));
      return rows.length;
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** What stands under an id, expired or not. */
  #standing(
    agentId: string,
    id: string,
    now: number,
  ): { version: string | undefined; expired: boolean } {
    const [row] = this.#database.all(
      'SELECT version, expires_at FROM entry WHERE owner = ? AND id = ?',
      [agentId, id],
    );
    if (!row) return { version: undefined, expired: false };
    const expiresAt = row['expires_at'];
    return {
      version: String(row['version']),
      expired: typeof expiresAt === 'number' && expiresAt <= now,
    };
  }

  #erasedAt(agentId: string, now: number): number | undefined {
    const [row] = this.#database.all(
      'SELECT erased_at FROM tombstone WHERE owner = ? AND forget_at > ?',
      [digestOf(agentId), now],
    );
    return row && Number(row['erased_at']);
  }

  #delete(version: number): void {
    this.#database.run('DELETE FROM entry_text WHERE rowid = ?', [version]);
    this.#database.run('DELETE FROM attribute WHERE entry = ?', [version]);
    this.#database.run('DELETE FROM entry WHERE version = ?', [version]);
  }
}

function assertInstant(name: string, at: number): void {
  if (Number.isSafeInteger(at)) return;
  throw new UsageError(`${name} is a whole number of Unix milliseconds; got ${at}`);
}

function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX) return;
  throw new UsageError(`a limit is a whole number from 1 to ${PAGE_MAX}; got ${limit}`);
}

/** The owner as a word of the text index: one that no tokenizer takes apart. */
function wordOf(agentId: string): string {
  return `o${digestOf(agentId).slice(0, 32)}`;
}

/** An owner that was erased is not named. */
function digestOf(agentId: string): string {
  return hash('sha256', agentId, 'hex');
}

/** bm25 is negative, and more so for what fits better; what has all of the words lies above what has some. */
function scored(row: Row, above: number): Scored {
  const fit = -Number(row['rank']);
  return { ...storedEntry(row), score: above + fit / (1 + fit) };
}
