import type { Database } from './database.ts';
import { digestOf } from './erasure.ts';

/** Pages of the index that one step writes anew: 16 took 5 ms, 64 took 17. */
const PAGES_AT_ONCE = 16n;

/** Parts of the index are written anew from so many percent of removed entries on. */
const REMOVED_PERCENT = 10n;

/**
 * Takes a step towards an index without the words of entries that were removed. The text index would do it by itself,
 * in the middle of a removal: 10,000 entries in steps took three times as long then, single steps up to 0.4 s. So it is
 * told not to (see the schema), but here.
 */
export function tidyText(database: Database): void {
  // The index takes whole numbers alone, and a number of JavaScript is bound as none.
  const set = (name: string, value: bigint): void => {
    database.run('INSERT INTO entry_text (entry_text, rank) VALUES (?, ?)', [name, value]);
  };
  set('deletemerge', REMOVED_PERCENT);
  set('merge', PAGES_AT_ONCE);
  set('deletemerge', 0n);
}

/** The owner as a word of the text index: one that no tokenizer takes apart. */
export function wordOf(agentId: string): string {
  return `o${digestOf(agentId).slice(0, 32)}`;
}
