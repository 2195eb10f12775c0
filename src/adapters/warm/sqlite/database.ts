import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { UnsuitableStoreError, WarmUnavailableError, errorMessage } from '../../../model/errors.ts';
import type { Bound } from './query.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

/** How long a call waits for another process that writes; the event loop waits with it. */
const BUSY_TIMEOUT_MS = 1_000;

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** What may pass, and what to do about it. */
const PASSING: ReadonlyMap<number, string> = new Map([
  [5, 'another process holds it; try again, and if it stays so, find out which'],
  [6, 'it is locked; try again, and if it stays so, find out by whom'],
  [8, 'it may not be written to; let the user that this runs as write the file and its folder'],
  [10, 'the disk failed; the log of the system may say why'],
  [13, 'the disk is full; make room, and try again'],
  [14, 'it cannot be opened; see that it is a file, and that its folder may be written to'],
]);

/** Bytes of the header of every SQLite file. */
const HEADER_BYTES = 100;

export type Row = Record<string, unknown>;

/** One SQLite file: its statements, each prepared once, and its transactions. */
export class Database {
  readonly #file: string;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the file, makes it if need be, and brings its schema up to date.
   * @throws UnsuitableStoreError if it is damaged, another program's, or of a newer version: it is left as it is
   * @throws WarmUnavailableError if it cannot be had now
   */
  constructor(file: string) {
    this.#file = file;
    this.#sqlite = translated(file, () => open(file));
  }

  /** Does all of it or nothing. @throws as the constructor does */
  write<T>(work: () => T): T {
    this.#assertOpen();
    return translated(this.#file, () => transaction(this.#sqlite, work));
  }

  /** @throws as the constructor does */
  read<T>(work: () => T): T {
    this.#assertOpen();
    return translated(this.#file, work);
  }

  all(sql: string, values: readonly Bound[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  /** @returns the rowid of what was inserted last */
  run(sql: string, values: readonly Bound[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid);
  }

  close(): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  /** A call that goes in steps may be half-way when the store is closed. */
  #assertOpen(): void {
    if (this.#sqlite.isOpen) return;
    throw new WarmUnavailableError(`the warm tier's file ${this.#file} was closed`);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function open(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) inspect(file);
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // FULL: what was read back and compared is not lost with the power, for hot is deleted then.
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    migrate(sqlite);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Runs what needs the file, and says in words of ours why it could not be done. */
function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = resultCode(error) ?? codeOfFiles(error);
    const reason = errorMessage(error);
    // What cannot be parsed is JSON of ours, with other bytes in it.
    if (code === CORRUPT || code === NOT_A_DATABASE || error instanceof SyntaxError)
      throw damaged(file, reason, error);
    const passing = code === undefined ? undefined : PASSING.get(code);
    if (passing === undefined) throw error;
    throw new WarmUnavailableError(`the warm tier's file ${file}: ${passing} (${reason})`, {
      cause: error,
    });
  }
}

function damaged(file: string, reason: string, cause?: unknown): UnsuitableStoreError {
  return new UnsuitableStoreError(
    `the warm tier's file ${file} is damaged, or no SQLite database (${reason}); it was left as it is. Put a backup in its place, or move it away to begin anew`,
    { cause },
  );
}

/** Looks before anything is written. */
function inspect(file: string): void {
  const status = statSync(file);
  if (!status.isFile())
    throw new UnsuitableStoreError(`the warm tier needs a file, and ${file} is none; name another`);
  // SQLite would open it all the same, and fail with the first write.
  accessSync(file, constants.R_OK | constants.W_OK);
  const { size } = status;
  // SQLite takes a file of a few bytes for an empty one, and would write over it.
  if (size > 0 && size < HEADER_BYTES) throw damaged(file, `it has ${size} bytes`);
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const owner = pragma(database, 'application_id');
    const version = pragma(database, 'user_version');
    const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
    // Empty: a process died before it had made the schema.
    if (tables === 0 && version === 0 && owner === 0) return;
    if (owner !== APPLICATION_ID) {
      throw new UnsuitableStoreError(
        `${file} is another program's SQLite database; it was left as it is. The warm tier needs a file of its own`,
      );
    }
    if (version > MIGRATIONS.length) {
      throw new UnsuitableStoreError(
        `the warm tier's file ${file} is of version ${version}, made by a newer Rekindle; this one knows versions up to ${MIGRATIONS.length}. It was left as it is`,
      );
    }
  } finally {
    database.close();
  }
}

/** All steps or none; of two processes that start at once, one waits for the other and finds nothing left to do. */
function migrate(database: DatabaseSync): void {
  transaction(database, () => {
    const version = pragma(database, 'user_version');
    if (version === MIGRATIONS.length) return;
    for (const step of MIGRATIONS.slice(version)) database.exec(step);
    database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`,
    );
  });
}

function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  // The lower byte is the primary code, the rest says more.
  return Number(error.errcode) & 0xff;
}

/** What the file system says before SQLite is asked. */
function codeOfFiles(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return { EACCES: 8, EPERM: 8, EROFS: 8, ENOSPC: 13, EDQUOT: 13, ENOTDIR: 14, EIO: 10 }[
    String(error.code)
  ];
}
