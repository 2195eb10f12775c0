/**
 * Hot → warm, for one session:
 *
 *   what warm knows ─▶ snapshot ─▶ segments ─▶ header ─▶ read back, compare ─▶ trim the overflow, or delete hot
 *
 * Warm is read before hot, and written under the versions that were read: so a snapshot is never older than what it is
 * compared with, and of two demoters of one session the second begins anew. A demoter may die between any two of these: the
 * next one finds what stands and writes what is missing. Hot is deleted only after its logical end, only when ours, only
 * when a look has judged it as it stands, and only if nothing has changed since the snapshot.
 */
import { cartDigest, parseCart } from '../model/cart.ts';
import {
  type Header,
  NOTHING_COMPACTED,
  SEGMENT_MESSAGES,
  type Segment,
  appended,
  chainOf,
  headerEntry,
  headerId,
  segmentEntry,
} from '../model/conversation.ts';
import type { Entry } from '../model/entry.ts';
import { parseInstant } from '../model/instant.ts';
import type { Ledger } from '../model/ledger.ts';
import { type Said, unknownOf } from '../model/said.ts';
import type { SessionName } from '../model/session-names.ts';
import { endOfSession, snapshotOf } from '../model/session.ts';
import type { Agenda } from '../ports/agenda.ts';
import type { Clock } from '../ports/clock.ts';
import type { SessionRecords, Snapshot, WithoutWindow } from '../ports/records.ts';
import type { EntryWrite, WarmStore, WriteOutcome } from '../ports/warm.ts';
import {
  type StoredHeader,
  aboutOf,
  batchesOf,
  epochOf,
  headerOf,
  latestHeaderOf,
  mergedEntry,
  sameEntry,
  storedHeader,
  writeOf,
} from './warm-copy.ts';
import { type Tail, endOf, knownOf, lengthOf, tailOf } from './warm-tail.ts';

export interface DemotePorts {
  readonly clock: Clock;
  readonly agenda: Pick<Agenda, 'arm'>;
  readonly records: SessionRecords;
  readonly warm: WarmStore;
}

export interface DemoteSettings {
  /** Logical life of a session of ours after its last activity. */
  readonly hotTtlMs: number;
  /** How long after it was last written an entry may be dropped; undefined: never. */
  readonly warmTtlMs: number | undefined;
}

export interface Demotion {
  /** Messages that warm did not have before. */
  readonly messages: number;
  /** `copied`: hot stands. `sunk`: hot is deleted. `nothing`: there was nothing. */
  readonly outcome: 'copied' | 'sunk' | 'nothing';
  /** When the store would have dropped the session; undefined: never, or there is none. */
  readonly leftMs: number | undefined;
}

/** How often a user who goes on writing, or a second demoter, may make it begin anew before the job is tried again later. */
const ATTEMPTS_MAX = 20;

/** Pages of a long list overlap by so many, which shows whether others trimmed it in between. */
const PAGE_OVERLAP = 100;

/** A longer list is nobody's window, and would be held in memory. */
const LIST_MAX = 100_000;

/** Something was changed by somebody else: begin anew. */
const CHANGED = Symbol('changed');

export class Demoter {
  readonly #ports: DemotePorts;
  readonly #settings: DemoteSettings;

  constructor(ports: DemotePorts, settings: DemoteSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /** Takes all there is of a session to warm, by its reference. May be repeated, and run beside another. @throws when warm is away, or holds what is no segment */
  async demote(ref: string, signal?: AbortSignal): Promise<Demotion> {
    let messages = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; ) {
      signal?.throwIfAborted();
      const name = this.#ports.records.names.nameOf(ref);
      const step = await this.#step(ref, name, { atAGlance: attempt === 0 });
      if (step === CHANGED) {
        attempt += 1;
        continue;
      }
      messages += step.messages;
      if (!step.more) return { messages, outcome: step.outcome, leftMs: step.leftMs };
    }
    throw new Error('the session changed again and again while it was taken to warm');
  }

