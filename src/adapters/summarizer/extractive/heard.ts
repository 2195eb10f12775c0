/** A transcript as the rules read it. */
import { type InsightSource, sourceOf } from '../../../model/insight.ts';
import { masked } from '../../../model/mask.ts';
import { messageText } from '../../../model/message.ts';
import type { Said } from '../../../model/said.ts';
import type { Transcript } from '../../../model/transcript.ts';
import { plain } from './plain.ts';
import { type Turn, splitSentences } from './sentences.ts';

/** One message, nothing in it that must not be learned. */
export interface Heard {
  readonly source: InsightSource;
  /** `user`: the shopper. `other`: whoever answers. Systems and tools say nothing that is learned. */
  readonly by: 'user' | 'other';
  readonly text: string;
  readonly sentences: readonly HeardSentence[];
  /** What was said before it, by whoever answers. */
  readonly answers: Heard | undefined;
}

export interface HeardSentence {
  readonly text: string;
  /** As the rules compare it. */
  readonly plain: string;
  readonly question: boolean;
}

/** Roles that answer shoppers, as SDKs and shops name them. */
const ANSWERING = new Set(['assistant', 'agent', 'rescue', 'model', 'bot']);

/** In characters. What is longer is no sentence but a log or a list, and rules would take long to find nothing in it. */
const SENTENCE_MAX = 1_000;

export function heardIn({ messages }: Transcript): Heard[] {
  const heard: Heard[] = [];
  for (const said of messages) {
    const { role } = said.message;
    const by = role === 'user' ? 'user' : ANSWERING.has(role) ? 'other' : undefined;
    const text = masked(messageText(said.message)).trim();
    if (by === undefined || text === '') continue;
    const last = heard.at(-1);
    heard.push({
      source: sourceOf(said),
      by,
      text,
      sentences: splitSentences(text)
        .filter((one) => one.length <= SENTENCE_MAX)
        .map(sentence),
      answers: last?.by === 'other' ? last : undefined,
    });
  }
  return heard;
}

/** What others than shoppers and shops write between them; it is summarized only where there is nothing else. */
const NOISE = new Set(['system', 'developer', 'tool', 'function', 'action']);

/** Everything that was said, whatever its role is called, for a summary in its own words. */
export function turnsIn({ messages }: Transcript): Turn[] {
  const turns = messages.map((said) => ({
    role: said.message.role,
    speaker: speakerOf(said),
    text: masked(messageText(said.message)).trim(),
  }));
  const spoken = turns.filter(({ role, text }) => !NOISE.has(role) && text !== '');
  return spoken.length > 0 ? spoken : turns;
}

function speakerOf({ message: { role, name } }: Said): string {
  if (typeof name === 'string' && name.trim() !== '') return masked(name.trim());
  if (role === 'unknown') return 'somebody';
  return ANSWERING.has(role) ? 'the assistant' : `the ${role}`;
}

function sentence(text: string): HeardSentence {
  return { text, plain: plain(text), question: /[?？]["'”’)]*$/u.test(text) };
}
