/**
 * Which conversations are ripe to be compacted. A conversation is a run of segments of one session name: it ends with a
 * silence of `SILENCE_MS` (within which no segment goes on, see conversation.ts), before it would span more than
 * `SPAN_MAX_MS` or be larger than `SIZE_MAX`, or where a compactor has begun with it.
 */
import { SILENCE_MS } from '../model/conversation.ts';
import { DAY_MS } from '../model/duration.ts';
import type { SessionName } from '../model/session-names.ts';
import type { WarmStore } from '../ports/warm.ts';
import { type StoredSegment, storedSegment } from './warm-copy.ts';

const SPAN_MAX_MS = 7 * DAY_MS;

/** Nor does it hold more, in UTF-16 units as its messages stand: it is held in memory, and is one object in cold. */
const SIZE_MAX = 8 * 1_024 * 1_024;

/** A conversation whose cart's episode is open is left for so long at the most. */
const EPISODE_WAIT_MS = 30 * DAY_MS;

/** Segments that are read at once: their texts are held in memory. */
const PAGE = 20;

/** Segments of one conversation, in their order. */
export interface Conversation {
  readonly name: SessionName;
  readonly segments: readonly StoredSegment[];
  /** Of the first and of the latest message, Unix milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly size: number;
}

/** A user's conversations, those of one session name in their order; the last one of a name may still go on. */
export async function* conversationsOf(
  warm: Pick<WarmStore, 'find'>,
  user: string,
): AsyncGenerator<Conversation> {
  const open = new Map<string | undefined, Conversation>();
  let cursor: string | undefined;
  do {
    const page = await warm.find(user, { memoryType: 'segment' }, 'step', { limit: PAGE, cursor });
    for (const one of page.items.map(storedSegment)) {
      const { session } = one.segment;
      const before = open.get(session);
      const joined = before && joinedBy(before, one);
      if (before && !joined) yield before;
      open.set(session, joined ?? begunBy(user, one));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  yield* open.values();
}

function begunBy(user: string, one: StoredSegment): Conversation {
  const { session } = one.segment;
  return {
    name: session === undefined ? { user } : { user, session },
    segments: [one],
    ...timesOf(one),
    size: sizeOf(one),
  };
}

/** Undefined: the segment belongs to the next one. */
function joinedBy(conversation: Conversation, one: StoredSegment): Conversation | undefined {
  const { segments, startedAt, endedAt } = conversation;
  const times = timesOf(one);
  if (segments.at(-1)?.segment.ends) return undefined;
  if (times.startedAt - endedAt >= SILENCE_MS) return undefined;
  if (times.endedAt - startedAt > SPAN_MAX_MS) return undefined;
  const size = conversation.size + sizeOf(one);
  if (size > SIZE_MAX) return undefined;
  return {
    ...conversation,
    segments: [...segments, one],
    startedAt: Math.min(startedAt, times.startedAt),
    endedAt: Math.max(endedAt, times.endedAt),
    size,
  };
}

function sizeOf({ stored }: StoredSegment): number {
  return stored.entry.payload?.length ?? 0;
}

function timesOf({ segment, stored }: StoredSegment): { startedAt: number; endedAt: number } {
  // What does not say when it was said was there when it was copied.
  const endedAt = stored.entry.timestamp;
  const startedAt = Math.min(endedAt, ...segment.messages.map(({ at }) => at ?? endedAt));
  return { startedAt, endedAt };
}

/**
 * Whether a conversation is taken now.
 * @param ageMs how long after its last message
 * @param episodeIsOpen its cart may still be announced, or bought
 */
export function isRipe(
  { endedAt }: Conversation,
  { now, ageMs, episodeIsOpen }: { now: number; ageMs: number; episodeIsOpen: boolean },
): boolean {
  const waitMs = Math.max(ageMs, SILENCE_MS, episodeIsOpen ? EPISODE_WAIT_MS : 0);
  return now - endedAt > waitMs;
}

/** Messages of a conversation. */
export function lengthOf({ segments }: Conversation): number {
  return segments.reduce((sum, { segment }) => sum + segment.messages.length, 0);
}