  /** One snapshot, taken to warm. */
  async #step(
    ref: string,
    name: SessionName,
    how: { readonly atAGlance: boolean },
  ): Promise<Step | typeof CHANGED> {
    const draft = await this.#draft(ref, name, how);
    if (draft === CHANGED) return CHANGED;
    if (!draft) return { messages: 0, outcome: 'nothing', leftMs: undefined, more: false };
    const { snapshot, writes, messages } = draft;
    // In their order, the header last: it never tells of what does not stand.
    for (const batch of batchesOf(writes))
      if ((await this.#put(name.user, batch)) === CHANGED) return CHANGED;

    const step = { messages, outcome: 'copied', leftMs: snapshot.leftMs, more: false } as const;
    if (await this.#sink(snapshot)) return { ...step, outcome: 'sunk' };
    if (!(await this.#ports.records.trim(snapshot))) return CHANGED;
    return { ...step, more: snapshot.nextFrom === 'overflow' };
  }

  /** What a snapshot comes to; undefined: there is nothing. */
  async #draft(
    ref: string,
    name: SessionName,
    how: { readonly atAGlance: boolean },
  ): Promise<Draft | undefined | typeof CHANGED> {
    const { clock, warm } = this.#ports;
    // Whoever appends after this was read leaves the header in another version.
    const { latest: found, end: read, atOnce } = await knownOf(warm, name, how);
    // Before the snapshot: nothing that an erasure removes later is given an instant after it.
    const begunAt = clock.now();
    const snapshot = await this.#gather(ref);
    if (snapshot === CHANGED) return CHANGED;
    const { fields, erasedAt = -Infinity } = snapshot;
    // With the tombstone went all that hot held: what stands there has come since.
    const now = Math.max(begunAt, erasedAt + 1);
    const seen = [...snapshot.overflow, ...snapshot.window];
    if (!fields && seen.length === 0) return undefined;
    const whole = seen.length > SEGMENT_MESSAGES ? await endOf(warm, name, seen.length) : read;
    if (whole.at(-1)?.stored.version !== read.at(-1)?.stored.version) return CHANGED;
    if (found && !(atOnce && whole === read) && lengthOf(whole) < seen.length) {
      // What is missing may have been compacted since the header was read, which tells of it then.
      const again = await latestHeaderOf(warm, name);
      if (again?.stored.version !== found.stored.version) return CHANGED;
    }
    const latest = found && found.stored.entry.timestamp > erasedAt ? found : undefined;
    const tail = tailOf(whole, latest, erasedAt);
    const fresh = unknownOf(tail.known, seen).filter(({ at }) => (at ?? now) > erasedAt);
    const writes = await this.#writesOf(name, snapshot, tail, fresh, now, how);
    if (writes === CHANGED) return CHANGED;
    const { window: _written, ...rest } = snapshot;
    return { snapshot: rest, writes, messages: fresh.length };
  }

  /** A snapshot with the whole of the window, however long others let it become. */
  async #gather(ref: string): Promise<Snapshot | typeof CHANGED> {
    const { records } = this.#ports;
    const snapshot = await records.snapshot(ref);
    const window = [...snapshot.window];
    let from = snapshot.nextFrom;
    while (typeof from === 'number') {
      if (window.length > LIST_MAX)
        throw new Error(`the list has more than ${LIST_MAX} messages; trim it`);
      const begin = from - PAGE_OVERLAP;
      const page = await records.snapshot(ref, begin);
      // Pages that do not join: others have trimmed the list meanwhile.
      const joined = page.window
        .slice(0, PAGE_OVERLAP)
        .every(({ identity }, index) => identity === window[begin + index]?.identity);
      if (!joined || page.nextFrom === 'overflow') return CHANGED;
      window.push(...page.window.slice(PAGE_OVERLAP));
      from = page.nextFrom;
    }
    return { ...snapshot, window };
  }

  async #writesOf(
    name: SessionName,
    snapshot: Snapshot,
    { last, lastNumber, latest }: Tail,
    fresh: readonly Said[],
    now: number,
    { atAGlance }: { readonly atAGlance: boolean },
  ): Promise<EntryWrite[] | typeof CHANGED> {
    const { fields = {} } = snapshot;
    const epoch = epochOf(snapshot, latest?.header, last?.segment, now);
    const standing =
      latest && latest.header.epoch !== epoch ? await this.#headerOf(name, epoch) : latest;
    const about = aboutOf(fields);

    if (last && last.segment.epoch !== epoch && !last.segment.sealed) {
      if ((await this.#leave(name, last.segment, now)) === CHANGED) return CHANGED;
    }
    const expiresAt = this.#expiresAt(now);
    const segments = appended(name, epoch, last?.segment, lastNumber, fresh);
    const writes = segments.map((segment) =>
      segment.number === last?.segment.number
        ? writeOf(mergedEntry(segment, last.stored, about, now), last.stored, expiresAt)
        : writeOf(segmentEntry(segment, about, now), undefined, expiresAt),
    );
    const end = segments.at(-1) ?? last?.segment;
    const header = headerOf(name, snapshot, epoch, end, standing?.header, now);
    // A session that follows knows what its list may still show.
    const { compacted = NOTHING_COMPACTED } = standing?.header ?? latest?.header ?? {};
    const lastSegment = end?.number ?? lastNumber;
    // It tells of more than was read: of what was written since, or, where that stays so, of what has expired.
    if (atAGlance && (standing?.header.lastSegment ?? 0) > lastSegment) return CHANGED;
    const entry = headerEntry({ ...header, lastSegment, compacted }, about, now);
    const isNews = !standing || !sameEntry(entry, standing.stored.entry);
    if (isNews) writes.push(writeOf(entry, standing?.stored, expiresAt));
    return writes;
  }

  /** Tells of a session that is followed by another, where a demoter has died between its segments and its header. */
  async #leave(
    name: SessionName,
    segment: Segment,
    now: number,
  ): Promise<undefined | typeof CHANGED> {
    const { epoch, number, before, messages } = segment;
    const standing = await this.#headerOf(name, epoch);
    const total = before + messages.length;
    const chain = chainOf(segment);
    if (standing?.header.messages === total && standing.header.chain === chain) return undefined;
    // What its fields were, nobody knows any more.
    const { fields = {}, ours = true, latestAt = 0, expiresAt } = standing?.header ?? {};
    const { announced = 0, compacted = NOTHING_COMPACTED } = standing?.header ?? {};
    const said = messages.map(({ at }) => Math.min(at ?? now, now));
    const header: Header = {
      ...name,
      epoch,
      fields,
      ours,
      lastSegment: number,
      messages: total,
      chain,
      latestAt: Math.max(latestAt, ...said),
      expiresAt,
      announced,
      compacted,
    };
    const about = aboutOf(fields);
    const write = writeOf(headerEntry(header, about, now), standing?.stored, this.#expiresAt(now));
    return (await this.#put(name.user, [write])) === CHANGED ? CHANGED : undefined;
  }

  #expiresAt(now: number): number | undefined {
    const { warmTtlMs } = this.#settings;
    return warmTtlMs === undefined ? undefined : now + warmTtlMs;
  }

  /**
   * Writes all of them or none, for of two who append at once the second must not leave its end behind; and compares what
   * stands then with what was given. A header that is older than an erasure is not written, and is not wanted.
   */
  async #put(user: string, writes: readonly EntryWrite[]): Promise<undefined | typeof CHANGED> {
    if (writes.length === 0) return undefined;
    const how = { together: true, readBack: true };
    const outcomes = await this.#ports.warm.put(user, writes, how);
    for (const outcome of outcomes)
      if (outcome.outcome === 'failed') throw new Error(`warm refused an entry: ${outcome.reason}`);
    if (outcomes.every(({ outcome }) => outcome === 'written'))
      return writes.every(({ entry }, index) => stands(entry, outcomes[index]))
        ? undefined
        : CHANGED;
    // A header that is older than an erasure is not wanted; the segments before it are.
    if (outcomes.at(-1)?.outcome === 'erased' && isHeader(writes.at(-1)))
      return this.#put(user, writes.slice(0, -1));
    // Another demoter was there, or an erasure: what stands is read first.
    return CHANGED;
  }

  /** Deletes hot, if its time has come. @returns false if it stays */
  async #sink(snapshot: WithoutWindow): Promise<boolean> {
    const { records, agenda, clock } = this.#ports;
    const { user, fields, leftOut, digest } = snapshot;
    const now = clock.now();
    const { ledger } = snapshot.ledger;
    const endsAt = fields && endOfSession(fields, ledger, this.#settings.hotTtlMs);
    if (!fields || endsAt === undefined || endsAt > now) return false;
    if (leftOut.length > 0 || digest === '') return false;
    if (!ledger || !isJudged(ledger, fields, endsAt)) {
      // Whoever has not been looked at since is looked at first: else a cart could go unnoticed.
      await agenda.arm([{ user, at: now }]);
      return false;
    }
    return records.sink(snapshot, afterSinking(ledger, fields, now));
  }

  async #headerOf(
    { user, session }: SessionName,
    epoch: number,
  ): Promise<StoredHeader | undefined> {
    const [stored] = await this.#ports.warm.get(user, [headerId(epoch, session)]);
    return stored && storedHeader(stored);
  }
}

function stands(entry: Entry, outcome: WriteOutcome | undefined): boolean {
  return (
    outcome?.outcome === 'written' &&
    outcome.stands !== undefined &&
    sameEntry(entry, outcome.stands)
  );
}

function isHeader(write: EntryWrite | undefined): boolean {
  return write?.entry.memoryType === 'session';
}

/**
 * What a snapshot comes to, before it is written. It holds no message as it was read: sessions wait for warm by the
 * hundreds, and each collection of young objects copies what they hold. It took 177 µs a demotion instead of 199.
 */
interface Draft {
  readonly snapshot: WithoutWindow;
  readonly writes: readonly EntryWrite[];
  /** How many of them warm did not have. */
  readonly messages: number;
}

interface Step extends Demotion {
  /** More of the overflow waits. */
  readonly more: boolean;
}

/** A look has seen this end, this cart and this order. */
function isJudged(
  ledger: Ledger,
  fields: Readonly<Record<string, string>>,
  endsAt: number,
): boolean {
  const cart = parseCart(fields['cart']);
  const orderAt = parseInstant(fields['last_order_at'] ?? '');
  return (
    ledger.demotion?.dueAt === endsAt &&
    (orderAt === undefined || orderAt === ledger.orderAt) &&
    !('problem' in cart) &&
    ledger.cart === cartDigest(cart.items)
  );
}

/** What the ledger keeps for later stages: the session did not vanish, it has ended as it should. */
function afterSinking(
  ledger: Ledger,
  fields: Readonly<Record<string, string>>,
  now: number,
): Ledger {
  const { demotion: _done, snapshot: _before, ...rest } = ledger;
  const activityAt = parseInstant(fields['last_activity'] ?? '') ?? 0;
  return {
    ...rest,
    activityAt: Math.max(ledger.activityAt, Math.min(activityAt, now)),
    ...(ledger.episode && { expiresAt: now, snapshot: snapshotOf(fields) }),
  };
}
