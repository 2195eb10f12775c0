/**
 * Warm → cold, for one user, one conversation after the other:
 *
 *   seal ─▶ transcript ─▶ summary ─▶ record ─▶ read both back ─▶ merge `current` ─▶ header ─▶ remove its segments
 *
 * Warm loses nothing before cold has it: a compactor may die between any two of these, and the next one finds what stands.
 * Sealed segments never change, so the same conversation gives the same names, and what stands under them is taken as it is:
 * nobody is asked for a summary twice. Of two compactors of one user the one with the older token is refused. A summary
 * that fails leaves everything where it is.
 */
import {
  type Header,
  NOTHING_COMPACTED,
  SILENCE_MS,
  chainOf,
  compactedAfter,
  headerEntry,
  headerId,
} from '../model/conversation.ts';
import { DamagedObjectError, UserErasedError } from '../model/errors.ts';
import type { SessionName } from '../model/session-names.ts';
import type { Transcript } from '../model/transcript.ts';
import type { Clock } from '../ports/clock.ts';
import type { ColdKind, ColdStore } from '../ports/cold.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { Summarizer } from '../ports/summarizer.ts';
import type { EntryWrite, StoredEntry, WarmStore } from '../ports/warm.ts';
import { CheckedSummarizer } from './checked-summarizer.ts';
import {
  type InsightRecord,
  nameOfTranscript,
  parseRecord,
  parseTranscript,
  recordText,
  transcriptText,
} from './cold-records.ts';
import { insightsOf, mergeIntoCurrent } from './current-insights.ts';
import { outcomeOf } from './outcome.ts';
import { type Conversation, conversationsOf, isRipe, lengthOf } from './ripe.ts';
import {
  type StoredHeader,
  type StoredSegment,
  aboutOf,
  latestHeaderOf,
  mergedEntry,
  storedHeader,
  writeOf,
} from './warm-copy.ts';

export interface CompactPorts {
  readonly clock: Clock;
  readonly records: Pick<SessionRecords, 'names' | 'snapshot' | 'fence'>;
  readonly warm: WarmStore;
  readonly cold: ColdStore;
  readonly summarizer: Summarizer;
}

export interface CompactSettings {
  /** How long after its last message a conversation is compacted. */
  readonly warmAgeMs: number;
  /** How long after it was last written an entry of warm may be dropped; undefined: never. */
  readonly warmTtlMs: number | undefined;
}

export interface Compaction {
  /** Conversations and messages that cold has and warm has no longer. */
  readonly conversations: number;
  readonly messages: number;
}

/** Something was changed by somebody else: begin anew. */
const CHANGED = Symbol('changed');

/** How often a demoter in between may make it begin anew before the job is tried again later. */
const ATTEMPTS_MAX = 10;

export class Compactor {
  readonly #ports: CompactPorts;
  readonly #settings: CompactSettings;

  constructor(ports: CompactPorts, settings: CompactSettings) {
    this.#ports = { ...ports, summarizer: new CheckedSummarizer(ports.summarizer) };
    this.#settings = settings;
  }

