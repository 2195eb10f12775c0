/** A conversation in a few of its own sentences. */
import { rank, select } from './rank.ts';
import { retell } from './retell.ts';
import { type Sentence, type Turn, sentencesOf } from './sentences.ts';

export interface DigestOptions {
  /** The digest has at most so many tokens. */
  readonly budgetTokens: number;
  readonly countTokens: (text: string) => number;
}

/**
 * The sentences that say most of what a conversation is about, in their order, one a line. Every turn is read, however
 * many there are. A single sentence that alone is over the budget is cut at a word, and `…` says so.
 */
export function digest(
  turns: readonly Turn[],
  { budgetTokens, countTokens }: DigestOptions,
): string {
  const speakers = [...new Set(turns.map(({ speaker }) => speaker))];
  const tell = ({ text, turn }: Sentence): string => {
    const speaker = turns[turn]?.speaker ?? '';
    const listener = speakers.find((one) => one !== speaker);
    return retell(text, speaker, speakers.length === 2 ? listener : undefined);
  };
  const ranked = rank(sentencesOf(turns));
  // A tokenizer may join a line's end to the next line, but never makes more of two lines than of each and their break.
  const chosen = select(ranked, budgetTokens, (sentence) => countTokens(`${tell(sentence)}\n`));
  if (chosen.length > 0) return chosen.map(tell).join('\n');
  const best = ranked.reduce<(typeof ranked)[number] | undefined>(
    (one, other) => (one === undefined || other.score > one.score ? other : one),
    undefined,
  );
  return best === undefined ? '' : cutToTokens(tell(best), { budgetTokens, countTokens });
}

/** The longest beginning in whole words that has at most so many tokens, `…` included. */
export function cutToTokens(text: string, { budgetTokens, countTokens }: DigestOptions): string {
  if (countTokens(text) <= budgetTokens) return text;
  const words = text.split(/\s+/);
  let [fits, over] = [0, words.length];
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    if (countTokens(`${words.slice(0, middle).join(' ')} …`) <= budgetTokens) fits = middle;
    else over = middle;
  }
  return `${words.slice(0, fits).join(' ')} …`;
}
