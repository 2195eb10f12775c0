/** Reads conversations in the form of LoCoMo (Maharana et al., ACL 2024): two people, many sessions, questions with evidence. */
import { readFileSync } from 'node:fs';
import { DateTime } from 'luxon';
import { z } from 'zod';
import { MINUTE_MS } from '../src/model/duration.ts';
import { UsageError, errorMessage } from '../src/model/errors.ts';
import type { Message } from '../src/model/message.ts';

const TURN = z.looseObject({
  speaker: z.string(),
  dia_id: z.string(),
  text: z.string(),
  blip_caption: z.string().optional(),
  query: z.string().optional(),
});

const FILE = z.array(
  z.looseObject({
    sample_id: z.string(),
    conversation: z.record(z.string(), z.unknown()),
    qa: z.array(
      z.looseObject({
        question: z.string(),
        category: z.number(),
        evidence: z.array(z.string()).optional(),
      }),
    ),
  }),
);

export interface Conversation {
  readonly name: string;
  /** In their order, each with its messages in theirs. */
  readonly sessions: readonly (readonly (Message & { readonly at: number })[])[];
  readonly questions: readonly EvidenceQuestion[];
}

export interface EvidenceQuestion {
  readonly question: string;
  /** By the paper: 1 several facts, 2 time, 3 world knowledge, 4 one fact, 5 about the wrong speaker. */
  readonly category: number;
  /** Ids of the turns that answer it, each once; at least one. */
  readonly evidence: readonly string[];
}

/** @throws UsageError if the file is none of these */
export function readLocomo(path: string): Conversation[] {
  try {
    return FILE.parse(JSON.parse(readFileSync(path, 'utf8'))).map(conversationOf);
  } catch (error) {
    throw new UsageError(`${path} cannot be read as LoCoMo: ${errorMessage(error)}`);
  }
}

function conversationOf({
  sample_id: name,
  conversation,
  qa,
}: z.infer<typeof FILE>[number]): Conversation {
  const numbers = Object.keys(conversation)
    .flatMap((key) => /^session_(\d+)$/.exec(key)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
  const sessions = numbers.map((number) => {
    const began = instantOf(conversation[`session_${number}_date_time`]);
    const turns = z.array(TURN).parse(conversation[`session_${number}`]);
    // One after the other: of the turns no time is given.
    return turns.map((turn, place) => messageOf(turn, began + place * MINUTE_MS));
  });
  const ids = new Set(sessions.flat().map(({ id }) => id));
  const questions = qa.flatMap(({ question, category, evidence = [] }) => {
    const named = evidenceIds(evidence).filter((id) => ids.has(id));
    return named.length > 0 ? [{ question, category, evidence: named }] : [];
  });
  return { name, sessions, questions };
}

/** "1:56 pm on 8 May, 2023" */
function instantOf(text: unknown): number {
  const at = DateTime.fromFormat(String(text), "h:mm a 'on' d MMMM, yyyy", {
    zone: 'utc',
    locale: 'en',
  });
  if (!at.isValid) throw new Error(`no time: ${String(text)}`);
  return at.toMillis();
}

/** What a picture shows stands behind the text, as a channel would give it. */
function messageOf(turn: z.infer<typeof TURN>, at: number) {
  const { speaker, dia_id: id, text, blip_caption: caption, query } = turn;
  const shared = [caption, query].filter((part) => part !== undefined && part !== '').join('; ');
  const content = shared === '' ? text : `${text} [shares ${shared}]`;
  return { id, role: 'user', name: speaker, content, at };
}

/** Irregular in places: "D8:6; D9:17", "D:11:26". */
function evidenceIds(texts: readonly string[]): string[] {
  const found = texts.flatMap((text) => [...text.matchAll(/D:?(\d+):0*(\d+)/g)]);
  return [...new Set(found.map(([, session, turn]) => `D${session}:${turn}`))];
}