  /**
   * Takes all of a user's conversations that are ripe. May be repeated, and run beside another.
   * @throws when a tier is away, or a summary fails: what was not taken stays in warm
   */
  async compact(user: string, signal?: AbortSignal): Promise<Compaction> {
    const fence = await this.#ports.records.fence(this.#ports.clock.now());
    let conversations = 0;
    let messages = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const outcome = await this.#pass(user, fence, signal, (taken) => {
        conversations += 1;
        messages += lengthOf(taken);
      });
      if (outcome !== CHANGED) return { conversations, messages };
    }
    throw new Error('the conversation changed again and again while it was compacted');
  }

  async #pass(
    user: string,
    fence: number,
    signal: AbortSignal | undefined,
    onTaken: (conversation: Conversation) => void,
  ): Promise<undefined | typeof CHANGED> {
    for await (const conversation of conversationsOf(this.#ports.warm, user)) {
      signal?.throwIfAborted();
      const ripe = await this.#judge(conversation);
      if (!ripe) continue;
      if ((await this.#take(conversation, ripe, fence, signal)) === CHANGED) return CHANGED;
      onTaken(conversation);
    }
    return this.#leaveHeaders(user);
  }

  /** What it is compacted with; undefined: not now. */
  async #judge(conversation: Conversation): Promise<Ripe | undefined> {
    const { records, warm, clock } = this.#ports;
    const { name, endedAt } = conversation;
    const now = clock.now();
    const ageMs = this.#settings.warmAgeMs;
    if (!isRipe(conversation, { now, ageMs, episodeIsOpen: false })) return undefined;
    const { ledger, erasedAt = -Infinity } = await records.snapshot(refOf(records, name));
    // What an erasure is about to remove is nobody's to keep.
    if (endedAt <= erasedAt) return undefined;
    const episodeIsOpen = ledger.ledger?.episode !== undefined;
    if (!isRipe(conversation, { now, ageMs, episodeIsOpen })) return undefined;
    const epoch = conversation.segments.at(-1)?.segment.epoch ?? 0;
    const [stored] = await warm.get(name.user, [headerId(epoch, name.session)]);
    const own = stored && storedHeader(stored).header;
    const latest = await latestHeaderOf(warm, name);
    const activityAt = Math.max(latest?.header.latestAt ?? 0, ledger.ledger?.activityAt ?? 0);
    return {
      latest,
      fields: own?.fields ?? {},
      announced: own?.announced ?? 0,
      // Whatever comes sooner is of the same visit.
      cameBack: activityAt - endedAt >= SILENCE_MS,
    };
  }

  async #take(
    conversation: Conversation,
    ripe: Ripe,
    fence: number,
    signal: AbortSignal | undefined,
  ): Promise<undefined | typeof CHANGED> {
    const sealed = await this.#seal(conversation);
    if (sealed === CHANGED) return CHANGED;
    const { user } = conversation.name;
    const { name, transcript } = await this.#transcribe(sealed, ripe);
    const record = await this.#summarize(name, transcript, signal);
    signal?.throwIfAborted();
    await mergeIntoCurrent(this.#ports.cold, record, fence);
    if ((await this.#note(sealed, ripe.latest)) === CHANGED) return CHANGED;
    const outcomes = await this.#ports.warm.remove(
      user,
      sealed.segments.map(({ stored: { entry, version } }) => ({
        memoryId: entry.memoryId,
        expected: version,
      })),
    );
    return outcomes.includes('conflict') ? CHANGED : undefined;
  }

  /** From here on nobody appends to it. */
  async #seal(conversation: Conversation): Promise<Conversation | typeof CHANGED> {
    const last = conversation.segments.at(-1);
    if (!last || last.segment.ends) return conversation;
    const segment = { ...last.segment, sealed: true, ends: true };
    const entry = mergedEntry(segment, last.stored, {}, this.#ports.clock.now());
    const version = await this.#put(conversation.name.user, this.#writeOf(entry, last.stored));
    if (version === CHANGED) return CHANGED;
    const sealed: StoredSegment = { segment, stored: { entry, version } };
    return { ...conversation, segments: [...conversation.segments.slice(0, -1), sealed] };
  }

  /** Writes the transcript, unless it stands, and reads it back: what stands is what is summarised. */
  async #transcribe(
    { name: { user, session }, segments, startedAt, endedAt }: Conversation,
    { fields, announced, cameBack }: Ripe,
  ): Promise<{ readonly name: string; readonly transcript: Transcript }> {
    const messages = segments.flatMap(({ segment }) => segment.messages);
    const outcome = outcomeOf({ startedAt, endedAt, fields, announced, cameBack });
    const whole: Transcript = {
      user,
      ...(session !== undefined && { session }),
      startedAt,
      endedAt,
      messages,
      fields,
      outcome,
    };
    const name = nameOfTranscript(whole);
    const text = await this.#write(user, 'transcripts', name, transcriptText(whole), endedAt);
    const transcript = parseTranscript(name, text);
    const same =
      transcript.user === user &&
      transcript.messages.length === messages.length &&
      messages.every(({ raw }, index) => raw === transcript.messages[index]?.raw);
    if (same) return { name, transcript };
    throw new DamagedObjectError(`the transcript ${name} does not hold what was said`);
  }

  async #summarize(
    name: string,
    transcript: Transcript,
    signal: AbortSignal | undefined,
  ): Promise<InsightRecord> {
    const { cold, summarizer } = this.#ports;
    const { user, endedAt } = transcript;
    const standing = await this.#standingRecord(user, name);
    if (standing) return standing;
    const known = await insightsOf(cold, user);
    const summary = await summarizer.summarize(transcript, known, signal);
    const made = { ...summary, user, transcript: name, endedAt, by: summarizer.name };
    return parseRecord(name, await this.#write(user, 'insights', name, recordText(made), endedAt));
  }

  /** A damaged one is made anew: what it was made of stands. */
  async #standingRecord(user: string, name: string): Promise<InsightRecord | undefined> {
    try {
      const text = await this.#ports.cold.get(user, 'insights', name);
      return text === undefined ? undefined : parseRecord(name, text);
    } catch (error) {
      if (error instanceof DamagedObjectError) return undefined;
      throw error;
    }
  }

  /** Writes an object, unless one of the name stands. @returns what stands */
  async #write(
    user: string,
    kind: ColdKind,
    name: string,
    text: string,
    at: number,
  ): Promise<string> {
    const { cold } = this.#ports;
    const outcome = await cold.put(user, kind, { name, text, at });
    if (outcome === 'erased') throw new UserErasedError();
    const standing = await cold.get(user, kind, name);
    // Gone again: an erasure has come in between.
    if (standing === undefined) throw new UserErasedError();
    if (outcome === 'written' && standing !== text)
      throw new DamagedObjectError(`${kind}/${name} is not what was written`);
    return standing;
  }

  /** Lets the latest header know, so that what hot still shows of it is not taken for new. */
  async #note(
    { name, segments }: Conversation,
    latest: StoredHeader | undefined,
  ): Promise<undefined | typeof CHANGED> {
    const taken = segments.map(({ segment }) => segment);
    const header = latest?.header ?? headerFor(name, segments);
    const compacted = compactedAfter(header.compacted, taken);
    if (compacted.to === latest?.header.compacted.to) return undefined;
    const noted = { ...header, compacted };
    const entry = headerEntry(noted, aboutOf(header.fields), this.#ports.clock.now());
    const version = await this.#put(name.user, this.#writeOf(entry, latest?.stored));
    return version === CHANGED ? CHANGED : undefined;
  }

  /** Removes headers that nothing hangs on any more: the latest of each name stays, for whoever returns. */
  async #leaveHeaders(user: string): Promise<undefined | typeof CHANGED> {
    const { warm, clock } = this.#ports;
    const latest = new Set<string | undefined>();
    let cursor: string | undefined;
    do {
      const page = await warm.find(user, { memoryType: 'session' }, 'newest', {
        limit: 100,
        cursor,
      });
      for (const { stored, header } of page.items.map(storedHeader)) {
        const { session, epoch, latestAt } = header;
        const isLatest = !latest.has(session);
        latest.add(session);
        if (isLatest || clock.now() - latestAt <= this.#settings.warmAgeMs) continue;
        const attributes = [
          { name: 'epoch', equals: epoch },
          ...(session === undefined ? [] : [{ name: 'session', equals: session }]),
        ];
        const of = { memoryType: 'segment', attributes };
        const { items } = await warm.find(user, of, 'newest', { limit: 1 });
        const { entry, version } = stored;
        if (items.length === 0)
          await warm.remove(user, [{ memoryId: entry.memoryId, expected: version }]);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    return undefined;
  }

  #writeOf(entry: StoredEntry['entry'], standing: StoredEntry | undefined): EntryWrite {
    const { warmTtlMs } = this.#settings;
    const expiresAt = warmTtlMs === undefined ? undefined : this.#ports.clock.now() + warmTtlMs;
    return writeOf(entry, standing, expiresAt);
  }

  /** @returns the version that stands then */
  async #put(user: string, write: EntryWrite): Promise<string | typeof CHANGED> {
    const [outcome] = await this.#ports.warm.put(user, [write]);
    switch (outcome?.outcome) {
      case 'written':
        return outcome.version;
      case 'erased':
        throw new UserErasedError();
      case 'failed':
        throw new Error(`warm refused an entry: ${outcome.reason}`);
      default:
        return CHANGED;
    }
  }
}

/** What a conversation is compacted with. */
interface Ripe {
  /** The header that was written of its name last. */
  readonly latest: StoredHeader | undefined;
  /** Of its own header. */
  readonly fields: Readonly<Record<string, string>>;
  readonly announced: number;
  readonly cameBack: boolean;
}

function refOf({ names }: Pick<SessionRecords, 'names'>, { user, session }: SessionName): string {
  return session === undefined ? user : names.refOf({ user, session });
}

/** For a conversation whose demoter died before its header, and never came again. */
function headerFor(name: SessionName, segments: readonly StoredSegment[]): Header {
  const last = segments.at(-1);
  if (!last) throw new Error('a conversation has a segment at the least');
  const { segment, stored } = last;
  return {
    ...name,
    epoch: segment.epoch,
    fields: {},
    ours: true,
    lastSegment: segment.number,
    messages: segment.before + segment.messages.length,
    chain: chainOf(segment),
    latestAt: stored.entry.timestamp,
    expiresAt: undefined,
    announced: 0,
    compacted: NOTHING_COMPACTED,
  };
}
