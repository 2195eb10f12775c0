/** A longer text is seldom, and worked out anew. */
const LENGTH_MAX = 2_000;

/**
 * What was worked out of texts lately: two generations, so that what is asked for again and again stays, and no more than
 * twice so many texts are kept.
 */
export class Lately<V> {
  readonly #generationMax: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(generationMax: number) {
    this.#generationMax = generationMax;
  }

  /** What was worked out of the text, or is now. */
  of(text: string, make: (text: string) => V): V {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const value = this.#old.get(text) ?? make(text);
    if (text.length > LENGTH_MAX) return value;
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
    return value;
  }
}
