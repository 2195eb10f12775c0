/** What warm knows of a conversation when the next of its messages come: its end. */
import { SEGMENT_MESSAGES, ofSession } from '../model/conversation.ts';
import type { SessionName } from '../model/session-names.ts';
import type { WarmStore } from '../ports/warm.ts';
import { type StoredHeader, type StoredSegment, storedSegment } from './warm-copy.ts';

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
