import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColdUnavailableError, errorMessage } from '../../../model/errors.ts';

/** How long a call waits for another process; real time, for no other clock moves a file system. */
const WAIT_MS = 5_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const BUSY = 5;

/**
 * Lets one call after the other have a file to itself, of all processes on the machine. The lock is the system's own
 * (fcntl), so it ends with its process however that dies; node has no call for it, and SQLite takes one for every
 * transaction. The file itself stays empty.
 */
export class OwnerLocks {
  /** The last call in this process that waits for each file. */
  readonly #queues = new Map<string, Promise<unknown>>();

  /** @throws ColdUnavailableError if another process holds it for longer than a call waits */
  async hold<T>(file: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#queues.get(file) ?? Promise.resolve()).then(() => locked(file, work));
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#queues.set(file, settled);
    try {
      return await mine;
    } finally {
      if (this.#queues.get(file) === settled) this.#queues.delete(file);
    }
  }
}

async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  // Says in the system's words why it cannot be had; SQLite has fewer.
  await access(dirname(file), constants.W_OK);
  const lock = new DatabaseSync(file, { timeout: 0, open: false });
  try {
    const until = performance.now() + WAIT_MS;
    for (let pauseMs = FIRST_PAUSE_MS; !taken(lock, file); pauseMs *= 2) {
      if (performance.now() > until)
        throw new ColdUnavailableError(
          `the cold tier's lock ${file} is held by another process; try again, and if it stays so, find out which`,
        );
      await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS) * (0.5 + Math.random()));
    }
    return await work();
  } finally {
    if (lock.isOpen) lock.close();
  }
}

function taken(lock: DatabaseSync, file: string): boolean {
  try {
    if (!lock.isOpen) lock.open();
    lock.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY)
      return false;
    throw new ColdUnavailableError(
      `the cold tier's lock ${file} cannot be had (${errorMessage(error)}); see that it may be written to and is empty, or remove it while nobody runs`,
      { cause: error },
    );
  }
}
