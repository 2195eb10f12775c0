/** What warm knows of a conversation when the next of its messages come: its end. */
import { type Header, SEGMENT_MESSAGES, ofSession } from '../model/conversation.ts';
import type { SessionName } from '../model/session-names.ts';
import type { StoredEntry, WarmStore } from '../ports/warm.ts';
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
  // What the header tells of already may stand for a while, or until a compactor that died there is replaced.
  const further = kept.filter(({ segment }) => segment.number > to);
  return {
    last: kept.at(-1),
    lastNumber: segments.at(-1)?.segment.number ?? to,
    known: [
      ...known,
      ...further.flatMap(({ segment }) => segment.messages.map(({ identity }) => identity)),
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
  if (items.length === 0) return { latest: undefined, end: [], atOnce: true };
  const [newest] = items.filter(({ entry }) => entry.memoryType === 'session');
  const latest = newest && storedHeader(newest);
  const end = latest && endAtAGlance(latest.header, items, cursor === undefined);
  if (end) return { latest, end, atOnce: true };
  return {
    latest: latest ?? (await latestHeaderOf(warm, name)),
    end: await endOf(warm, name, SEGMENT_MESSAGES),
    atOnce: false,
  };
}

/**
 * The end of the segments among these, if it is what the header tells of, leaves none out, and is enough. Undefined: that
 * cannot be told. What is sealed is followed by another, which these do not show: clocks go back, and a page goes by time.
 */
function endAtAGlance(
  header: Header,
  items: readonly StoredEntry[],
  isAll: boolean,
): readonly StoredSegment[] | undefined {
  const end: StoredSegment[] = [];
  const numbered = items.filter(
    ({ entry }) => entry.memoryType === 'segment' && entry.stepNumber !== undefined,
  );
  for (const stored of numbered.toSorted((one, other) => stepOf(other) - stepOf(one))) {
    if (lengthOf(end) >= SEGMENT_MESSAGES) break;
    end.unshift(storedSegment(stored));
  }
  const [first, last] = [end[0]?.segment, end.at(-1)?.segment];
  const { compacted, lastSegment } = header;
  if (!first || !last) return isAll && lastSegment <= compacted.to ? [] : undefined;
  const joins =
    !last.sealed &&
    header.epoch === last.epoch &&
    lastSegment === last.number &&
    header.messages === last.before + last.messages.length;
  const leavesNoneOut = end.every(({ segment }, index) => segment.number === first.number + index);
  const reaches = isAll && first.number <= compacted.to + 1;
  const isEnough = reaches || lengthOf(end) >= SEGMENT_MESSAGES;
  return joins && leavesNoneOut && isEnough ? end : undefined;
}

function stepOf({ entry }: StoredEntry): number {
  return entry.stepNumber ?? -Infinity;
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
