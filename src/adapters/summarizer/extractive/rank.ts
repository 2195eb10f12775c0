/** How much a sentence says of what its conversation is about. */
import type { Sentence } from './sentences.ts';
import { contentWords, wordsOf } from './words.ts';

export interface Ranked extends Sentence {
  /** Position among all sentences. */
  readonly index: number;
  readonly content: ReadonlySet<string>;
  readonly score: number;
}

/**
 * A centroid: a sentence scores for each of its words the number of sentences that share it. Divided by the square root
 * of its length, so that neither a word nor a speech wins by its length; the first turn counts twice as much as the last
 * would, for people say first what they came for. No constant here was fitted to anything.
 */
export function rank(sentences: readonly Sentence[]): Ranked[] {
  const contents = sentences.map(({ text }) => new Set(contentWords(text)));
  const shared = new Map<string, number>();
  for (const content of contents)
    for (const word of content) shared.set(word, (shared.get(word) ?? 0) + 1);
  const turns = (sentences.at(-1)?.turn ?? 0) + 1;
  return sentences.map((sentence, index) => {
    const content = contents[index] ?? new Set();
    let sum = 0;
    for (const word of content) sum += shared.get(word) ?? 0;
    const length = wordsOf(sentence.text).length;
    const score = (sum / Math.sqrt(length + 1)) * (2 - sentence.turn / turns);
    return { ...sentence, index, content, score };
  });
}

/**
 * Takes the best sentence, then again and again the best of those that still fit, its score lowered by the share of its
 * words that were said already (maximal marginal relevance).
 * @returns in the order of the conversation
 */
export function select(
  ranked: readonly Ranked[],
  budget: number,
  cost: (sentence: Ranked) => number,
): Ranked[] {
  const costs = ranked.map(cost);
  const said = new Set<string>();
  const chosen: Ranked[] = [];
  let left = budget;
  let pool = [...ranked];
  while (pool.length > 0) {
    pool = pool.filter(({ index }) => (costs[index] ?? 0) <= left);
    let best: Ranked | undefined;
    let bestScore = 0;
    for (const sentence of pool) {
      const score = sentence.score * freshShare(sentence.content, said);
      if (score > bestScore) [best, bestScore] = [sentence, score];
    }
    if (best === undefined) break;
    chosen.push(best);
    left -= costs[best.index] ?? 0;
    for (const word of best.content) said.add(word);
    pool = pool.filter((sentence) => sentence !== best);
  }
  return chosen.sort((one, other) => one.index - other.index);
}

function freshShare(content: ReadonlySet<string>, said: ReadonlySet<string>): number {
  let fresh = 0;
  for (const word of content) if (!said.has(word)) fresh += 1;
  return content.size === 0 ? 0 : fresh / content.size;
}
