/** Words of English, Hindi and Hindi in Latin letters, as the extractive summarizer compares them. */
import { stemmer } from 'stemmer';
import { eng, hin } from 'stopword';
import { HINGLISH_STOP_WORDS, SPOKEN_STOP_WORDS } from './stop-words.ts';

const STOP_WORDS = new Set([...eng, ...hin, ...SPOKEN_STOP_WORDS, ...HINGLISH_STOP_WORDS]);

/** Shorter ones lose more meaning than ending. */
const STEMMED_ABOVE = 3;

const LATIN = /^[a-z]+$/;

/** Lower-cased words; an apostrophe joins (`don't`), every other sign parts. */
export function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFC')
      .toLowerCase()
      .replaceAll('’', "'")
      .match(/[\p{L}\p{M}\p{N}]+(?:'\p{L}+)*/gu) ?? []
  );
}

/** The words that say what a text is about: stop words dropped, English endings too. */
export function contentWords(text: string): string[] {
  return wordsOf(text)
    .filter((word) => !STOP_WORDS.has(word) && (word.length > 1 || /\d/.test(word)))
    .map((word) => (LATIN.test(word) && word.length > STEMMED_ABOVE ? stemmer(word) : word));
}
