import type { Session } from '../model/session.ts';
import type { SessionNames } from '../model/session-names.ts';
import type { ImpossibleUser } from '../model/user-id.ts';

/**
 * One write to a session by the library: all of it happens, or none. A `user` is a session's reference here, and in all that
 * the hot tier holds of it; see session-names.ts.
 */
export interface SessionWrite {
  readonly user: string;
  /** When it happened, Unix milliseconds. */
  readonly at: number;
  /** When it is written, where that is not when it happened: by this, what comes late is told from a wrong clock. */
  readonly now?: number;
  /** The user's own doing: moves `last_activity` and arms the agenda. */
  readonly activity: boolean;
  /** Fields to set; a cart is given as `cart`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Messages to append, as JSON texts in the form of write.lua. */
  readonly messages?: readonly string[];
  /** The cart to write: its JSON, its digest, and whether an order leaves it behind. */
  readonly cart?: { readonly json: string; readonly digest: string };
  /** An order was placed; what `cart` holds is left behind by it. */
  readonly ordered?: boolean;
  /** The session is over: its next write opens a new one. */
  readonly ended?: boolean;
  /** The session's owner wants no more announcements, or none on these channels (in lower case, without `,`, `;` or `=`). */
  readonly optedOut?: boolean | readonly string[];
  /** Look at the session now, and if its owner opted out at all of theirs. */
  readonly armNow?: boolean;
}

/** Hot sessions: written by the library or by others, watched by us. */
export interface Sessions {
  /** How sessions are named. */
  readonly names: SessionNames;

  /**
   * Applies one write atomically, in the order of calls for one user. Rejects with what is wrong with the stored keys, and
   * with a UserErasedError what happened before the user was erased.
   */
  write(write: SessionWrite): Promise<void>;

  /**
   * The session and its window as they physically stand; undefined when there is none. One round trip, two where others
   * keep the messages as one text. Rejects when the session is no hash or its cart cannot be understood.
   */
  read(user: string): Promise<Session | undefined>;

  /**
   * Arms each user as its `last_activity` demands: for sessions that others wrote.
   * @returns those of them whose session is not ours
   */
  armTouched(users: readonly string[], now: number): Promise<readonly string[]>;

  /** The users that have a session, a page at a time; a user may be named twice. Ids that cannot be one are given apart. */
  scan(cursor: string): Promise<SessionPage>;

  /**
   * Tells which users were touched, and whether it was their messages, from `onListening` until `signal` aborts. Rejects
   * when the connection is lost: what was missed meanwhile is for reconcile to find.
   */
  watch(
    onTouched: (user: string, messages: boolean) => void,
    signal: AbortSignal,
    onListening?: () => void,
  ): Promise<void>;

  /** True if a write of ours just now was notified within `timeoutMs`. Only while `watch` runs. */
  probeNotifications(timeoutMs: number): Promise<boolean>;

  /** The key of a user's session. */
  keyOf(user: string): string;
}

export interface SessionPage {
  /** Undefined: this was the last page. */
  readonly cursor: string | undefined;
  readonly users: readonly string[];
  /** What stands in keys that match the template, but name no possible user. */
  readonly impossible: readonly ImpossibleUser[];
}
