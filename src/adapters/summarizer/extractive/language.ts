/** Which of the languages that the rules know a text is in. */
import { HINGLISH_STOP_WORDS } from './stop-words.ts';
import { wordsOf } from './words.ts';

/** `mixed` is Hindi in Latin letters, with or without English in it. */
export type Language = 'english' | 'hindi' | 'mixed' | 'other';

/** Words of Hindi that are words or names of English, too: they say nothing. */
const ENGLISH_TOO = new Set(
  'he ho the thi to us is in un par per pe hi ya do de dena me mai main mein ne tak bas ab ek lo kar sab bhai hue jo ji das'.split(
    ' ',
  ),
);

const HINDI_IN_LATIN = new Set(
  [
    ...HINGLISH_STOP_WORDS,
    ...words(`chahiye chahie chaiye chahta chahti pasand dikhao dikhaye bhejo bhej bata batao galat
  hamesha kabhi sasta mehenga wapas paisa paise rang kapde aaj kal subah shaam pehle baad thoda zyada naya purana`),
  ].filter((one) => !ENGLISH_TOO.has(one)),
);

/** So many of them, or this share of a short text, are no accident (`ki` and `se` are names and abbreviations, too). */
const HINDI_WORDS = 2;
const SHORT_TEXT_WORDS = 4;

export function languageOf(text: string): Language {
  const letters = count(text, /\p{L}/gu);
  if (letters === 0) return 'other';
  const devanagari = count(text, /\p{Script=Devanagari}/gu);
  if (devanagari * 2 > letters) return 'hindi';
  if (count(text, /\p{Script=Latin}/gu) * 2 <= letters) return 'other';
  const words = wordsOf(text);
  const hindi = words.filter((word) => HINDI_IN_LATIN.has(word)).length;
  if (devanagari > 0 || hindi >= HINDI_WORDS) return 'mixed';
  return hindi > 0 && words.length <= SHORT_TEXT_WORDS ? 'mixed' : 'english';
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
