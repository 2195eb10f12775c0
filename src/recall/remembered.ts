/** Counting tokens is what costs most of a recall, and a conversation is recalled at every turn of it. */
import type { CountTokens } from './budget.ts';

/** Two generations of so many counts each: some 5 MB of usual messages. */
const COUNTS_MAX = 10_000;

/** Longer texts are seldom, and counted anew. */
const LENGTH_MAX = 2_000;

/** The same counts, those of lately remembered. */
export function remembered(count: CountTokens): CountTokens {
  let young = new Map<string, number>();
  let old = young;
  return (text) => {
    const known = young.get(text) ?? old.get(text);
    const tokens = known ?? count(text);
    if (text.length > LENGTH_MAX || young.has(text)) return tokens;
    if (young.size >= COUNTS_MAX) [old, young] = [young, new Map()];
    young.set(text, tokens);
    return tokens;
  };
}
