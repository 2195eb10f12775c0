/** What a user says they like or do not like, whatever it is. */
import type { Clause } from './clauses.ts';
import type { HeardSentence } from './heard.ts';
import { languageOf } from './language.ts';
import { plain } from './plain.ts';
import type { Statement } from './statement.ts';

/** `I'd like` is a wish of the moment and no liking. */
const ENGLISH =
  /(?<![\p{L}'])i(?: (?:do not|don't|dont|never|also|just|only|always|usually|really|do|absolutely|generally))* (like|love|prefer|enjoy|adore|hate|dislike|can't stand|cannot stand) (.+)$/u;
const FAVOURITE = /(?<![\p{L}'])my favou?rite ([a-z]+(?: [a-z]+)?) is (.+)$/u;

const TO_ME = '(?:mujhe|muje|mujhko|hume|hamein|मुझे|मुझको|हमें)';
const PLEASES =
  '(?:(?:nahi|nahin|nahee|nhi|bahut|bohot|bilkul|नहीं|नही|बहुत|बिल्कुल) )*(?:pasand|पसंद|acch?[aie] lagt[aie]|अच्छ[ाीे] लगत[ाीे])';
const HINDI = new RegExp(`(?:^|\\s)${TO_ME} (.+?) ${PLEASES}`, 'u');
/** `cotton mujhe pasand hai`. */
const HINDI_TURNED = new RegExp(`^(.+?) ${TO_ME} ${PLEASES}`, 'u');

/** And on it goes: `…, polyester pasand nahi hai`. */
const HINDI_GOING_ON = new RegExp(`^(.+?) ${PLEASES}`, 'u');

/** Says nothing without what was said before. */
const POINTS_BACK =
  /^(?:it|that|this|them|these|those|one|ones|you|him|her|how|what|when|where|why|if|to (?:know|see|ask|return|cancel|check)|ye|yeh|wo|woh|vo|ye sab|is|us|यह|ये|वह|वो)(?![\p{L}\p{M}])/u;

/** A liking that takes more words is a story. */
const LIKED_WORDS = 8;

export function likesIn(sentence: HeardSentence, clauses: readonly Clause[]): Statement[] {
  const english = languageOf(sentence.text) === 'english';
  const statements: Statement[] = [];
  let lasting: Clause | undefined;
  for (const clause of clauses) {
    const liked = english
      ? likedInEnglish(clause.text)
      : likedInHindi(clause.text, lasting !== undefined);
    // `I like cotton, not wool`: what follows without a verb is said of the same liking.
    const object = liked ?? (lasting && /^(?:not|no) (.+)$/u.exec(clause.text)?.[1]);
    if (liked !== undefined) lasting = clause;
    const value = object && objectOf(object);
    if (value)
      statements.push({
        slot: 'like',
        value: asWritten(value, sentence.text),
        positive: !clause.negated,
      });
  }
  return statements;
}

function likedInEnglish(text: string): string | undefined {
  const favourite = FAVOURITE.exec(text);
  if (favourite) return `${favourite[2] ?? ''} (${favourite[1] ?? ''})`;
  return ENGLISH.exec(text)?.[2];
}

function likedInHindi(text: string, goesOn: boolean): string | undefined {
  return (HINDI.exec(text) ??
    HINDI_TURNED.exec(text) ??
    (goesOn ? HINDI_GOING_ON.exec(text) : undefined))?.[1];
}

function objectOf(said: string): string | undefined {
  const object = said
    .replace(/^(?:the|a|an|your|some|sirf|bas|only|बस|सिर्फ) /u, '')
    .replace(/ (?:very much|a lot|so much|the most|though|too|bhi|bahut|भी|बहुत|nahi|नहीं)$/u, '')
    .replaceAll(/(?<!\p{L})my(?!\p{L})/gu, 'their')
    .trim();
  const tooLong = object.split(' ').length > LIKED_WORDS;
  return object === '' ||
    tooLong ||
    POINTS_BACK.test(object) ||
    /(?:^| )(?:it|this|that|them|you|myself)(?: |$)|\[/.test(object)
    ? undefined
    : object;
}

/** `nike` as `Nike`, if that is how it was written. */
function asWritten(value: string, sentence: string): string {
  const written = sentence
    .split(/\s+/)
    .map((word) => word.replaceAll(/^[“"'(]+|[”"')!?.,;।]+$/g, ''));
  const wanted = value.split(' ');
  for (let at = 0; at + wanted.length <= written.length; at += 1) {
    const run = written.slice(at, at + wanted.length);
    if (run.every((word, index) => plain(word) === wanted[index])) return run.join(' ');
  }
  return value;
}
