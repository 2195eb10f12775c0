import type { Entry } from '../model/entry.ts';

/** An entry as it stands, with what a conditional write needs. */
export interface StoredEntry {
  readonly entry: Entry;
  /** Opaque; another one after every write of the entry, never one that it had before. */
  readonly version: string;
}

export interface EntryWrite {
  readonly entry: Entry;
  /** The version that must still stand, or that there must be no such entry; undefined: whatever stands is replaced. */
  readonly expected?: string | typeof ABSENT | undefined;
  /** When the store may drop it, Unix milliseconds; undefined: never. */
  readonly expiresAt?: number | undefined;
}

export const ABSENT = Symbol('no such entry');

/**
 * `written`: with `stands`, where it was to be read back and could be; undefined: somebody has replaced it since. `conflict`:
 * another version stands (undefined: none), and nothing was written. `erased`: the owner was erased, and this
 * is older. `failed`: the store did not take this one, though it may have taken others. `withheld`: it would have been
 * written, but for another that it was to be written together with.
 */
export type WriteOutcome =
  | { readonly outcome: 'written'; readonly version: string; readonly stands?: Entry | undefined }
  | { readonly outcome: 'conflict'; readonly version: string | undefined }
  | { readonly outcome: 'erased'; readonly erasedAt: number }
  | { readonly outcome: 'failed'; readonly retryable: boolean; readonly reason: string }
  | { readonly outcome: 'withheld' };

export interface PutOptions {
  readonly together?: boolean;
  readonly readBack?: boolean;
}

/**
 * So many entries are written together at the most: what the narrowest of the stores takes. Cosmos DB does 100 operations
 * at once, and one of them guards the others against an erasure.
 */
export const TOGETHER_MAX = 99;

export interface EntryRemoval {
  readonly memoryId: string;
  /** The version that must still stand; undefined: whichever does. */
  readonly expected?: string | undefined;
}

/** `gone`: there was none. */
export type RemovalOutcome = 'removed' | 'gone' | 'conflict';

/** Both ends belong to it; undefined: open. */
export interface Range {
  readonly from?: number;
  readonly to?: number;
}

/** An attribute that equals a value, or a number that lies in a range. */
export type AttributeTest =
  | { readonly name: string; readonly equals: string | number | boolean }
  | ({ readonly name: string } & Range);

/** Entries for which all of this holds. */
export interface EntryFilter {
  readonly timestamp?: Range;
  readonly importance?: Range;
  readonly step?: Range;
  /** This one, or one of these. */
  readonly memoryType?: string | readonly [string, ...string[]];
  readonly attributes?: readonly AttributeTest[];
}

export type EntryOrder = 'newest' | 'oldest' | 'important' | 'step' | 'last step';

export interface PageRequest {
  /** At most so many, 1 to `PAGE_MAX`. */
  readonly limit: number;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

export const PAGE_MAX = 1_000;

export interface Page<T> {
  readonly items: readonly T[];
  /** Undefined: this was the last page. */
  readonly cursor: string | undefined;
}

/** A find and how well it fits: greater is better, comparable within one answer only. */
export interface Scored extends StoredEntry {
  readonly score: number;
}

export interface SearchRequest {
  readonly limit: number;
  readonly filter?: EntryFilter;
}

/** An owner with entries that have aged. */
export interface AgedOwner {
  readonly agentId: string;
  /** The timestamp of the oldest of the kind. */
  readonly oldestAt: number;
}

/**
 * The warm tier. But for `aged`, every call is about one owner and sees nothing of another; what has expired is not
 * there. Calls that find the store away reject with WarmUnavailableError; nothing is retried for longer than a budget.
 * Those that are about any number of entries let others have their turn in between.
 */
export interface WarmStore {
  /**
   * Writes entries of one owner, each under its own condition.
   * @param how.together all of them or none, at most `TOGETHER_MAX`
   * @param how.readBack gives each as the store has it once all of them are durable, so that the caller can compare
   * @returns one outcome for each, in their order
   * @throws UsageError if an entry is not the owner's or cannot be one; nothing is written then
   */
  put(
    agentId: string,
    writes: readonly EntryWrite[],
    how?: PutOptions,
  ): Promise<readonly WriteOutcome[]>;

  /** The entries of these ids, in their order; those that are not there are left out. */
  get(agentId: string, memoryIds: readonly string[]): Promise<readonly StoredEntry[]>;

  /** Removes entries, each under its own condition. */
  remove(agentId: string, removals: readonly EntryRemoval[]): Promise<readonly RemovalOutcome[]>;

  /** The entries for which all of the filter holds, a page at a time. What is written meanwhile may be in it or not. */
  find(
    agentId: string,
    filter: EntryFilter,
    order: EntryOrder,
    page: PageRequest,
  ): Promise<Page<StoredEntry>>;

  /** Those whose content holds words of `text`, best first: all of the words before some of them. */
  search(agentId: string, text: string, request: SearchRequest): Promise<readonly Scored[]>;

  /**
   * Those whose embeddings point in the direction of this one, nearest first, by the cosine of the angle (-1 to 1);
   * embeddings of another length are passed over. Goes over all of the owner's in steps: what is written meanwhile may be
   * in it or not, and what is in it is as it stands at the end.
   */
  similar(
    agentId: string,
    embedding: readonly number[],
    request: SearchRequest,
  ): Promise<readonly Scored[]>;

  /** Notes that these were brought back into a conversation: counts it, and sets the last access; no new version. */
  recalled(agentId: string, memoryIds: readonly string[], at: number): Promise<void>;

  /**
   * The owners with entries of a kind from before an instant, each once in a pass, unless its oldest one changes
   * meanwhile. The only call over all owners.
   */
  aged(memoryType: string, before: number, page: PageRequest): Promise<Page<AgedOwner>>;

  /**
   * Removes the owner's entries whose timestamp is not later than `erasedAt`, and refuses such entries from then on, until
   * `forgetAt`: a late writer brings nothing back, and the same owner may begin anew. Goes in steps; from the first on
   * nobody sees what is to go, and such entries are refused. A call that failed half-way leaves it at that, however long:
   * a repeat goes on, and so does a sweep.
   * @returns how many entries this call removed
   */
  erase(agentId: string, erasedAt: number, forgetAt: number): Promise<number>;

  /** How many entries the owner has. */
  count(agentId: string): Promise<number>;

  /**
   * Gives back the room of what has expired, and of erasures that were cut short, for a while at the most.
   * @returns how many entries went; 0: there is nothing left to do
   */
  sweep(): Promise<number>;

  close(): Promise<void>;
}
