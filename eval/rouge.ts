/**
 * ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004) of one text against one reference, as F1 between 0 and 1: lower-cased words,
 * Porter's stemmer on words of more than three letters as in the reference implementations, no stop words removed;
 * ROUGE-L over the whole text as one sequence.
 */
import { stemmer } from 'stemmer';

export interface Rouge {
  readonly rouge1: number;
  readonly rouge2: number;
  readonly rougeL: number;
}

/** Shorter ones are left as they are, as the reference implementations do. */
const STEMMED_ABOVE = 3;

export function rouge(text: string, reference: string): Rouge {
  const ours = wordsOf(text);
  const theirs = wordsOf(reference);
  return {
    rouge1: overlap(ours, theirs),
    rouge2: overlap(pairsOf(ours), pairsOf(theirs)),
    rougeL: f1(longestCommon(ours, theirs), ours.length, theirs.length),
  };
}

function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return words.map((word) => (word.length > STEMMED_ABOVE ? stemmer(word) : word));
}

function pairsOf(words: readonly string[]): string[] {
  return words.slice(1).map((word, index) => `${words[index] ?? ''} ${word}`);
}

/** F1 of two bags: what stands twice counts twice. */
function overlap(ours: readonly string[], theirs: readonly string[]): number {
  const left = new Map<string, number>();
  for (const one of theirs) left.set(one, (left.get(one) ?? 0) + 1);
  let common = 0;
  for (const one of ours) {
    const count = left.get(one) ?? 0;
    if (count > 0) common += 1;
    left.set(one, count - 1);
  }
  return f1(common, ours.length, theirs.length);
}

function f1(common: number, ours: number, theirs: number): number {
  return common === 0 ? 0 : (2 * common) / (ours + theirs);
}

/** Length of the longest sequence that both hold in this order, with gaps. */
function longestCommon(ours: readonly string[], theirs: readonly string[]): number {
  let above = new Array<number>(theirs.length + 1).fill(0);
  for (const one of ours) {
    const row = [0];
    for (const [index, other] of theirs.entries())
      row.push(
        one === other ? (above[index] ?? 0) + 1 : Math.max(row[index] ?? 0, above[index + 1] ?? 0),
      );
    above = row;
  }
  return above.at(-1) ?? 0;
}
