import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { UnsuitableStoreError, errorMessage } from '../model/errors.ts';

/** How long a call waits for another process that writes; the event loop waits with it. */
const BUSY_TIMEOUT_MS = 1_000;

/**
 * Pages of the log that are gathered before they go into the file, 16 MB: pages that are written again and again go there
 * once. A demotion takes the thread of warm 193 µs with it, and took 219 with the 1,000 of SQLite's own.
 */
const CHECKPOINT_PAGES = 4_000;

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

/** A value of a statement. */
export type Bound = string | number | bigint | null | Uint8Array;

export type Row = Record<string, unknown>;

/** What a file is for, and what is in it. */
export interface SqliteKind {
  /** In words for a person, such as `the warm tier`. */
  readonly name: string;
  /** Marks a file as one of these, in its header. */
  readonly applicationId: number;
  /** One step for each version of the schema, in order; `user_version` is the number of steps that a file has gone. */
  readonly migrations: readonly string[];
  /** The error of a file that cannot be had now. */
  readonly unavailable: (message: string, options?: ErrorOptions) => Error;
}

export interface SqliteAccess {
  /** Changes nothing, makes no file, and brings no schema up to date. Default false. */
  readonly readOnly?: boolean;
}

/** One SQLite file: its statements, each prepared once, and its transactions. */
export class SqliteFile {
  readonly #file: string;
  readonly #kind: SqliteKind;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the file, makes it if need be, and brings its schema up to date.
   * @throws UnsuitableStoreError if it is damaged, another program's, or of a newer version: it is left as it is
   * @throws what `kind.unavailable` makes, if it cannot be had now
   */
  constructor(file: string, kind: SqliteKind, { readOnly = false }: SqliteAccess = {}) {
    this.#file = file;
    this.#kind = kind;
    this.#sqlite = translated(file, kind, () => (readOnly ? look(file, kind) : open(file, kind)));
  }

  /** Does all of it or nothing. @throws as the constructor does */
  write<T>(work: () => T): T {
    this.#assertOpen();
    return translated(this.#file, this.#kind, () => transaction(this.#sqlite, work));
  }

  /** @throws as the constructor does */
  read<T>(work: () => T): T {
    this.#assertOpen();
    return translated(this.#file, this.#kind, work);
  }

  /** Reads all of it from one moment, whoever writes meanwhile. @throws as the constructor does */
  snapshot<T>(work: () => T): T {
    this.#assertOpen();
    return translated(this.#file, this.#kind, () => transaction(this.#sqlite, work, 'DEFERRED'));
  }

  /** Lets the reads of `work` share a transaction: to begin and end one takes as long as to look a row up. */
  together(work: () => void): void {
    // Each says so of itself then.
    if (!this.#sqlite.isOpen) {
      work();
      return;
    }
    this.#sqlite.exec('BEGIN DEFERRED');
    try {
      work();
    } finally {
      if (this.#sqlite.isTransaction) this.#sqlite.exec('COMMIT');
    }
  }

  all(sql: string, values: readonly Bound[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  /** @returns the rowid of what was inserted last */
  run(sql: string, values: readonly Bound[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid);
  }

  /** @returns how many rows it changed */
  change(sql: string, values: readonly Bound[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Brings what others have written to the log into the file, as far as nobody reads what was before. Waits for nobody. */
  checkpoint(): void {
    this.#assertOpen();
    translated(this.#file, this.#kind, () => {
      this.#sqlite.exec('PRAGMA wal_checkpoint(PASSIVE)');
    });
  }

  close(): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  /** A call that goes in steps may be half-way when the store is closed. */
  #assertOpen(): void {
    if (this.#sqlite.isOpen) return;
    throw this.#kind.unavailable(`${this.#kind.name}'s file ${this.#file} was closed`);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function open(file: string, kind: SqliteKind): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) inspect(file, kind);
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // FULL: what was read back and compared is not lost with the power, for hot is deleted then.
    sqlite.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    );
    migrate(sqlite, kind);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Opens it for those who change nothing: they need the schema as this version knows it. */
function look(file: string, kind: SqliteKind): DatabaseSync {
  const version = inspect(file, kind, constants.R_OK);
  if (version < kind.migrations.length) {
    throw new UnsuitableStoreError(
      `${kind.name}'s file ${file} is of version ${version}; this Rekindle reads version ${kind.migrations.length}. Start the daemon, which brings it up to date`,
    );
  }
  return new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}

/** Runs what needs the file, and says in words of ours why it could not be done. */
function translated<T>(file: string, kind: SqliteKind, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = resultCode(error) ?? codeOfFiles(error);
    const reason = errorMessage(error);
    // What cannot be parsed is JSON of ours, with other bytes in it.
    if (code === CORRUPT || code === NOT_A_DATABASE || error instanceof SyntaxError)
      throw damaged(file, kind, reason, error);
    const passing = code === undefined ? undefined : PASSING.get(code);
    if (passing === undefined) throw error;
    throw kind.unavailable(`${kind.name}'s file ${file}: ${passing} (${reason})`, { cause: error });
  }
}

function damaged(
  file: string,
  { name }: SqliteKind,
  reason: string,
  cause?: unknown,
): UnsuitableStoreError {
  return new UnsuitableStoreError(
    `${name}'s file ${file} is damaged, or no SQLite database (${reason}); it was left as it is. Put a backup in its place, or move it away to begin anew`,
    { cause },
  );
}

/** Looks before anything is written. @returns the version of its schema */
function inspect(file: string, kind: SqliteKind, mode = constants.R_OK | constants.W_OK): number {
  const { name, applicationId, migrations } = kind;
  const status = statSync(file);
  if (!status.isFile())
    throw new UnsuitableStoreError(`${name} needs a file, and ${file} is none; name another`);
  // SQLite would open it all the same, and fail with the first write.
  accessSync(file, mode);
  const { size } = status;
  // SQLite takes a file of a few bytes for an empty one, and would write over it.
  if (size > 0 && size < HEADER_BYTES) throw damaged(file, kind, `it has ${size} bytes`);
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const owner = pragma(database, 'application_id');
    const version = pragma(database, 'user_version');
    const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
    // Empty: a process died before it had made the schema.
    if (tables === 0 && version === 0 && owner === 0) return 0;
    if (owner !== applicationId) {
      throw new UnsuitableStoreError(
        `${file} is another program's SQLite database; it was left as it is. ${name[0]?.toUpperCase()}${name.slice(1)} needs a file of its own`,
      );
    }
    if (version > migrations.length) {
      throw new UnsuitableStoreError(
        `${name}'s file ${file} is of version ${version}, made by a newer Rekindle; this one knows versions up to ${migrations.length}. It was left as it is`,
      );
    }
    return version;
  } finally {
    database.close();
  }
}

/** All steps or none; of two processes that start at once, one waits for the other and finds nothing left to do. */
function migrate(database: DatabaseSync, { applicationId, migrations }: SqliteKind): void {
  transaction(database, () => {
    const version = pragma(database, 'user_version');
    if (version === migrations.length) return;
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`,
    );
  });
}

function transaction<T>(
  database: DatabaseSync,
  work: () => T,
  kind: 'IMMEDIATE' | 'DEFERRED' = 'IMMEDIATE',
): T {
  database.exec(`BEGIN ${kind}`);
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
