/** What a text is looked up by: its words without endings, without those that say nothing. */
import { stemmer } from 'stemmer';
import { Lately } from '../runtime/lately.ts';

/** Words of English, and of Hindi in either script, that stand in every text and tell of none. */
const STOP_WORDS = new Set(
  `a about after again all also am an and any are as at be because been before being both but by can could did do does
  doing done down each few for from further get gets getting go goes going gonna got had has have having he her here hers
  him his how i if in into is it its itself just let like me more most my no nor not now of off on once only or other our
  ours out over own really same she should so some such than that the their theirs them then there these they thing things
  this those through to too under until up us very was we were what when where which while who whom whose why will with
  would yeah yes you your yours ll ve re don doesn didn isn wasn aren won im
  hai hain ho tha thi the ka ki ke ko se mein me par aur ya bhi to toh na nahi kya kyun kaise kab kahan kaun yeh ye woh wo
  है हैं हो था थी थे का की के को से में पर और या भी तो न नहीं क्या क्यों कैसे कब कहाँ कौन यह ये वह वो`.split(/\s+/),
);

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const LATIN = /^[a-z]+$/;

/** So many stems are remembered: finding one costs more than the rest of the work on a word. */
const STEMS_MAX = 50_000;
const stems = new Map<string, string>();

/** The same messages are ranked at every turn of a conversation: those of a user with a long history, some MB. */
const TEXTS_MAX = 5_000;
const known = new Lately<readonly string[]>(TEXTS_MAX);

/** The words of a text as they stand, in small letters; vowel signs of Indian scripts belong to their letters. */
export function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .replaceAll(/['’]s\b/g, '')
      .match(WORD) ?? []
  );
}

/** What a text is looked up by, in the order of its words. */
export function termsOf(text: string): readonly string[] {
  return known.of(text, workOutTerms);
}

function workOutTerms(text: string): readonly string[] {
  return wordsOf(text)
    .filter((word) => !STOP_WORDS.has(word))
    .map(stemOf);
}

/** A word without its ending, where it is written in Latin letters; others stand as they are. */
export function stemOf(word: string): string {
  if (!LATIN.test(word)) return word;
  let stem = stems.get(word);
  if (stem === undefined) {
    stem = stemmer(word);
    if (stems.size >= STEMS_MAX) stems.clear();
    stems.set(word, stem);
  }
  return stem;
}
