/** Turns of a conversation, and the sentences they consist of. */

/** What one speaker said in one message. */
export interface Turn {
  /** How the speaker is called in a summary. */
  readonly speaker: string;
  readonly text: string;
}

export interface Sentence {
  readonly text: string;
  /** Position of its turn, and its own position in the turn, from 0. */
  readonly turn: number;
  readonly position: number;
}

/** Abbreviations after which a full stop ends nothing. */
const ABBREVIATION = /\b(?:mr|mrs|ms|dr|prof|st|vs|etc|no|rs|approx|e\.g|i\.e|a\.m|p\.m)\.$/i;

/** The sentences of all turns, in order; a line break ends one, as does the danda of Hindi. */
export function sentencesOf(turns: readonly Turn[]): Sentence[] {
  return turns.flatMap(({ text }, turn) =>
    splitSentences(text).map((sentence, position) => ({ text: sentence, turn, position })),
  );
}

export function splitSentences(text: string): string[] {
  const sentences: string[] = [];
  for (const line of text.split(/\n+/)) {
    let open = '';
    for (const piece of line.split(/(?<=[.!?।॥…]["'”’)]*)\s+/u)) {
      open = open === '' ? piece : `${open} ${piece}`;
      if (ABBREVIATION.test(open)) continue;
      sentences.push(open);
      open = '';
    }
    sentences.push(open);
  }
  return sentences
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));
}
