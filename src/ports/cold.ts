/** `transcripts`: what was compacted, whole. `insights`: what was learned of it. */
export type ColdKind = 'transcripts' | 'insights';

/** An object that never changes. */
export interface ColdObject {
  /** Unique for its owner and kind; whoever writes the same thing again gives the same name. */
  readonly name: string;
  /** JSON. */
  readonly text: string;
  /** When what it tells of happened, Unix milliseconds: an erasure takes what is not later. */
  readonly at: number;
}

/** The one object of an owner that changes: what holds now. */
export interface CurrentObject {
  readonly text: string;
  /** Opaque; another one after every write. */
  readonly version: string;
}

/**
 * `written`: it stands, durable. `stands`: an object of this name stood before, and was left as it is. `erased`: the owner
 * was erased, and this is not later.
 */
export type PutOutcome = 'written' | 'stands' | 'erased';

/** `conflict`: another version stands, or one where none was expected; nothing was written. */
export type CurrentOutcome = 'written' | 'conflict' | 'erased';

/**
 * The cold tier: objects that are written once, and one `current` for each owner. Calls that find the store away reject
 * with ColdUnavailableError. What was written by one process is seen by all.
 */
export interface ColdStore {
  /**
   * Writes an object once.
   * @throws UsageError if the name or the text cannot be one
   */
  put(owner: string, kind: ColdKind, object: ColdObject): Promise<PutOutcome>;

  /**
   * The text of an object, as it was written; undefined: there is none.
   * @throws DamagedObjectError if it is not what was written: a damaged object is never returned
   */
  get(owner: string, kind: ColdKind, name: string): Promise<string | undefined>;

  /** Names of an owner's objects in their order, after `after`, at most `limit` (1 to 1,000). */
  names(
    owner: string,
    kind: ColdKind,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]>;

  /** @throws DamagedObjectError as `get` does */
  current(owner: string): Promise<CurrentObject | undefined>;

  /**
   * Writes `current` if the version that is expected still stands.
   * @param how.expected undefined: there must be none
   * @param how.at when the latest of what it tells of happened
   */
  putCurrent(
    owner: string,
    text: string,
    how: { readonly expected: string | undefined; readonly at: number },
  ): Promise<CurrentOutcome>;

  /**
   * Removes the owner's objects that tell of nothing later than `erasedAt`, damaged ones and `current` among them, and
   * refuses such objects from then on, until `forgetAt`. A call that failed half-way leaves the refusal in force; a repeat
   * goes on.
   * @returns how many objects this call removed
   */
  erase(owner: string, erasedAt: number, forgetAt: number): Promise<number>;

  /** How many objects the owner has, `current` and damaged ones included. */
  count(owner: string): Promise<number>;

  /** Forgets erasures whose time has come, and removes what writers that died have left half written. @returns how many things went */
  sweep(): Promise<number>;

  close(): Promise<void>;
}
