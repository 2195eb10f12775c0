import type { Ledger } from '../model/ledger.ts';
import type { Said } from '../model/said.ts';
import type { SessionNames } from '../model/session-names.ts';
import type { Reading } from './ledger.ts';

/** All that the hot tier holds of one user at one moment, physically: also what is over for readers. */
export interface Snapshot {
  readonly user: string;
  /** Every field of the session hash; undefined when there is no session. */
  readonly fields: Readonly<Record<string, string>> | undefined;
  /** Fields that are too large to be read, and stand in nothing that is copied. */
  readonly leftOut: readonly string[];
  /** What the window pushed out and nobody has taken to warm yet, oldest first; a page at the most. */
  readonly overflow: readonly Said[];
  /** The window, oldest first; a page at the most, and nothing while more of the overflow waits. */
  readonly window: readonly Said[];
  /** Where in the list the next page of the window begins; undefined: nothing follows this one. */
  readonly nextFrom: number | 'overflow' | undefined;
  /** How long until the store drops the session; undefined: it never does. */
  readonly leftMs: number | undefined;
  /** When the user was erased; undefined: never, or too long ago to matter. */
  readonly erasedAt: number | undefined;
  readonly ledger: Pick<Reading, 'ledger' | 'version' | 'pending' | 'notes'>;
  /** Digest of session, window and overflow, whole; '' where those are more than a page. */
  readonly digest: string;
  /** Digest of the page of the overflow. */
  readonly overflowDigest: string;
}

/** What is left of a snapshot to whoever has taken its messages. */
export type WithoutWindow = Omit<Snapshot, 'window'>;

/** What a recall reads of a session. Of what moves from one list to the other meanwhile nothing is missed. */
export interface Recent {
  /** Those of the fields that were asked for. */
  readonly fields: Readonly<Record<string, string>>;
  /** Names of those that are too large to be read. */
  readonly leftOut: readonly string[];
  /** What waits for warm, then the window, oldest first. */
  readonly messages: readonly Said[];
  /** There are more than a page of either: these are the latest. */
  readonly more: boolean;
  /** When the owner was erased; undefined: never, or too long ago to matter. */
  readonly erasedAt: number | undefined;
}

/** What is brought back to the hot tier. */
export interface Restoration {
  readonly user: string;
  /** When the user came back, Unix milliseconds: opens the session that follows. */
  readonly at: number;
  /** The fields as they stood, without those that tell of activity and of the window. */
  readonly fields: Readonly<Record<string, string>>;
  /** What the library had noted of the cart: `opened;added;digest`. Where no field is brought back, the epoch of what is taken up. */
  readonly marks: string;
  /** What was said last, oldest first, as the texts that stood in the list. */
  readonly messages: readonly string[];
  /** The latest that is known of it: nothing comes back that an erasure since then has taken. */
  readonly latestAt: number;
}

/**
 * `erased`: the user was erased since, nothing comes back. `busy`: what waits in the overflow has to be taken to warm
 * first, for it was said in between.
 */
export type Restored = 'restored' | 'erased' | 'busy';

/** How many keys and entries of a user an erasure found, by what they are. */
export type Erased = Readonly<Record<string, number>>;

/** Sessions as physical records: what demotion, promotion and erasure do with them. */
export interface SessionRecords {
  /** How sessions are named. */
  readonly names: SessionNames;

  /**
   * What there is of a user, as one moment. Of long lists a page: ask again with `from` for what follows.
   * @param from where the page of the window begins, 0 for the first
   */
  snapshot(user: string, from?: number): Promise<Snapshot>;

  /** What was said last, and these fields, in one round trip; where others keep the messages as one text, in three. */
  recent(user: string, fields: readonly string[]): Promise<Recent>;

  /**
   * Takes what stands in warm out of the overflow: the page of this snapshot, if it is still its beginning.
   * @returns false if it is not: somebody else has taken it
   */
  trim(snapshot: WithoutWindow): Promise<boolean>;

  /**
   * Deletes the session with window and overflow, and writes the ledger, if nothing of either has changed since the
   * snapshot; the next write opens another session.
   * @returns false if something has changed, and nothing was done
   */
  sink(snapshot: WithoutWindow, ledger: Ledger | undefined): Promise<boolean>;

  /**
   * Brings a session back: opens one with these fields and messages, or where the user has begun another, adds to it
   * what it has not: fields that it lacks, and messages before those of its window, as far as there is room. It is the
   * user's doing: the user is looked at. One that is over for readers, or was ended, and still stands, is taken up again.
   */
  restore(restoration: Restoration): Promise<Restored>;

  /**
   * The references of all sessions of which the hot tier holds anything, by their owner's id; always one at the least, which
   * stands for the owner alone where one user has several. It may take seconds: for what is seldom done.
   */
  sessionsOf(owner: string): Promise<readonly string[]>;

  /**
   * Removes what the hot tier holds of a session: hash, window, overflow, ledger, agenda, quarantine, and the owner's opt-out,
   * which stays, unnamed; and in the same moment notes that the owner is erased: from now on nothing older is written. A
   * later instant wins.
   */
  erase(user: string, erasedAt: number): Promise<Erased>;

  /** What `erase` would find. */
  remains(user: string): Promise<Erased>;

  /**
   * A number greater than any that was given before, for whoever begins something that another may have to take over: what
   * is changed under it is refused where one with a greater number has been.
   */
  fence(now: number): Promise<number>;

  /** Forgets tombstones from before an instant, and what no subscriber is to remember any more. @returns how many tombstones */
  sweepTombstones(before: number): Promise<number>;
}
