/** `transcripts`: what was compacted, whole. `insights`: what was learned of it. */
export type ColdKind = (typeof COLD_KINDS)[number];

export const COLD_KINDS = ['transcripts', 'insights'] as const;

export const COLD_PAGE_MAX = 1_000;

/** An object that never changes. */
export interface ColdObject {
  /**
   * Unique for its owner and kind; whoever writes the same thing again gives the same name. One that `isSafeName`, and
   * not `current`: so every store keeps it as it is, and all list names in one order.
   */
  readonly name: string;
  /** JSON, at most COLD_TEXT_MAX_BYTES; kept as it is, and not read. */
  readonly text: string;
  /**
   * When what it tells of happened, Unix milliseconds: an erasure takes what is not later. The same whenever the object is
   * written again.
   */
  readonly at: number;
}

/** The one object of an owner that changes: what holds now. */
export interface CurrentObject {
  readonly text: string;
  /** Opaque; another one after every write, and never one that it had before, not even after an erasure. */
  readonly version: string;
}

/**
 * `written`: it stands, durable. `stands`: an object of this name stood before, whole and durable, and was left as it is.
 * `erased`: the owner was erased, and this is not later.
 */
export type PutOutcome = 'written' | 'stands' | 'erased';

/** `conflict`: another version stands, or one where none was expected; nothing was written. */
export type CurrentOutcome = 'written' | 'conflict' | 'erased';

/**
 * The cold tier: objects that are written once, and one `current` for each owner. Calls that find the store away reject
 * with ColdUnavailableError; whether a write that was refused so was done is unknown, and a repeat is safe. What was
 * written by one process is seen by all. An owner is any text but the empty one; others reject with UsageError.
 */
export interface ColdStore {
  /**
   * Writes an object once. A damaged one of this name is replaced.
   * @throws UsageError if the name, the text or the instant cannot be one
   */
  put(owner: string, kind: ColdKind, object: ColdObject): Promise<PutOutcome>;

  /**
   * The text of an object, as it was written; undefined: there is none.
   * @throws DamagedObjectError if it is not what was written: a damaged object is never returned
   */
  get(owner: string, kind: ColdKind, name: string): Promise<string | undefined>;

  /**
   * Names of an owner's objects in the order of their characters, after `after`, at most `limit` (1 to COLD_PAGE_MAX);
   * damaged ones are among them, `current` is not.
   */
  names(
    owner: string,
    kind: ColdKind,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]>;

  /**
   * @throws DamagedObjectError as `get` does, with the version that stands: a `current` that was made anew from the
   * insights can be put in its place
   */
  current(owner: string): Promise<CurrentObject | undefined>;

  /**
   * Writes `current` if the version that is expected still stands.
   * @param how.expected undefined: there must be none
   * @param how.at when the latest of what it tells of happened
   * @throws UsageError if the text or the instant cannot be one
   */
  putCurrent(
    owner: string,
    text: string,
    how: { readonly expected: string | undefined; readonly at: number },
  ): Promise<CurrentOutcome>;

  /**
   * Removes the owner's objects that tell of nothing later than `erasedAt`, damaged ones and `current` among them, and
   * refuses such objects from then on, until `forgetAt`. A call that failed half-way leaves the refusal in force, however
   * long: a repeat goes on, and so does a sweep.
   * @returns how many objects this call removed
   */
  erase(owner: string, erasedAt: number, forgetAt: number): Promise<number>;

  /** How many objects the owner has, `current` and damaged ones included. */
  count(owner: string): Promise<number>;

  /**
   * Ends erasures that were cut short, forgets those whose time has come, and removes what writers that died have left half
   * written. @returns how many things went
   */
  sweep(): Promise<number>;

  close(): Promise<void>;
}
