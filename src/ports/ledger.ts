import type { CartEvent } from '../model/event.ts';
import type { Ledger, Note } from '../model/ledger.ts';
import type { Problem } from '../model/problem.ts';
import type { SessionFields } from '../model/session.ts';
import type { Claim } from './agenda.ts';

/** What a look finds of one user: the session and the ledger, read in one batch. */
export interface Reading {
  readonly user: string;
  /** Raw fields of the session hash that the policy reads; undefined when there is no session. */
  readonly fields: SessionFields | undefined;
  /** What the store found wrong by itself: a key of the wrong type, an absurd size, an unreadable ledger. */
  readonly problem: Problem | undefined;
  /** When the store will drop the session; undefined: never. */
  readonly expiresAt: number | undefined;
  /** Messages that the window pushed out and that wait to be taken to warm. */
  readonly overflow: number;
  /** NaN: nobody knows when, for somebody spoilt it. */
  readonly optedOutAt: number | undefined;
  /** When the user opted out of single channels, by channel in lower case. */
  readonly optedOutOf: ReadonlyMap<string, number> | undefined;
  /** When rescue messages went to the session's owner lately; empty where nothing depends on it. */
  readonly contactedAt: readonly number[];
  /** Digest of all of the above but `expiresAt`, `overflow` and `contactedAt`. */
  readonly digest: string;
  readonly ledger: Ledger | undefined;
  /** Version of the ledger; '' when there is none. */
  readonly version: string;
  /** Events that are recorded and not yet known to be on the bus, in their order. */
  readonly pending: readonly CartEvent[];
  /** What subscribers noted since the ledger was written. */
  readonly notes: readonly Note[];
}

export interface LedgerWrite {
  readonly reading: Reading;
  readonly ledger: Ledger;
  /** Events to add to the pending ones. */
  readonly events: readonly CartEvent[];
  /** Put into, or take out of, quarantine; undefined: as it is. */
  readonly quarantine: Quarantined | 'leave' | undefined;
  /** All that is left of the look, if the look has nothing else to do with this user; undefined: it has. */
  readonly last?: { readonly nextAt: number | undefined } | undefined;
}

/**
 * `settled`: the look is over as well, and the events are on the bus. `changed`: the session or the ledger is not what was
 * read; look again. `lease_lost`: the claim's lease has run out or nearly so; somebody else looks.
 */
export type CommitOutcome = 'settled' | 'committed' | 'changed' | 'lease_lost';

export interface Quarantined {
  readonly user: string;
  readonly key: string;
  readonly reason: string;
  readonly detail: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** An announcement as it was recorded. */
export interface Recorded {
  readonly user: string;
  readonly sequence: number;
  /** The latest activity of the user then, Unix milliseconds. */
  readonly activityAt: number;
  /** The cart then, as JSON. */
  readonly cart: string;
}

export interface ReadOptions {
  /** Spares what only a look needs: `expiresAt` may be undefined and `overflow` 0 then, whatever they are. Default false. */
  readonly brief?: boolean;
}

/** The per-user records: episode, stages, what was seen, and the events not yet on the bus. */
export interface LedgerStore {
  /** Reads session and ledger of each user, in the order of `users`; one user's trouble is its own. */
  read(users: readonly string[], now: number, options?: ReadOptions): Promise<Reading[]>;

  /**
   * Whether all that decides on these announcements is as it was when they were recorded: each is the latest event of its
   * user, its episode is open, the cart is the same and of the same life, the user did nothing since, ordered never and opted
   * out of nothing, the session is not over. Much cheaper than `read`.
   * @returns for each, in their order: the consent that the session states now, '' where it states none; undefined where
   * something has changed, or only `read` can tell
   */
  unchanged(announced: readonly Recorded[]): Promise<(string | undefined)[]>;

  /**
   * Writes each ledger with its new events, and without the notes that were read, for it has taken them in; if the claim's
   * lease still has time to run and neither the session nor the ledger has changed since it was read.
   *
   * Where that is the last of a look and leaves nothing pending, the claim's lease ends and the next look is armed in the
   * same step, as `Agenda.settle` does: `settled`. A store that holds the event bus too leaves nothing pending while the bus
   * takes events: it puts them there in that step.
   */
  commit(claim: Claim, writes: readonly LedgerWrite[], now: number): Promise<CommitOutcome[]>;

  /**
   * Notes something of a user until a look takes it into the ledger, and has the user looked at. A commit that did not see it
   * fails.
   * @returns false where there is no ledger to note it in, or the user was erased since it happened
   */
  note(user: string, note: Note, now: number): Promise<boolean>;

  /**
   * Deletes the ledgers of these readings, but for those that have changed since.
   * @returns how many were deleted
   */
  forget(readings: readonly Reading[]): Promise<number>;

  /** The users that have a ledger or an overflow, a page at a time; a user may be named twice. */
  scan(
    cursor: string,
  ): Promise<{ readonly cursor: string | undefined; readonly users: readonly string[] }>;

  /**
   * Puts users into quarantine who have no ledger to say so: an id that cannot be one, a ledger that cannot be read.
   * @returns those that were not there yet
   */
  quarantine(entries: readonly Quarantined[]): Promise<Quarantined[]>;

  /** Takes users out of quarantine whose ledger does not hold them there. */
  release(users: readonly string[]): Promise<void>;

  /** Those in quarantine, latest first. */
  quarantined(
    limit: number,
  ): Promise<{ readonly total: number; readonly entries: readonly Quarantined[] }>;
}
