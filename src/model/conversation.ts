/**
 * How a session stands in the warm tier: one header, and the messages in segments.
 *
 *   session/<epoch>    header: the fields, and how many messages stand in its segments, under which hash
 *   segment/<number>   at most SEGMENT_MESSAGES messages as they were said, of one session; numbers go on over all sessions
 *                      of a user, so that the latest segment ends with what was said last
 *
 * Whoever appends fills the latest segment up, under its version, or seals it and makes the next one: so of two who append
 * at once only one can, whichever sessions they have seen.
 *
 * Where one user has several sessions at a time, `/<session>` follows in either id, an attribute `session` says it too, and
 * numbers go on over all that had this name.
 */
import { DAY_MS } from './duration.ts';
import { type Attributes, type Entry, assertEntry } from './entry.ts';
import { messageText } from './message.ts';
import { type Said, said } from './said.ts';
import type { SessionName } from './session-names.ts';
import { shortDigest } from './short-digest.ts';

/** A segment is full with so many messages: a demotion of the usual window is one segment. */
export const SEGMENT_MESSAGES = 20;

/** Or with so many bytes: below what the narrowest of the stores takes as one item (2 MB). One message may be larger. */
const SEGMENT_BYTES = 256 * 1024;

/** A conversation ends with a silence of so long: what follows it is another one, in a segment of its own. */
export const SILENCE_MS = DAY_MS;

/** Identities that a header keeps of compacted messages: a list of others may show as many of them again. */
const KNOWN_MAX = 2_000;

/** Nobody has judged it yet. */
const IMPORTANCE = 0.5;

type Kind = 'segment' | 'session';

/** What finds the segments, or the headers, or both, of one session and of those before it under its name. */
export function ofSession<const T extends Kind | readonly [Kind, ...Kind[]]>(
  memoryType: T,
  { session }: SessionName,
): {
  readonly memoryType: T;
  readonly attributes?: readonly { readonly name: string; readonly equals: string }[];
} {
  if (session === undefined) return { memoryType };
  return { memoryType, attributes: [{ name: 'session', equals: session }] };
}

/** A segment, understood. */
export interface Segment extends SessionName {
  readonly epoch: number;
  /** Goes on over all sessions of a user, or of a name. */
  readonly number: number;
  readonly messages: readonly Said[];
  /** Messages of its session before this segment, and `chainOf` the segment before; '' where it is the first. */
  readonly before: number;
  readonly follows: string;
  /** It is not filled up any more: another follows. */
  readonly sealed: boolean;
  /** Its conversation was begun to be compacted: what follows is another one, whenever it was said. */
  readonly ends: boolean;
}

/** Hash of the identities of all messages of a session up to the end of this segment. */
export function chainOf({ follows, messages }: Segment): string {
  return shortDigest([follows, ...messages.map(({ identity }) => identity)].join('\0'));
}

function segmentId({ number, session }: Segment): string {
  return `segment/${number}${named(session)}`;
}

/** At the end, for it may hold anything. */
function named(session: string | undefined): string {
  return session === undefined ? '' : `/${session}`;
}

/**
 * Lays messages out behind the last segment: it is filled up if it is of this session and conversation, else sealed; then
 * others follow.
 * @param lastNumber of the last that stands, which may be one that must not be known any more
 * @returns the segments to write, in their order, to be written together or in turn
 */
export function appended(
  name: SessionName,
  epoch: number,
  last: Segment | undefined,
  lastNumber: number,
  messages: readonly Said[],
): Segment[] {
  if (messages.length === 0) return [];
  const segments: Segment[] = [];
  let current = last?.epoch === epoch && !last.sealed ? last : undefined;
  let bytes = current ? bytesOf(current.messages) : 0;
  let number = lastNumber;
  for (const one of messages) {
    const size = Buffer.byteLength(one.raw);
    const room =
      current &&
      current.messages.length < SEGMENT_MESSAGES &&
      bytes + size <= SEGMENT_BYTES &&
      !isSilence(current.messages.at(-1), one);
    if (!current || !room) {
      number += 1;
      // One that was sealed to be compacted is followed, too.
      const previous = current ?? (last?.epoch === epoch ? last : undefined);
      const [before, follows] = previous
        ? [previous.before + previous.messages.length, chainOf(previous)]
        : [0, ''];
      current = { ...name, epoch, number, messages: [], before, follows, ...OPEN };
      bytes = 0;
    } else if (segments.at(-1) === current) segments.pop();
    bytes += size;
    current = { ...current, messages: [...current.messages, one] };
    segments.push(current);
  }
  const left = last && !last.sealed && segments[0]?.number !== last.number;
  return left ? [{ ...last, sealed: true }, ...segments] : segments;
}

/** Between two messages that say when they were said. */
function isSilence(before: Said | undefined, { at }: Said): boolean {
  return before?.at !== undefined && at !== undefined && at - before.at >= SILENCE_MS;
}

const OPEN = { sealed: false, ends: false } as const;

function bytesOf(messages: readonly Said[]): number {
  return messages.reduce((sum, { raw }) => sum + Buffer.byteLength(raw), 0);
}

/**
 * The segment as an entry.
 * @param now when it is written, for what does not say when it was said
 */
export function segmentEntry(segment: Segment, about: Attributes, now: number): Entry {
  const { epoch, number, messages, before, follows, sealed, ends } = segment;
  // Of what says no time, or one that has not come, only this is known: it was there now.
  const instants = messages.map(({ at }) => Math.min(at ?? now, now));
  return entry(segment, {
    memoryId: segmentId(segment),
    timestamp: Math.max(...instants),
    content: messages
      .map(({ message }) => `${message.role}: ${messageText(message)}`)
      .join('\n')
      .toWellFormed(),
    memoryType: 'segment',
    stepNumber: number,
    attributes: {
      ...about,
      epoch,
      messages: messages.length,
      before,
      follows,
      ...(sealed && { sealed }),
      ...(ends && { ends }),
    },
    sources: messages.map(({ message, identity }) => message.id?.toWellFormed() ?? identity),
    // JSON escapes what UTF-8 could not hold, so each text comes back as it was.
    payload: JSON.stringify(messages.map(({ raw }) => raw)),
    now,
  });
}

