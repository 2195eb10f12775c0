/** What a snapshot of a session becomes in warm. */
import { isDeepStrictEqual } from 'node:util';
import { cartValue, parseCart } from '../model/cart.ts';
import {
  type Header,
  type Segment,
  chainOf,
  ofSession,
  parseHeader,
  parseSegment,
  segmentEntry,
} from '../model/conversation.ts';
import { SECOND_MS } from '../model/duration.ts';
import type { Attributes, Entry } from '../model/entry.ts';
import { parseInstant } from '../model/instant.ts';
import type { Ledger } from '../model/ledger.ts';
import type { SessionName } from '../model/session-names.ts';
import { parseOwnMarks } from '../model/session.ts';
import type { Snapshot } from '../ports/records.ts';
import {
  ABSENT,
  type EntryWrite,
  type StoredEntry,
  TOGETHER_MAX,
  type WarmStore,
} from '../ports/warm.ts';

/** The narrowest of the stores takes 2 MB together, with all that is beside texts. */
const BATCH_BYTES = 1024 * 1024;

/** A longer text is no attribute that anybody asks for. */
const ATTRIBUTE_MAX = 256;

/**
 * The session that a snapshot belongs to: its own mark; of others' the one that is known, until its TTL has taken it; and
 * of what outlived its session the latest.
 */
export function epochOf(
  { fields, erasedAt = 0 }: Snapshot,
  header: Header | undefined,
  last: Segment | undefined,
  now: number,
): number {
  const marks = parseOwnMarks(fields?.['rekindle']);
  if (marks) return marks.epoch;
  const gone = header && now > (header.expiresAt ?? Infinity);
  const known = fields && (header?.ours === true || gone) ? undefined : header;
  if (known) return known.epoch;
  const begun = parseInstant(fields?.['last_activity'] ?? '') ?? now;
  // A copy that was broken off before its header has named it.
  const orphan = last && last.epoch > (header?.epoch ?? 0) ? last.epoch : undefined;
  return orphan ?? Math.max(Math.min(begun, now), erasedAt + 1);
}

export function headerOf(
  name: SessionName,
  { fields, leftMs, ledger: { ledger } }: Snapshot,
  epoch: number,
  end: Segment | undefined,
  standing: Header | undefined,
  now: number,
): Omit<Header, 'lastSegment' | 'compacted'> {
  const own = end?.epoch === epoch ? end : undefined;
  const ours = fields ? parseOwnMarks(fields['rekindle']) !== undefined : standing?.ours === true;
  // Ours ends by its activity, which its fields tell.
  const expiresAt = ours || leftMs === undefined ? undefined : now + leftMs;
  // As far as two measurements of one TTL differ, it is no news.
  const asBefore =
    !fields || Math.abs((expiresAt ?? Infinity) - (standing?.expiresAt ?? -Infinity)) < SECOND_MS;
  return {
    ...name,
    epoch,
    fields: fields ?? standing?.fields ?? {},
    ours,
    messages: own ? own.before + own.messages.length : 0,
    chain: own ? chainOf(own) : '',
    latestAt: latestOf(fields ?? {}, own, standing, now),
    expiresAt: asBefore ? standing?.expiresAt : expiresAt,
    // An episode that has closed since is not forgotten.
    announced: Math.max(announcedIn(ledger), standing?.announced ?? 0),
  };
}

function announcedIn(ledger: Ledger | undefined): number {
  return ledger?.episode?.stages.filter(({ as }) => as === 'a').length ?? 0;
}

function latestOf(
  fields: Readonly<Record<string, string>>,
  end: Segment | undefined,
  standing: Header | undefined,
  now: number,
): number {
  const activityAt = parseInstant(fields['last_activity'] ?? '') ?? 0;
  const said = (end?.messages ?? []).map(({ at }) => at ?? 0);
  const latest = Math.max(
    standing?.latestAt ?? 0,
    ...[activityAt, ...said].map((at) => (at > now ? now : at)),
  );
  return latest > 0 ? latest : now;
}

/** What queries ask for. */
export function aboutOf(fields: Readonly<Record<string, string>>): Attributes {
  const parsed = parseCart(fields['cart']);
  const cart = 'problem' in parsed ? [] : parsed.items;
  const about: Record<string, string | number> = {};
  const texts = {
    channel: fields['active_channel'],
    language: fields['language'],
    intent: fields['current_intent'],
    topic: fields['topic'],
    session_id: fields['session_id'],
    order_id: fields['order_id'],
  };
  for (const [name, text] of Object.entries(texts))
    if (text) about[name] = text.slice(0, ATTRIBUTE_MAX).toWellFormed();
  if (cart.length > 0) {
    about['cart_items'] = cart.length;
    about['cart_value'] = cartValue(cart);
  }
  return about;
}

/** The last segment with more in it, or sealed: what it says of its session stays as it was. */
export function mergedEntry(
  segment: Segment,
  { entry }: StoredEntry,
  about: Attributes,
  now: number,
): Entry {
  const merged = segmentEntry(segment, segment.sealed ? {} : about, now);
  if (!segment.sealed) return merged;
  return {
    ...merged,
    timestamp: entry.timestamp,
    attributes: { ...entry.attributes, ...merged.attributes },
  };
}

/** What stands is merged: what it has been recalled stays with it. */
export function writeOf(
  entry: Entry,
  standing: StoredEntry | undefined,
  expiresAt: number | undefined,
): EntryWrite {
  return {
    entry: standing ? { ...entry, metadata: standing.entry.metadata } : entry,
    expected: standing?.version ?? ABSENT,
    expiresAt,
  };
}

export interface StoredSegment {
  readonly stored: StoredEntry;
  readonly segment: Segment;
}

export interface StoredHeader {
  readonly stored: StoredEntry;
  readonly header: Header;
}

/** @throws if it is none */
export function storedSegment(stored: StoredEntry): StoredSegment {
  return { stored, segment: parseSegment(stored.entry) };
}

/** @throws if it is none */
export function storedHeader(stored: StoredEntry): StoredHeader {
  return { stored, header: parseHeader(stored.entry) };
}

/** The header that was written of a name last. */
export async function latestHeaderOf(
  warm: Pick<WarmStore, 'find'>,
  name: SessionName,
): Promise<StoredHeader | undefined> {
  const page = await warm.find(name.user, ofSession('session', name), 'newest', { limit: 1 });
  return page.items.map(storedHeader)[0];
}

/** What a store takes together at once. */
export function batchesOf(writes: readonly EntryWrite[]): EntryWrite[][] {
  const batches: EntryWrite[][] = [];
  let bytes = Infinity;
  for (const write of writes) {
    const { payload = '', content } = write.entry;
    const size = Buffer.byteLength(payload) + Buffer.byteLength(content);
    const batch = batches.at(-1);
    if (batch && batch.length < TOGETHER_MAX && bytes + size <= BATCH_BYTES) {
      batch.push(write);
      bytes += size;
    } else {
      batches.push([write]);
      bytes = size;
    }
  }
  return batches;
}

export function sameEntry(one: Entry, other: Entry): boolean {
  return (
    one.payload === other.payload &&
    one.content === other.content &&
    one.timestamp === other.timestamp &&
    one.stepNumber === other.stepNumber &&
    isDeepStrictEqual(one.attributes, other.attributes)
  );
}
