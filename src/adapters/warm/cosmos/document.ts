/**
 * The documents of the container. Its partition key is `/owner`, the SHA-256 of the owner's id: ids are of any length and
 * alphabet, and what is left of an owner who was erased names nobody. In the partition of an owner stand
 *
 *   !head                      rank 0  one: the owner's erasures, and what every write is guarded by
 *   <name>                     rank 1  an entry; the name is the safe form of its id
 *   <name>!<version>!<number>  rank 2  a part of an entry that is too large for one document
 *
 * and in the partition `!open`, which no digest is, what was begun and must be ended by whoever comes by:
 *
 *   <owner>!erasure            an erasure
 *   <owner>!parts!<version>    a write or removal of entries that have parts
 *
 * `rank` puts the head before all entries of an answer, whatever their order: so that what is read and whether it is being
 * erased are one round trip.
 *
 * A version is made by whoever writes and stands in the document. The ETag would not do: a recall counts what is brought
 * back in the same document, which changes its ETag and must not change its version. And by the version a writer whose
 * answer was lost knows its own write again.
 */
import { hash } from 'node:crypto';
import type { Attributes, Entry } from '../../../model/entry.ts';
import { safeName } from '../../../model/safe-name.ts';
import type { StoredEntry } from '../../../ports/warm.ts';
import { countWords, indexedWords } from './words.ts';

export const OPEN_PARTITION = '!open';
export const HEAD_ID = '!head';

export const RANK = { head: 0, entry: 1, part: 2 } as const;

/** Later than every instant: so that one comparison tells what has not expired. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** What is said anew when an entry is replaced: one object, for a patch takes ten steps at the most. */
export interface EntryFields {
  /** The name again: for the order of what is equal otherwise. */
  readonly key: string;
  readonly agentId: string;
  readonly memoryId: string;
  readonly timestamp: number;
  readonly importance: number;
  readonly step: number | null;
  readonly type: string | null;
  readonly createdAt: number;
  /** `NEVER`: it does not. */
  readonly expiresAt: number;
  readonly attributes: Attributes;
  /** Those of the content that are searched for, and how many words it has in all. */
  readonly words: readonly string[];
  readonly length: number;
  /** Texts that nobody asks for. Undefined: they stand in so many parts. */
  readonly texts?: Texts;
  readonly parts?: number;
}

export interface Texts {
  readonly content: string;
  readonly payload?: string;
  readonly sources: readonly string[];
}

export interface EntryDocument {
  readonly id: string;
  readonly owner: string;
  readonly rank: typeof RANK.entry;
  readonly version: string;
  /** Seconds from the last write; -1: for ever. */
  readonly ttl: number;
  readonly recalls: number;
  readonly accessedAt: number;
  /** In single precision; not among the fields, for a vector policy names a path. */
  readonly embedding: readonly number[] | null;
  readonly entry: EntryFields;
}

export interface PartDocument {
  readonly id: string;
  readonly owner: string;
  readonly rank: typeof RANK.part;
  readonly of: string;
  readonly version: string;
  readonly number: number;
  readonly ttl: number;
  /** A stretch of the texts' JSON in UTF-8, as base64, which has one length whatever is in it. */
  readonly bytes: string;
  /** Of the entry: an erasure takes both. */
  readonly entry: { readonly timestamp: number };
}

/** Erasures of an owner; there is none before the first write. */
export interface Head {
  /** Another one after every change of what is below. */
  readonly revision: number;
  readonly erasedAt: number | null;
  readonly forgetAt: number | null;
  /** Entries may be left: nobody sees them. */
  readonly unfinished: boolean;
  /** There may be entries with parts. */
  readonly parts: boolean;
}

export interface HeadDocument extends Head {
  readonly id: typeof HEAD_ID;
  readonly owner: string;
  readonly rank: typeof RANK.head;
  readonly ttl: number;
  /** What entries are put in order by: every document of an order must have it. */
  readonly entry: {
    readonly key: '';
    readonly timestamp: 0;
    readonly importance: 0;
    readonly step: 0;
  };
}

export interface OpenDocument {
  readonly id: string;
  readonly owner: typeof OPEN_PARTITION;
  readonly partition: string;
  readonly what: 'erasure' | 'parts';
  /** When it was begun, by the store's clock. */
  readonly at: number;
}

export function partitionOf(agentId: string): string {
  return hash('sha256', agentId, 'hex');
}

export function nameOf(memoryId: string): string {
  return safeName(memoryId);
}

/** TTL is a backstop: it comes so much later than what `expiresAt` hides, for clocks differ. */
const TTL_LEEWAY_S = 3_600;

/** The longest that the service takes: what is later is never. */
const TTL_MAX_S = 2_147_483_647;

function ttlOf(expiresAt: number | undefined, now: number): number {
  if (expiresAt === undefined) return -1;
  const seconds = Math.max(0, Math.ceil((expiresAt - now) / 1_000)) + TTL_LEEWAY_S;
  return seconds > TTL_MAX_S ? -1 : seconds;
}

export function entryDocument(
  partition: string,
  entry: Entry,
  version: string,
  expiresAt: number | undefined,
  now: number,
): EntryDocument & { readonly entry: { readonly texts: Texts } } {
  const { metadata, content, payload, sources, embedding } = entry;
  const name = nameOf(entry.memoryId);
  return {
    id: name,
    owner: partition,
    rank: RANK.entry,
    version,
    ttl: ttlOf(expiresAt, now),
    recalls: metadata.retrievalCount,
    accessedAt: metadata.lastAccessTime,
    embedding: embedding?.map(shortened) ?? null,
    entry: {
      key: name,
      agentId: entry.agentId,
      memoryId: entry.memoryId,
      timestamp: entry.timestamp,
      importance: metadata.importanceScore,
      step: entry.stepNumber ?? null,
      type: entry.memoryType ?? null,
      createdAt: metadata.creationTime,
      expiresAt: expiresAt ?? NEVER,
      attributes: entry.attributes,
      words: indexedWords(content),
      length: countWords(content),
      texts: { content, sources, ...(payload !== undefined && { payload }) },
    },
  };
}

export function storedEntry(
  { version, recalls, accessedAt, embedding, entry }: EntryDocument,
  { content, payload, sources }: Texts,
): StoredEntry {
  return {
    version,
    entry: {
      memoryId: entry.memoryId,
      agentId: entry.agentId,
      timestamp: entry.timestamp,
      content,
      metadata: {
        compressionLevel: 1,
        importanceScore: entry.importance,
        retrievalCount: recalls,
        creationTime: entry.createdAt,
        lastAccessTime: accessedAt,
      },
      attributes: entry.attributes,
      sources,
      ...(embedding && { embedding: embedding.map(Math.fround) }),
      ...(payload !== undefined && { payload }),
      ...(entry.type !== null && { memoryType: entry.type }),
      ...(entry.step !== null && { stepNumber: entry.step }),
    },
  };
}

/** Nine digits tell any two numbers of single precision apart; written in double they would be twice as long. */
function shortened(number: number): number {
  return Number(Math.fround(number).toPrecision(9));
}