/**
 * @param understand as `said`, for who knows the messages from before
 * @throws if the entry is no segment
 */
export function parseSegment(
  { memoryId, agentId, attributes, payload, stepNumber }: Entry,
  understand: (raw: string) => Said = said,
): Segment {
  const raws: unknown = JSON.parse(payload ?? 'null');
  const { epoch, before, follows, sealed, ends } = attributes;
  const right =
    Array.isArray(raws) &&
    raws.every((raw) => typeof raw === 'string') &&
    typeof epoch === 'number' &&
    typeof before === 'number' &&
    typeof follows === 'string' &&
    stepNumber !== undefined;
  if (!right) throw new Error(`the entry ${memoryId} is no segment of a conversation`);
  return {
    ...nameOf(agentId, attributes),
    epoch,
    number: stepNumber,
    messages: raws.map((raw) => understand(raw)),
    before,
    follows,
    sealed: sealed === true,
    ends: ends === true,
  };
}

/** The header of a demoted session. */
export interface Header extends SessionName {
  /** Instant at which the session was opened; of others', at which it was first copied. */
  readonly epoch: number;
  /** The fields of the hash as they stood. */
  readonly fields: Readonly<Record<string, string>>;
  readonly ours: boolean;
  /** Number of its last segment, or of the last before it where it has none. */
  readonly lastSegment: number;
  /** How many messages stand in its segments, and the hash of their identities. */
  readonly messages: number;
  readonly chain: string;
  /** The latest that is known of it: activity or message, Unix milliseconds. */
  readonly latestAt: number;
  /** When others' TTL takes the session; undefined: ours, or never. */
  readonly expiresAt: number | undefined;
  /** Stages that were announced of its cart, as far as was known when it was written. */
  readonly announced: number;
  /** What stood in segments up to this one and was compacted. */
  readonly compacted: Compacted;
}

export interface Compacted {
  /** Number of the last segment; 0: none. */
  readonly to: number;
  /** Identities of the latest messages, oldest first: what hot still shows of them is not taken for new. */
  readonly known: readonly string[];
}

/** Of a session of which nothing was. */
export const NOTHING_COMPACTED: Compacted = { to: 0, known: [] };

/** What a header keeps once these segments were compacted, too; a repeat changes nothing. */
export function compactedAfter(before: Compacted, segments: readonly Segment[]): Compacted {
  const further = segments.filter(({ number }) => number > before.to);
  const identities = further.flatMap(({ messages }) => messages.map(({ identity }) => identity));
  return {
    to: Math.max(before.to, ...further.map(({ number }) => number)),
    known: [...before.known, ...identities].slice(-KNOWN_MAX),
  };
}

export function headerId(epoch: number, session?: string): string {
  return `session/${epoch}${named(session)}`;
}

export function headerEntry(header: Header, about: Attributes, now: number): Entry {
  const { epoch, fields, ours, lastSegment, messages, chain, latestAt, expiresAt } = header;
  const { announced, compacted } = header;
  return entry(header, {
    memoryId: headerId(epoch, header.session),
    timestamp: latestAt,
    content: [about['topic'], about['intent'], about['cart']]
      .filter((text) => text !== undefined)
      .join('\n'),
    memoryType: 'session',
    stepNumber: lastSegment,
    attributes: {
      ...about,
      epoch,
      ours,
      messages,
      chain,
      ...(announced > 0 && { announced }),
      ...(expiresAt !== undefined && { expires_at: expiresAt }),
    },
    sources: [],
    payload: JSON.stringify({ fields, ...(compacted.to > 0 && { compacted }) }),
    now,
  });
}

/** @throws if the entry is no header */
export function parseHeader({
  memoryId,
  agentId,
  attributes,
  payload,
  stepNumber,
  timestamp,
}: Entry): Header {
  const { fields, compacted = NOTHING_COMPACTED } = JSON.parse(payload ?? '{}') as {
    fields?: Record<string, string>;
    compacted?: Compacted;
  };
  const { epoch, ours, messages, chain, expires_at: expiresAt, announced } = attributes;
  const right =
    typeof fields === 'object' &&
    typeof epoch === 'number' &&
    typeof messages === 'number' &&
    typeof chain === 'string';
  if (!right) throw new Error(`the entry ${memoryId} is no header of a session`);
  return {
    ...nameOf(agentId, attributes),
    epoch,
    fields,
    ours: ours === true,
    lastSegment: stepNumber ?? 0,
    messages,
    chain,
    latestAt: timestamp,
    expiresAt: typeof expiresAt === 'number' ? expiresAt : undefined,
    announced: typeof announced === 'number' ? announced : 0,
    compacted,
  };
}

function nameOf(user: string, { session }: Attributes): SessionName {
  return typeof session === 'string' ? { user, session } : { user };
}

function entry(
  { user, session }: SessionName,
  { now, ...parts }: Omit<Entry, 'agentId' | 'metadata'> & { readonly now: number },
): Entry {
  const made: Entry = {
    agentId: user,
    ...parts,
    attributes: session === undefined ? parts.attributes : { ...parts.attributes, session },
    metadata: {
      compressionLevel: 1,
      importanceScore: IMPORTANCE,
      retrievalCount: 0,
      creationTime: now,
      lastAccessTime: now,
    },
  };
  assertEntry(user, made);
  return made;
}
