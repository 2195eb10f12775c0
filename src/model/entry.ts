import { UsageError } from './errors.ts';

/** What an entry says of itself and nobody computes: flat, so that every store can index it. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * One memory in the warm tier: a segment of a conversation, the header of one, or any other memory that an agent
 * keeps. Instants are Unix milliseconds.
 */
export interface Entry {
  /** Unique for its owner; whoever writes the same thing again gives the same id. */
  readonly memoryId: string;
  /** The owner: a user or an agent. Nobody else's queries ever see the entry. */
  readonly agentId: string;
  /** When what it tells of happened; of a segment, its latest message. */
  readonly timestamp: number;
  /** What queries by text look through, and a person reads. */
  readonly content: string;
  readonly metadata: EntryMetadata;
  /** A vector, kept in single precision; those of one length are compared. */
  readonly embedding?: readonly number[];
  readonly memoryType?: string;
  readonly stepNumber?: number;
  readonly attributes: Attributes;
  /** Ids of what it was made of, in order: the messages of a segment. */
  readonly sources: readonly string[];
  /** JSON that travels with the entry and is not searched: the messages of a segment as they were said. */
  readonly payload?: string;
}

export interface EntryMetadata {
  /** 1: text kept whole, transport noise dropped. The warm tier accepts no other. */
  readonly compressionLevel: 1;
  /** 0 to 1. */
  readonly importanceScore: number;
  readonly retrievalCount: number;
  readonly creationTime: number;
  readonly lastAccessTime: number;
}

/** Longest id of an entry, in bytes: what the narrowest of the stores takes once it is made safe. */
const MEMORY_ID_MAX_BYTES = 1_023;

/** @throws UsageError if the entry is another owner's, or cannot be one: says which, what is wrong, and what would be right */
export function assertEntry(agentId: string, entry: Entry): void {
  const problem =
    entry.agentId === agentId
      ? problemOf(entry)
      : `its agentId is ${JSON.stringify(entry.agentId)}`;
  if (problem === undefined) return;
  throw new UsageError(
    `the entry ${JSON.stringify(entry.memoryId)} cannot be written for ${JSON.stringify(agentId)}: ${problem}`,
  );
}

function problemOf(entry: Entry): string | undefined {
  const { memoryId, agentId, metadata, embedding, stepNumber } = entry;
  if (memoryId === '' || Buffer.byteLength(memoryId) > MEMORY_ID_MAX_BYTES)
    return `memoryId has 1 to ${MEMORY_ID_MAX_BYTES} bytes; this one has ${Buffer.byteLength(memoryId)}`;
  if (agentId === '') return 'agentId is the owner, and may not be empty';
  for (const name of ['memoryId', 'agentId', 'memoryType', 'content', 'payload'] as const) {
    // A store of UTF-8 would give back another text.
    if (entry[name]?.isWellFormed() === false)
      return `${name} holds half of a surrogate pair, which UTF-8 cannot; toWellFormed() replaces it`;
  }
  const { creationTime, lastAccessTime, retrievalCount, importanceScore } = metadata;
  const whole = {
    timestamp: entry.timestamp,
    creationTime,
    lastAccessTime,
    retrievalCount,
    ...(stepNumber !== undefined && { stepNumber }),
  };
  for (const [name, value] of Object.entries(whole))
    if (!Number.isSafeInteger(value))
      return `${name} is a whole number, and instants are in Unix milliseconds; got ${value}`;
  // Written by programs without types, too.
  const level: number = metadata.compressionLevel;
  if (level !== 1)
    return `the warm tier holds compression level 1, which keeps the text whole; got ${level}`;
  if (!(importanceScore >= 0 && importanceScore <= 1))
    return `importanceScore lies between 0 and 1; got ${importanceScore}`;
  if (embedding && (embedding.length === 0 || !embedding.every(Number.isFinite)))
    return 'embedding is a list of finite numbers, one at the least';
  return attributesProblem(entry.attributes);
}

function attributesProblem(attributes: Attributes): string | undefined {
  for (const [name, value] of Object.entries(attributes)) {
    const possible = typeof value === 'number' ? Number.isFinite(value) : typeof value !== 'object';
    if (!possible)
      return `the attribute ${name} is none; attributes are texts, finite numbers and booleans`;
  }
  return undefined;
}
