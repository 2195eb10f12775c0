/** What recall ranks and delivers: one message each, or one memory that an agent keeps. */
import { parseSegment } from '../model/conversation.ts';
import type { Entry } from '../model/entry.ts';
import { messageText } from '../model/message.ts';
import { type Said, said } from '../model/said.ts';
import { Lately } from '../runtime/lately.ts';

export interface Turn {
  /** Equal for what is the same message, in whichever tier it stands. */
  readonly identity: string;
  /** It has an id of its own. */
  readonly named: boolean;
  /** The message's own id, where it has one; else its identity. */
  readonly id: string;
  readonly role: string;
  /** Who says it: the message's `name`, else its role. */
  readonly speaker: string;
  readonly text: string;
  /** Unix milliseconds. */
  readonly at: number | undefined;
  /** Equal for what was said in one session. */
  readonly conversation: string;
  readonly topic?: string | undefined;
  /** 0 to 1, of the entry that it stands in. */
  readonly importance?: number | undefined;
  /** Id of the entry that it stands in; undefined: it is hot. */
  readonly memoryId?: string | undefined;
  /** Its lines in a prompt, where they were made before. */
  readonly lines?: string;
}

/** A message of the hot tier, or of a segment. */
export function turnOf(
  { message, identity, named, at }: Said,
  where: Pick<Turn, 'conversation' | 'topic' | 'importance' | 'memoryId'>,
): Turn {
  const { name } = message;
  return {
    identity,
    named,
    id: message.id ?? identity,
    role: message.role,
    speaker: typeof name === 'string' && name !== '' ? name : message.role,
    text: messageText(message),
    at,
    ...where,
  };
}

/**
 * The same message, whichever client wrote it into a list: blanks between the parts of its JSON make no other message.
 */
export function normalised(one: Said): Said {
  if (one.named || one.message.role === 'unknown') return one;
  return said(JSON.stringify(one.message));
}

/** A user with a long history is recalled at every turn: to understand 2,000 messages anew takes 4 ms. Some MB. */
const SAID_MAX = 5_000;
const lately = new Lately<Said>(SAID_MAX);
const saidLately = (raw: string): Said => lately.of(raw, understood);

function understood(raw: string): Said {
  return normalised(said(raw));
}

/** The turns of an entry: of a segment its messages, of a header none, of any other memory itself. */
export function turnsOfEntry(entry: Entry): Turn[] {
  const { memoryId, attributes, memoryType, metadata, timestamp } = entry;
  if (memoryType === 'session') return [];
  const topic = typeof attributes['topic'] === 'string' ? attributes['topic'] : undefined;
  const about = { topic, importance: metadata.importanceScore, memoryId };
  if (memoryType !== 'segment') {
    const text = entry.content;
    const [role, conversation] = ['memory', memoryId];
    const speaker = memoryType ?? role;
    return [
      {
        identity: memoryId,
        named: true,
        id: memoryId,
        role,
        speaker,
        text,
        at: timestamp,
        conversation,
        ...about,
      },
    ];
  }
  const { session = '', epoch, messages } = parseSegment(entry, saidLately);
  const where = { ...about, conversation: `${epoch}/${session}` };
  // Of what does not say when it was said the segment tells at least the latest.
  return messages.map((one) => ({ ...turnOf(one, where), at: one.at ?? timestamp }));
}
