import { createHmac, randomBytes } from 'node:crypto';
import { ReportUnavailableError } from '../../../model/errors.ts';
import type {
  ErasedFact,
  Folded,
  RescueCounts,
  RescueFact,
  RescueLog,
  Span,
} from '../../../ports/rescue-log.ts';
import { type Bound, SqliteFile } from '../../../runtime/sqlite-file.ts';
import { countsOf } from './counts.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

const KEY_BYTES = 32;

/** Of a digest: among all the rows of a file no two collide by chance. */
const DIGEST_BYTES = 16;

/** Rows that one sweep drops at the most: it must not keep the event loop. */
const SWEPT_AT_ONCE = 1_000;

const INSERT_ANNOUNCEMENT = `
  INSERT INTO announcement (id, user, begun_at, said_at, stage, channel, allowed)
  VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;

const INSERT_OUTCOME = `
  INSERT INTO outcome (id, announcement, user, begun_at, said_at, at, kind, label, value)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;

/** The facts of the report in a SQLite file, which one process writes and others read. */
export class SqliteRescueLog implements RescueLog {
  readonly #file: SqliteFile;
  readonly #key: Buffer;

  /**
   * Opens the file; makes it if need be, unless it is only read.
   * @throws UnsuitableStoreError if it is damaged, another program's, or of a newer version: it is left as it is
   * @throws ReportUnavailableError if it cannot be had now
   */
  constructor(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}) {
    this.#file = new SqliteFile(
      path,
      {
        name: 'the report',
        applicationId: APPLICATION_ID,
        migrations: MIGRATIONS,
        unavailable: (message, options) => new ReportUnavailableError(message, options),
      },
      { readOnly },
    );
    this.#key = readOnly ? Buffer.alloc(0) : this.#ownKey();
  }

  async fold(facts: readonly RescueFact[], keptFrom: number): Promise<Folded> {
    return this.#file.write(() => {
      const folded = { added: 0, repeated: 0, refused: 0 };
      for (const fact of facts) folded[this.#foldOne(fact, keptFrom)] += 1;
      return folded;
    });
  }

  async count(span: Span): Promise<RescueCounts> {
    return this.#file.snapshot(() => countsOf(this.#file, span));
  }

  async sweep(keptFrom: number): Promise<number> {
    return this.#file.write(() =>
      [
        ['outcome', 'id', 'said_at'],
        ['announcement', 'id', 'said_at'],
        ['erasure', 'user', 'erased_at'],
      ].reduce(
        (gone, [table = '', id = '', at = '']) =>
          gone +
          this.#file.change(
            `DELETE FROM ${table} WHERE ${id} IN (SELECT ${id} FROM ${table} WHERE ${at} < ? LIMIT ?)`,
            [keptFrom, SWEPT_AT_ONCE],
          ),
        0,
      ),
    );
  }

  async close(): Promise<void> {
    this.#file.close();
  }

  /** All or none are of this transaction, so a row stands if and only if the event took effect. */
  #foldOne(fact: RescueFact, keptFrom: number): keyof Folded {
    const user = this.#digest('user', fact.user);
    if (fact.kind === 'erased') return this.#erase(user, fact);
    const begunAt = Math.min(fact.episodeAt, fact.decidedAt);
    if (fact.decidedAt < keptFrom || begunAt <= this.#erasedAt(user)) return 'refused';
    const id = this.#digest('event', fact.id);
    const beginning = [user, begunAt, fact.decidedAt];
    const added =
      fact.kind === 'announced'
        ? this.#file.change(INSERT_ANNOUNCEMENT, [
            ...[id, ...beginning],
            ...[fact.stage, fact.channel, fact.allowed],
          ])
        : this.#file.change(INSERT_OUTCOME, [
            ...[id, this.#digest('event', fact.announcement), ...beginning],
            ...[fact.at, fact.kind, ...detailOf(fact)],
          ]);
    return added > 0 ? 'added' : 'repeated';
  }

  #erase(user: Uint8Array, { erasedAt }: ErasedFact): keyof Folded {
    if (this.#erasedAt(user) >= erasedAt) return 'repeated';
    this.#file.run(
      `INSERT INTO erasure (user, erased_at) VALUES (?, ?)
       ON CONFLICT (user) DO UPDATE SET erased_at = excluded.erased_at`,
      [user, erasedAt],
    );
    for (const table of ['announcement', 'outcome'])
      this.#file.run(`DELETE FROM ${table} WHERE user = ? AND begun_at <= ?`, [user, erasedAt]);
    return 'added';
  }

  #erasedAt(user: Uint8Array): number {
    const [row] = this.#file.all('SELECT erased_at AS at FROM erasure WHERE user = ?', [user]);
    return row === undefined ? -Infinity : Number(row['at']);
  }

  /** Of two processes that make the file at once the first one's counts. */
  #ownKey(): Buffer {
    return this.#file.write(() => {
      this.#file.run('INSERT OR IGNORE INTO secret (id, key) VALUES (1, ?)', [
        randomBytes(KEY_BYTES),
      ]);
      const [row] = this.#file.all('SELECT key FROM secret', []);
      return Buffer.from(row?.['key'] as Uint8Array);
    });
  }

  /** Keyed, or whoever knows a user's id could find it by trying. */
  #digest(what: 'user' | 'event', text: string): Uint8Array {
    const hmac = createHmac('sha256', this.#key).update(`${what}:${text}`);
    return hmac.digest().subarray(0, DIGEST_BYTES);
  }
}

function detailOf(fact: Exclude<RescueFact, { kind: 'announced' | 'erased' }>): Bound[] {
  switch (fact.kind) {
    case 'cancelled':
      return [fact.reason, 0];
    case 'touched':
      return [fact.channel, 0];
    case 'recovered':
      return [fact.class, fact.value];
  }
}
