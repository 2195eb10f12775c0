/** Words of a text as they are kept with an entry and searched for: in English their stems, in other scripts as they are. */
import { stemmer } from 'stemmer';

/** A longer query is cut: what a person asks for is in its first words. */
const ASKED_MAX = 32;

/** What is beyond is not found by its words: an entry is not made twice as large for them. */
const INDEXED_MAX_BYTES = 16 * 1024;

/** Characters that are looked through: a conversation of a hundred pages. To look through 3 MB took a second. */
const LOOKED_THROUGH_MAX = 200_000;

/** A longer word is none that anybody types. */
const WORD_MAX = 64;

const WORD = /[\p{L}\p{N}\p{M}]+/gu;

/** Each once. */
export function askedWords(text: string): string[] {
  return [...new Set(wordsOf(text))].slice(0, ASKED_MAX);
}

/** Each once, the first of them. */
export function indexedWords(text: string): string[] {
  const words = new Set<string>();
  let bytes = 0;
  for (const word of wordsOf(text)) {
    if (words.has(word)) continue;
    bytes += Buffer.byteLength(word) + 3;
    if (bytes > INDEXED_MAX_BYTES) break;
    words.add(word);
  }
  return [...words];
}

export function countWords(text: string): number {
  return text.slice(0, LOOKED_THROUGH_MAX).match(WORD)?.length ?? 0;
}

function* wordsOf(text: string): Generator<string> {
  for (const [word] of plain(text).matchAll(WORD))
    yield /^[a-z]+$/.test(word) ? stemmer(word) : word.slice(0, WORD_MAX);
}

/** Accents of Latin letters are dropped; signs of other scripts are part of the word. */
function plain(text: string): string {
  return text
    .slice(0, LOOKED_THROUGH_MAX)
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/(?<=\p{Script=Latin})[\u0300-\u036f]+/gu, '')
    .normalize('NFC');
}
