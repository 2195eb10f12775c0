/** What a user always or never does, in their own words where no statement holds it. */
import type { Finding } from '../../../model/insight.ts';
import type { Heard, HeardSentence } from './heard.ts';
import { languageOf } from './language.ts';
import { word } from './plain.ts';
import { retell } from './retell.ts';

/** `I never received it` tells of one time; a habit stands in the present. */
const HABIT = word(
  'i(?: [a-z]+)? (?:always|usually|only|never|rarely) (?:buy|wear|use|pay|order|shop|eat|drink|take|choose|pick|read|answer|return|check|compare|wait|go|look)',
  '(?:main|mai|hum|मैं|हम) (?:hamesha|kabhi nahi|kabhi nahin|sirf|हमेशा|कभी नहीं|सिर्फ)(?: [\\p{L}\\p{M}]+){1,8} (?:karta|karti|leta|leti|pehenta|pehenti|pehnta|pehnti|khareedta|khareedti|kharidta|kharidti|deta|deti|करता|करती|लेता|लेती|पहनता|पहनती|खरीदता|खरीदती|देता|देती)',
);

/** A habit that takes more words is a story. */
const HABIT_WORDS = 16;

/** @param skip sentences of which something is known already */
export function habitsIn(heard: readonly Heard[], skip: ReadonlySet<HeardSentence>): Finding[] {
  return heard
    .filter(({ by }) => by === 'user')
    .flatMap(({ sentences, source }) =>
      sentences
        .filter((sentence) => !skip.has(sentence) && isHabit(sentence))
        .map(({ text }) => ({ kind: 'preference', text: told(text), sources: [source] }) as const),
    );
}

function isHabit({ text, plain, question }: HeardSentence): boolean {
  return !question && text.split(/\s+/).length <= HABIT_WORDS && HABIT.test(plain);
}

function told(text: string): string {
  const sentence = text.replace(/[.!।]+$/u, '');
  if (languageOf(text) !== 'english') return `The user says: “${sentence}”.`;
  return `${retell(sentence, 'the user', 'the assistant')}.`;
}
