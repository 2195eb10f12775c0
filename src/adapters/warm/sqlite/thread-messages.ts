/** What passes between a process and the thread of its SQLite file. */
import type { Entry } from '../../../model/entry.ts';
import {
  UnsuitableStoreError,
  UsageError,
  WarmUnavailableError,
  errorMessage,
} from '../../../model/errors.ts';
import {
  ABSENT,
  type EntryWrite,
  type StoredEntry,
  type WarmStore,
  type WriteOutcome,
} from '../../../ports/warm.ts';

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

interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** An entry as a list: the names of an object's parts cross with each of them, and took half of the time. */
type PackedEntry = readonly [
  memoryId: string,
  agentId: string,
  timestamp: number,
  content: string,
  compressionLevel: 1,
  importanceScore: number,
  retrievalCount: number,
  creationTime: number,
  lastAccessTime: number,
  embedding: readonly number[] | undefined,
  memoryType: string | undefined,
  stepNumber: number | undefined,
  attributes: readonly (readonly [name: string, value: string | number | boolean])[],
  sources: readonly string[],
  payload: string | undefined,
];

/** A symbol cannot pass: null stands for it. */
export type PackedWrite = readonly [
  entry: PackedEntry,
  expected: string | null | undefined,
  expiresAt: number | undefined,
];

export function packWrites(writes: readonly EntryWrite[]): PackedWrite[] {
  return writes.map(({ entry, expected, expiresAt }) => [
    packEntry(entry),
    expected === ABSENT ? null : expected,
    expiresAt,
  ]);
}

export function unpackWrites(packed: readonly PackedWrite[]): EntryWrite[] {
  return packed.map(([entry, expected, expiresAt]) => ({
    entry: unpackEntry(entry),
    expected: expected === null ? ABSENT : expected,
    expiresAt,
  }));
}

/**
 * What was written is a list, as an entry is; the rest is rare. What stands as it was given does not cross a second time:
 * `AS_GIVEN` says that the thread has read and compared it.
 */
export type PackedOutcome =
  | readonly [version: string, stands: PackedEntry | typeof AS_GIVEN | undefined]
  | Exclude<WriteOutcome, Written>;

const AS_GIVEN = true;

type Written = Extract<WriteOutcome, { readonly outcome: 'written' }>;

/** @param writes what they are the outcomes of */
export function packOutcomes(
  outcomes: readonly WriteOutcome[],
  writes: readonly EntryWrite[],
): PackedOutcome[] {
  return outcomes.map((one, index) => {
    if (one.outcome !== 'written') return one;
    const { version, stands } = one;
    if (!stands) return [version, undefined];
    return [version, stands === writes[index]?.entry ? AS_GIVEN : packEntry(stands)];
  });
}

/** @param writes what they are the outcomes of */
export function unpackOutcomes(
  packed: readonly PackedOutcome[],
  writes: readonly EntryWrite[],
): WriteOutcome[] {
  return packed.map((one, index) => {
    if ('outcome' in one) return one;
    const [version, stands] = one;
    const entry = stands === AS_GIVEN ? writes[index]?.entry : stands && unpackEntry(stands);
    return { outcome: 'written', version, ...(entry && { stands: entry }) };
  });
}

export type PackedStored = readonly [entry: PackedEntry, version: string];

export function packStored(stored: readonly StoredEntry[]): PackedStored[] {
  return stored.map(({ entry, version }) => [packEntry(entry), version]);
}

export function unpackStored(packed: readonly PackedStored[]): StoredEntry[] {
  return packed.map(([entry, version]) => ({ entry: unpackEntry(entry), version }));
}

function packEntry(entry: Entry): PackedEntry {
  const { metadata } = entry;
  return [
    entry.memoryId,
    entry.agentId,
    entry.timestamp,
    entry.content,
    metadata.compressionLevel,
    metadata.importanceScore,
    metadata.retrievalCount,
    metadata.creationTime,
    metadata.lastAccessTime,
    entry.embedding,
    entry.memoryType,
    entry.stepNumber,
    Object.entries(entry.attributes),
    entry.sources,
    entry.payload,
  ];
}

function unpackEntry([
  memoryId,
  agentId,
  timestamp,
  content,
  compressionLevel,
  importanceScore,
  retrievalCount,
  creationTime,
  lastAccessTime,
  embedding,
  memoryType,
  stepNumber,
  attributes,
  sources,
  payload,
]: PackedEntry): Entry {
  return {
    memoryId,
    agentId,
    timestamp,
    content,
    metadata: {
      compressionLevel,
      importanceScore,
      retrievalCount,
      creationTime,
      lastAccessTime,
    },
    attributes: Object.fromEntries(attributes),
    sources,
    ...(embedding && { embedding }),
    ...(memoryType !== undefined && { memoryType }),
    ...(stepNumber !== undefined && { stepNumber }),
    ...(payload !== undefined && { payload }),
  };
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
