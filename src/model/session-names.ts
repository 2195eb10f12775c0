/**
 * How a session is named. Its *reference* is one text that stands for it in the agenda, the ledgers and the queues:
 *
 *   session:<user_id>                      session:ann            `ann`       where a user has one session, the user's id
 *   chat:{<user_id>}:<session_id>:state    chat:{ann}:s1:state    `ann}:s1`   else what stands in the key for both ids
 *
 * It is taken apart at the last separator (`}:`), or at the first where the session's id comes first: so a user's id may
 * hold anything, and a session's all but the separator.
 */
import { UsageError } from './errors.ts';
import type { Problem } from './problem.ts';
import { USER_ID_MAX_BYTES, userIdProblem } from './user-id.ts';

/**
 * Which session is meant: the user's, or where `REKINDLE_SESSION_KEY` has `<session_id>` one of the user's. What belongs to
 * the user (opt-out, erasure) is asked for by the user's id alone.
 */
export type SessionRef = string | { readonly user: string; readonly session: string };

/** A session's owner, and its own id where one user has several. */
export interface SessionName {
  readonly user: string;
  readonly session?: string | undefined;
}

export class SessionNames {
  readonly before: string;
  readonly after: string;
  /** What stands between the two ids; undefined: a user has one session. */
  readonly between: string | undefined;
  readonly #sessionFirst: boolean;

  /** @param template the key with the placeholder `<user_id>`, and `<session_id>` where one user has several */
  constructor(template: string) {
    const [before = '', between, ...after] = template.split(/<(?:user|session)_id>/);
    this.before = before;
    this.after = after[0] ?? between ?? '';
    this.between = after.length > 0 ? between : undefined;
    this.#sessionFirst = /<session_id>.*<user_id>/s.test(template);
  }

  /** One user may have several sessions. */
  get several(): boolean {
    return this.between !== undefined;
  }

  /**
   * The reference of a session.
   * @throws UsageError where it lacks the session's id or has one too many, and on ids that could not be read back
   */
  refOf(given: SessionRef): string {
    const { user, session } = nameIn(given);
    if (this.several && session === undefined)
      throw new UsageError(
        'one user has several sessions, for REKINDLE_SESSION_KEY has <session_id>: give { user, session }',
      );
    if (!this.several && session !== undefined)
      throw new UsageError(
        "a user has one session, for REKINDLE_SESSION_KEY has no <session_id>: give the user's id alone",
      );
    const ref = this.#join(user, session);
    const problem = this.problemOf(ref);
    if (problem) throw new UsageError(problem.detail);
    if (this.nameOf(ref).session !== session)
      throw new UsageError(
        `the session id ${JSON.stringify(session)} could not be told from the user's in a key: leave out ${JSON.stringify(this.between)}`,
      );
    return ref;
  }

  /**
   * The reference under which is done what concerns the user and no session: where one has several, that of a session
   * without an id, which there cannot be.
   * @throws UsageError on what is no user's id
   */
  userRef(user: string): string {
    const given: unknown = user;
    if (typeof given !== 'string') throw new UsageError("give the user's id alone, as a text");
    const problem = userIdProblem(user);
    if (problem) throw new UsageError(problem.detail);
    return this.several ? this.#join(user, '') : user;
  }

  /** Whose session it is, and which. A text without the separator is a user's id, from before there were several. */
  nameOf(ref: string): SessionName {
    const { between } = this;
    if (between === undefined) return { user: ref };
    const at = this.#sessionFirst ? ref.indexOf(between) : ref.lastIndexOf(between);
    if (at < 0) return { user: ref };
    const [first, second] = [ref.slice(0, at), ref.slice(at + between.length)];
    return this.#sessionFirst ? { user: second, session: first } : { user: first, session: second };
  }

  /** Whose session it is. */
  ownerOf(ref: string): string {
    return this.several ? this.nameOf(ref).user : ref;
  }

  /** Says why no session can have this reference, or undefined. */
  problemOf(ref: string): Problem | undefined {
    const problem = userIdProblem(ref);
    if (!this.several || problem?.reason === 'user_id_not_utf8') return problem;
    const { user, session = '' } = this.nameOf(ref);
    if (!problem && user !== '' && session !== '') return undefined;
    return {
      reason: 'user_id_too_long',
      detail: `a user id and a session id have 1 byte each, and with what stands between them ${USER_ID_MAX_BYTES} at the most; these have ${Buffer.byteLength(ref)}`,
    };
  }

  #join(user: string, session = ''): string {
    const { between } = this;
    if (between === undefined) return user;
    return this.#sessionFirst ? session + between + user : user + between + session;
  }
}

/** Callers in JavaScript may give anything. */
function nameIn(given: unknown): SessionName {
  if (typeof given === 'string') return { user: given };
  const { user, session } = (given ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof user === 'string' && typeof session === 'string') return { user, session };
  throw new UsageError("a session is named by its user's id, or as { user, session }, both texts");
}
