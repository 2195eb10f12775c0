/** What warm knows of a conversation when the next of its messages come: its end. */
import { type Header, SEGMENT_MESSAGES, ofSession } from '../model/conversation.ts';
import type { SessionName } from '../model/session-names.ts';
import type { WarmStore } from '../ports/warm.ts';
import {
  type StoredHeader,
  type StoredSegment,
  latestHeaderOf,
  storedHeader,
  storedSegment,
} from './warm-copy.ts';

/** What warm knows of a conversation: its end. */
export interface Tail {
  readonly last: StoredSegment | undefined;
  /** Of the last that stands, also if it was erased. */
  readonly lastNumber: number;
  /** Identities, oldest first. */
  readonly known: readonly string[];
  /** The header that was written last. */
  readonly latest: StoredHeader | undefined;
}

/** Messages. */
export function lengthOf(segments: readonly StoredSegment[]): number {
  return segments.reduce((sum, { segment }) => sum + segment.messages.length, 0);
}

/** What is older than an erasure stands there only until that comes to warm. */
export function tailOf(
  segments: readonly StoredSegment[],
  latest: StoredHeader | undefined,
  erasedAt: number,
): Tail {
  const kept = segments.filter(({ stored }) => stored.entry.timestamp > erasedAt);
  const { known = [], to = 0 } = latest?.header.compacted ?? {};
  return {
    last: kept.at(-1),
    lastNumber: segments.at(-1)?.segment.number ?? to,
    known: [
      ...known,
      ...kept.flatMap(({ segment }) => segment.messages.map(({ identity }) => identity)),
    ],
    latest,
  };
}

/** What warm knows of a session before the next of its messages come. */
export interface Known {
  /** The header that was written last. */
  readonly latest: StoredHeader | undefined;
  /** The end of its segments, oldest first: SEGMENT_MESSAGES messages at the least, if there are so many. */
  readonly end: readonly StoredSegment[];
  /** Both stood like this at one moment: nothing was compacted between the one and the other. */
  readonly atOnce: boolean;
}

/** One read shows so many entries: headers and segments of the last few sessions. */
const AT_A_GLANCE = 6;

/**
 * Reads what warm knows: at a glance if that shows a header and segments that belong together, which a store in a network
 * may have read at different moments; else the header first, and its segments after it.
 */
export async function knownOf(
  warm: Pick<WarmStore, 'find'>,
  name: SessionName,
  { atAGlance }: { readonly atAGlance: boolean },
): Promise<Known> {
  if (!atAGlance) {
    const latest = await latestHeaderOf(warm, name);
    return { latest, end: await endOf(warm, name, SEGMENT_MESSAGES), atOnce: false };
  }
  const kinds = ofSession(['session', 'segment'], name);
  const { items, cursor } = await warm.find(name.user, kinds, 'newest', { limit: AT_A_GLANCE });
  const [headers = [], segments = []] = ['session', 'segment'].map((kind) =>
    items.filter(({ entry }) => entry.memoryType === kind),
  );
  const [latest] = headers.map(storedHeader);
  const end = segments
    .map(storedSegment)
    .toSorted((one, other) => one.segment.number - other.segment.number);
  if (items.length === 0 || (latest && isEnd(latest.header, end, cursor === undefined)))
    return { latest, end, atOnce: true };
  return {
    latest: latest ?? (await latestHeaderOf(warm, name)),
    end: await endOf(warm, name, SEGMENT_MESSAGES),
    atOnce: false,
  };
}

/** Whether these segments end as their header says, leave none out between them, and are enough. */
function isEnd(header: Header, segments: readonly StoredSegment[], isAll: boolean): boolean {
  const last = segments.at(-1)?.segment;
  if (!last) return isAll && header.lastSegment <= header.compacted.to;
  const joins =
    header.epoch === last.epoch &&
    header.lastSegment === last.number &&
    header.messages === last.before + last.messages.length;
  const leavesNoneOut = segments.every(
    ({ segment }, index) => segment.number === last.number - (segments.length - 1 - index),
  );
  return joins && leavesNoneOut && (isAll || lengthOf(segments) >= SEGMENT_MESSAGES);
}

/** The end of what warm knows, oldest first: at least so many messages, if it has them. */
export async function endOf(
  warm: Pick<WarmStore, 'find'>,
  name: SessionName,
  messages: number,
): Promise<readonly StoredSegment[]> {
  const segments: StoredSegment[] = [];
  let known = 0;
  let cursor: string | undefined;
  do {
    const limit = Math.ceil(messages / SEGMENT_MESSAGES) + 1;
    const page = await warm.find(name.user, ofSession('segment', name), 'last step', {
      limit,
      cursor,
    });
    for (const stored of page.items) {
      const one = storedSegment(stored);
      segments.unshift(one);
      known += one.segment.messages.length;
    }
    cursor = page.cursor;
  } while (cursor !== undefined && known < messages);
  return segments;
}
