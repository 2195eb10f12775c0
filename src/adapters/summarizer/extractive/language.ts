/** Which of the languages that the rules know a text is in. */
import { wordsOf } from './words.ts';

/** `mixed` is Hindi in Latin letters, with or without English in it. */
export type Language = 'english' | 'hindi' | 'mixed' | 'other';

/** Words of Hindi that are no words of English; those that are both (`me`, `the`, `is`, `main`, `to`) say nothing. */
const HINDI_IN_LATIN = new Set(
  `hai hain hoon hun tha thi hota hoti hua hui hoga hogi raha rahi rahe rha rhi ka ki ke ko se mein mei meh mujhe muje
  mujhko mera meri mere hum humko hamara tum aap aapko aapka apna apni koi kuch nahi nahin nahee kya kyun kyu kab kahan
  kaise kitna kitne kaun abhi phir lekin magar bahut bohot accha acha theek thik karo kare karna karein kijiye dijiye
  chahiye chahie chaiye chahta chahti pasand wala wali wale liye liya dikhao dikhaye bhejo bhej bata batao galat hamesha
  kabhi mat haan ji yeh yaar bhai sasta mehenga`.split(/\s+/),
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
