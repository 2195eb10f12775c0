/** Counting tokens is what costs most of a recall, and a conversation is recalled at every turn of it. */
import { Lately } from '../runtime/lately.ts';
import type { CountTokens } from './budget.ts';

/** Some 5 MB of usual messages. */
const COUNTS_MAX = 10_000;

/** The same counts, those of lately remembered. */
export function remembered(count: CountTokens): CountTokens {
  const counts = new Lately<number>(COUNTS_MAX);
  return (text) => counts.of(text, count);
}
