import { randomUUID } from 'node:crypto';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { type Dialogue, readDialogsum } from '../../eval/dialogsum-file.ts';
import {
  NOTHING_COMPACTED,
  type Segment,
  appended,
  chainOf,
  headerEntry,
  segmentEntry,
} from '../../src/model/conversation.ts';
import { DAY_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { said } from '../../src/model/said.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { assertDone, inFlight, userIds } from '../harness.ts';

/** A user comes back a few times within what has aged. */
export const EACH = 5;
const APART_MS = 7 * DAY_MS;

/** Longer ago than any of them may wait. */
const AGED_MS = 30 * DAY_MS;

/** Users who are loaded at once. */
const AT_ONCE = 64;

const FIELDS = { active_channel: 'web', language: 'en' };

/** Messages of one conversation, each the JSON in which the library keeps it. */
export type Messages = readonly string[];

/**
 * Dialogues of a file, in turn and as often as it takes, as the library would have kept them: who speaks first is the user.
 * @returns for each user the conversations, the oldest first, all of them aged
 */
export function conversationsOf(file: string, count: number, now: number): Map<string, Messages[]> {
  const dialogues = readDialogsum(file).map(counted);
  const users = userIds(Math.ceil(count / EACH));
  const began = now - AGED_MS - EACH * APART_MS;
  return new Map(
    users.map((user, place) => [
      user,
      Array.from({ length: Math.min(EACH, count - place * EACH) }, (_none, nth) => {
        const dialogue = dialogues[(place * EACH + nth) % dialogues.length] ?? [];
        return dialogue.map((message, turn) =>
          JSON.stringify({
            ...message,
            id: randomUUID(),
            at: began + nth * APART_MS + turn * MINUTE_MS,
          }),
        );
      }),
    ]),
  );
}

function counted({ turns }: Dialogue): { tokens: number; role: string; content: string }[] {
  return turns.map(({ speaker, text: content }) => {
    const role = speaker === turns[0]?.speaker ? 'user' : 'assistant';
    return { tokens: countTokens(content), role, content };
  });
}

/** Writes them to warm, as the demoter does: segments and a header for each. */
export async function loadConversations(
  warm: WarmStore,
  conversations: ReadonlyMap<string, readonly Messages[]>,
  now: number,
): Promise<void> {
  await inFlight([...conversations], AT_ONCE, async ([user, each]) => {
    let last: Segment | undefined;
    for (const messages of each) last = await demote(warm, user, messages.map(said), last, now);
  });
}

async function demote(
  warm: WarmStore,
  user: string,
  messages: readonly ReturnType<typeof said>[],
  before: Segment | undefined,
  now: number,
): Promise<Segment | undefined> {
  const epoch = messages[0]?.at ?? now;
  const segments = appended({ user }, epoch, before, before?.number ?? 0, messages);
  const last = segments.at(-1);
  if (!last) throw new Error('a dialogue has a turn at the least');
  const header = {
    ...{ user, epoch, fields: FIELDS, ours: true, announced: 0, compacted: NOTHING_COMPACTED },
    lastSegment: last.number,
    messages: messages.length,
    chain: chainOf(last),
    latestAt: messages.at(-1)?.at ?? now,
    expiresAt: undefined,
  };
  const entries = [
    ...segments.map((segment) => segmentEntry(segment, {}, now)),
    headerEntry(header, {}, now),
  ];
  const results = await warm.put(
    user,
    entries.map((entry) => ({ entry })),
  );
  const written = results.filter(({ outcome }) => outcome === 'written').length;
  assertDone(written, entries.length, 'entries were written');
  return last;
}
