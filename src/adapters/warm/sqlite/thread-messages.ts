/** What passes between a process and the thread of its SQLite file. */
import {
  UnsuitableStoreError,
  UsageError,
  WarmUnavailableError,
  errorMessage,
} from '../../../model/errors.ts';
import { ABSENT, type EntryWrite, type WarmStore } from '../../../ports/warm.ts';

/** What is asked of the thread; `close` ends it. */
export interface Question {
  readonly id: number;
  readonly method: keyof WarmStore;
  readonly args: readonly unknown[];
  /** The time, by the process' clock. */
  readonly now: number;
}

export interface Answer {
  /** Of the question; 0: that the file is open. */
  readonly id: number;
  readonly result?: unknown;
  readonly error?: PackedError;
}

/**
 * Hands over together what is given in one turn of the event loop: to post each answer alone took the thread a tenth of
 * its time.
 */
export function gathered<T>(send: (items: readonly T[]) => void): (item: T) => void {
  let waiting: T[] = [];
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    // After the promises of this turn have gone on.
    process.nextTick(() => {
      const items = waiting;
      waiting = [];
      send(items);
    });
  };
}

interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** A symbol cannot pass: null stands for it. */
type PackedWrite = Omit<EntryWrite, 'expected'> & { readonly expected: string | null | undefined };

export function packWrites(writes: readonly EntryWrite[]): PackedWrite[] {
  return writes.map((write) => ({
    ...write,
    expected: write.expected === ABSENT ? null : write.expected,
  }));
}

export function unpackWrites(packed: readonly PackedWrite[]): EntryWrite[] {
  return packed.map((write) => ({
    ...write,
    expected: write.expected === null ? ABSENT : write.expected,
  }));
}

export function packError(error: unknown): PackedError {
  return {
    name: error instanceof Error ? error.name : 'Error',
    message: errorMessage(error),
    retryAfterMs: error instanceof WarmUnavailableError ? error.retryAfterMs : undefined,
  };
}

/** An error loses its class on the way. */
export function unpackError({ name, message, retryAfterMs }: PackedError): Error {
  switch (name) {
    case 'UsageError':
      return new UsageError(message);
    case 'UnsuitableStoreError':
      return new UnsuitableStoreError(message);
    case 'WarmUnavailableError':
      return new WarmUnavailableError(message, retryAfterMs === undefined ? {} : { retryAfterMs });
    default:
      return new Error(message);
  }
}
