/**
 * Warm → hot: a user who comes back finds cart, state and what was said last.
 *
 * What is brought back is added to what the user has begun meanwhile, and never replaces any of it. The messages stay in
 * warm: those that were brought back are known again when the session is demoted next.
 */
import {
  type Header,
  SEGMENT_MESSAGES,
  ofSession,
  parseHeader,
  parseSegment,
} from '../model/conversation.ts';
import { UserErasedError } from '../model/errors.ts';
import type { SessionName, SessionRef } from '../model/session-names.ts';
import { endOfSession, parseOwnMarks } from '../model/session.ts';
import type { SessionRecords, Snapshot } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import type { Demoter } from './demote.ts';

export interface PromotePorts {
  readonly records: SessionRecords;
  readonly warm: WarmStore;
}

export interface PromoteSettings {
  /** Messages that are brought back at the most. */
  readonly windowMessages: number;
  /** Logical life of a session of ours after its last activity. */
  readonly hotTtlMs: number;
}

/**
 * `warm`: a demoted session was brought back. `hot`: the session was over for readers but still there, and is taken up
 * again. `nothing`: there is none to bring back, or it is back already.
 */
export type ResumedFrom = 'warm' | 'hot' | 'nothing';

/** Names the session that was brought back, so that it is brought back once. */
const RESUMED_FROM = 'resumed_from';

/** What tells of the session's own activity and window: the one that follows has its own. */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  'last_activity',
  'rekindle',
  'context_tokens',
]);

/** How often a demotion in between may make it begin anew. */
const ATTEMPTS_MAX = 10;

export class Promoter {
  readonly #ports: PromotePorts;
  readonly #demoter: Pick<Demoter, 'demote'>;
  readonly #settings: PromoteSettings;

  constructor(ports: PromotePorts, demoter: Pick<Demoter, 'demote'>, settings: PromoteSettings) {
    this.#ports = ports;
    this.#demoter = demoter;
    this.#settings = settings;
  }

  /** The user's session of which warm knows the latest; undefined: it knows none. */
  async latestOf(user: string): Promise<SessionRef | undefined> {
    const page = await this.#ports.warm.find(user, { memoryType: 'session' }, 'newest', {
      limit: 1,
    });
    const [newest] = page.items;
    if (!newest) return undefined;
    const { session } = parseHeader(newest.entry);
    if (session !== undefined) return { user, session };
    // From before there were several it may have none: nothing could take its place.
    return this.#ports.records.names.several ? undefined : user;
  }

  /**
   * Brings back the latest session of a user who has come back at `at`, by its reference.
   * @throws UserErasedError when it was erased meanwhile; WarmUnavailableError when warm is away
   */
  async resume(ref: string, at: number): Promise<ResumedFrom> {
    const { records } = this.#ports;
    const name = records.names.nameOf(ref);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const snapshot = await records.snapshot(ref);
      const standing = this.#over(snapshot, at);
      const back =
        standing === undefined
          ? await this.#latest(name, snapshot)
          : { ...NOTHING, marks: String(standing) };
      if (!back) return 'nothing';
      const outcome = await records.restore({ user: ref, at, ...back });
      if (outcome === 'erased') throw new UserErasedError();
      if (outcome === 'restored') return standing === undefined ? 'warm' : 'hot';
      // What was said in between goes to warm first, and what was to be taken up is gone there.
      await this.#demoter.demote(ref);
    }
    throw new Error('the session changed again and again while it was brought back');
  }

  /** The epoch of one that is over for readers, or ended, and not demoted yet: nothing has to be brought to it. */
  #over({ fields, ledger: { ledger } }: Snapshot, now: number): number | undefined {
    const endsAt = fields && endOfSession(fields, ledger, this.#settings.hotTtlMs);
    if (endsAt === undefined || endsAt > now) return undefined;
    return parseOwnMarks(fields?.['rekindle'])?.epoch;
  }

  /** The latest session in warm, unless it is the one in hot or has been brought back to it. */
  async #latest(
    name: SessionName,
    { fields, erasedAt = -Infinity }: Snapshot,
  ): Promise<Back | undefined> {
    const { warm } = this.#ports;
    const current = parseOwnMarks(fields?.['rekindle'])?.epoch;
    const page = await warm.find(name.user, ofSession('session', name), 'newest', { limit: 2 });
    const header = page.items
      .filter(({ entry }) => entry.timestamp > erasedAt)
      .map(({ entry }) => parseHeader(entry))
      .find(({ epoch }) => epoch !== current);
    if (!header || fields?.[RESUMED_FROM] === String(header.epoch)) return undefined;
    // Others' session is theirs: while it lives, it is what was copied.
    if (fields && current === undefined && !header.ours) return undefined;
    return {
      fields: fieldsOf(header),
      marks: /^\d+;\d+;(.*)$/s.exec(header.fields['rekindle'] ?? '')?.[1] ?? '0;0;',
      messages: await this.#saidLast(name, erasedAt),
      latestAt: header.latestAt,
    };
  }

  async #saidLast(name: SessionName, erasedAt: number): Promise<string[]> {
    const { windowMessages: window } = this.#settings;
    const said: string[] = [];
    const limit = Math.min(1_000, Math.ceil(window / SEGMENT_MESSAGES) + 1);
    let cursor: string | undefined;
    do {
      const { warm } = this.#ports;
      const page = await warm.find(name.user, ofSession('segment', name), 'last step', {
        limit,
        cursor,
      });
      for (const { entry } of page.items.filter(({ entry }) => entry.timestamp > erasedAt))
        said.unshift(...parseSegment(entry).messages.map(({ raw }) => raw));
      cursor = page.cursor;
    } while (cursor !== undefined && said.length < window);
    return said.slice(-window);
  }
}

interface Back {
  readonly fields: Readonly<Record<string, string>>;
  readonly marks: string;
  readonly messages: readonly string[];
  readonly latestAt: number;
}

/** What still stands is taken up as it is. */
const NOTHING = { fields: {}, messages: [], latestAt: Number.MAX_SAFE_INTEGER };

function fieldsOf({ fields, epoch }: Header): Record<string, string> {
  const kept = Object.entries(fields).filter(([name]) => !OF_THE_SESSION.has(name));
  return Object.fromEntries([...kept, [RESUMED_FROM, String(epoch)]]);
}
