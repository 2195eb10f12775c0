import { setImmediate as yieldToOthers } from 'node:timers/promises';
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
  TOGETHER_MAX,
  type Page,
  type PageRequest,
  type PutOptions,
  type RemovalOutcome,
  type Scored,
  type SearchRequest,
  type StoredEntry,
  type WarmStore,
  type WriteOutcome,
} from '../../../ports/warm.ts';
import { Database, type Row } from './database.ts';
import { beginErasure, eraseLeftovers, eraseSome, erasedAtOf, forgetErasures } from './erasure.ts';
import { mostSimilar } from './likeness.ts';
import { GroupCommit } from './group-commit.ts';
import {
  AT_MOST,
  type Bound,
  ORDERS,
  THERE,
  boundOf,
  decodeCursor,
  encodeCursor,
  kindOf,
  pageOf,
  thereOf,
  thereOfAny,
  whereOf,
  wordsOf,
} from './query.ts';
import { ENTRY, INSERT_ENTRY, boundRow, deleteRow, isAsBound, storedEntry } from './row.ts';
import { tidyText, wordOf } from './text-index.ts';

/** Expired entries that one sweep removes: 1,000 of half a kilobyte held the event loop for 19 to 87 ms. */
const SWEEP_AT_ONCE = 200;

const BY_ID = `SELECT ${ENTRY} FROM entry WHERE entry.id = ? AND ${THERE}`;
const BY_VERSION = `SELECT ${ENTRY} FROM entry WHERE version = ?`;
const STANDING = `SELECT entry.version, ${THERE} AS there FROM entry WHERE entry.owner = ? AND entry.id = ?`;

/** A write with the row that it becomes. */
interface BoundWrite extends EntryWrite {
  readonly row: readonly Bound[];
}

/** The warm tier in one SQLite file. Calls of one process and of others take turns; each is done when it returns. */
export class SqliteWarm implements WarmStore {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #commits: GroupCommit;

  /**
   * @param onCommit told how many calls of `put` a transaction has taken
   * @throws as `Database` does
   */
  constructor(file: string, clock: Clock, onCommit: (puts: number) => void = () => undefined) {
    this.#clock = clock;
    this.#database = new Database(file);
    this.#commits = new GroupCommit(this.#database, onCommit);
  }

  /** Lets the calls of `get`, `find` and `count` that `work` begins read as one, at less cost. */
  readTogether(work: () => void): void {
    this.#database.together(work);
  }

  async put(
    agentId: string,
    writes: readonly EntryWrite[],
    { together = false, readBack = false }: PutOptions = {},
  ): Promise<readonly WriteOutcome[]> {
    if (together && writes.length > TOGETHER_MAX)
      throw new UsageError(`at most ${TOGETHER_MAX} entries together; got ${writes.length}`);
    for (const { entry, expiresAt } of writes) {
      assertEntry(agentId, entry);
      if (expiresAt !== undefined) assertInstant('expiresAt', expiresAt);
    }
    if (writes.length === 0) return [];
    const now = this.#clock.now();
    const bound = writes.map((write): BoundWrite => {
      return { ...write, row: boundRow(write.entry, write.expiresAt) };
    });
    const writeAll = (): WriteOutcome[] => {
      const erasedAt = erasedAtOf(this.#database, agentId, now);
      if (!together)
        return bound.map((write) => {
          const { refusal, version } = this.#judge(agentId, write, erasedAt, now);
          return refusal ?? this.#insert(agentId, write, version);
        });
      const judged = bound.map((write) => this.#judge(agentId, write, erasedAt, now));
      if (judged.some(({ refusal }) => refusal))
        return judged.map(({ refusal }) => refusal ?? { outcome: 'withheld' });
      return bound.map((write, index) => this.#insert(agentId, write, judged[index]?.version));
    };
    if (!readBack) return this.#commits.write(writeAll);
    return this.#commits.write(writeAll, (outcomes) =>
      outcomes.map((one, index) => this.#withStanding(one, bound[index])),
    );
  }

  /** What was written, as it stands under its version: the entry that was given, if the row is the one that was bound. */
  #withStanding(outcome: WriteOutcome, written: BoundWrite | undefined): WriteOutcome {
    if (outcome.outcome !== 'written') return outcome;
    const [row] = this.#database.all(BY_VERSION, [outcome.version]);
    if (!row) return outcome;
    const asGiven = written && isAsBound(row, written.row);
    return { ...outcome, stands: asGiven ? written.entry : storedEntry(row).entry };
  }

  /** Why a write is not done, or which version it replaces. */
  #judge(
    agentId: string,
    { entry, expected }: EntryWrite,
    erasedAt: number | undefined,
    now: number,
  ): { readonly refusal?: WriteOutcome; readonly version?: string | undefined } {
    if (erasedAt !== undefined && entry.timestamp <= erasedAt)
      return { refusal: { outcome: 'erased', erasedAt } };
    const { version, there } = this.#standing(agentId, entry.memoryId, now);
    const seen = there ? version : undefined;
    return expected === undefined || seen === (expected === ABSENT ? undefined : expected)
      ? { version }
      : { refusal: { outcome: 'conflict', version: seen } };
  }

  #insert(agentId: string, { entry, row }: BoundWrite, version: string | undefined): WriteOutcome {
    if (version !== undefined) deleteRow(this.#database, Number(version));
    const inserted = this.#database.run(INSERT_ENTRY, row);
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
    const there = thereOf(agentId, this.#clock.now());
    return this.#database.read(() =>
      memoryIds.flatMap((id) => {
        const [row] = this.#database.all(BY_ID, [id, ...there.values]);
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
        const { version, there } = this.#standing(agentId, memoryId, now);
        if (!there) return 'gone';
        if (expected !== undefined && version !== expected) return 'conflict';
        deleteRow(this.#database, Number(version));
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
    const { column } = ORDERS[order];
    const { text, values } = pageOf(agentId, filter, order, { limit, cursor }, this.#clock.now());
    return this.#database.read(() => {
      const rows = this.#database.all(text, values);
      const items = rows.slice(0, limit);
      const last = rows.length > limit ? items.at(-1) : undefined;
      return {
        items: items.map(storedEntry),
        cursor: last && encodeCursor(order, Number(last[column]), String(last['id'])),
      };
    });
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
         WHERE entry_text MATCH ? AND ${where.text} ORDER BY rank, entry.version DESC ${AT_MOST}`,
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
    return mostSimilar(this.#database, {
      agentId,
      embedding: Float32Array.from(embedding),
      filter,
      limit,
      now: () => this.#clock.now(),
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

  async aged(
    memoryType: string,
    before: number,
    { limit, cursor }: PageRequest,
  ): Promise<Page<AgedOwner>> {
    assertLimit(limit);
    const now = this.#clock.now();
    const after = cursor === undefined ? [-(2 ** 53), '', ''] : decodeCursor('aged', cursor, 3);
    // An owner is named at its oldest entry, so that nobody is named twice.
    const there = thereOfAny('entry', now);
    const older = thereOfAny('older', now);
    const rows = this.#database.read(() =>
      this.#database.all(
        `SELECT owner, timestamp, id FROM entry WHERE type = ? AND timestamp < ? AND (timestamp, owner, id) > (?, ?, ?)
           AND ${there.text}
           AND NOT EXISTS (
             SELECT 1 FROM entry AS older
             WHERE older.owner = entry.owner AND older.type = entry.type AND (older.timestamp, older.id) < (entry.timestamp, entry.id)
               AND ${older.text}
           )
         ORDER BY timestamp, owner, id ${AT_MOST}`,
        [memoryType, before, ...after, ...there.values, ...older.values, limit + 1],
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
    const now = this.#clock.now();
    this.#database.write(() => beginErasure(this.#database, agentId, { erasedAt, forgetAt, now }));
    for (let total = 0; ; ) {
      await yieldToOthers();
      const { removed, finished } = this.#database.write(() => eraseSome(this.#database, agentId));
      total += removed;
      if (finished) return total;
    }
  }

  async count(agentId: string): Promise<number> {
    const there = thereOf(agentId, this.#clock.now());
    const [row] = this.#database.read(() =>
      this.#database.all(`SELECT count(*) AS n FROM entry WHERE ${there.text}`, there.values),
    );
    return Number(row?.['n']);
  }

  async sweep(): Promise<number> {
    const now = this.#clock.now();
    return this.#database.write(() => {
      forgetErasures(this.#database, now);
      const rows = this.#database.all(
        `SELECT version FROM entry WHERE expires_at <= ? ${AT_MOST}`,
        [now, SWEEP_AT_ONCE],
      );
      for (const row of rows) deleteRow(this.#database, Number(row['version']));
      if (rows.length > 0) return rows.length;
      const erased = eraseLeftovers(this.#database);
      if (erased === 0) tidyText(this.#database);
      return erased;
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** The row under an id, and whether that is there for anybody: neither expired nor about to be erased. */
  #standing(
    agentId: string,
    id: string,
    now: number,
  ): { version: string | undefined; there: boolean } {
    const there = thereOf(agentId, now);
    const [row] = this.#database.all(STANDING, [...there.values, agentId, id]);
    return {
      version: row && String(row['version']),
      there: row?.['there'] === 1,
    };
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

/** bm25 is negative, and more so for what fits better; what has all of the words lies above what has some. */
function scored(row: Row, above: number): Scored {
  const fit = -Number(row['rank']);
  return { ...storedEntry(row), score: above + fit / (1 + fit) };
}
