/** Looks texts up by their words: BM25 (Robertson and Zaragoza, 2009). */

/** The values of the literature, which hold over most collections. */
const SATURATION = 1.2;
const LENGTH = 0.75;

interface Posting {
  readonly place: number;
  readonly times: number;
}

export class TermIndex {
  readonly #texts: readonly (readonly string[])[];
  readonly #postings = new Map<string, Posting[]>();
  readonly #meanLength: number;

  /** @param texts the terms of each text, in their order */
  constructor(texts: readonly (readonly string[])[]) {
    this.#texts = texts;
    const all = texts.reduce((sum, terms) => sum + terms.length, 0);
    this.#meanLength = Math.max(1, all / Math.max(1, texts.length));
    for (const [place, terms] of texts.entries()) {
      const times = new Map<string, number>();
      for (const term of terms) times.set(term, (times.get(term) ?? 0) + 1);
      for (const [term, count] of times) {
        const posting = { place, times: count };
        const known = this.#postings.get(term);
        if (known) known.push(posting);
        else this.#postings.set(term, [posting]);
      }
    }
  }

  /** How much a term tells: the fewer texts hold it the more; that of a term in one text alone is the greatest that counts. */
  rarity(term: string): number {
    return this.#rarityAt(this.#postings.get(term)?.length ?? 0);
  }

  /** The rarity of a term that one text alone holds. */
  get greatestRarity(): number {
    return this.#rarityAt(1);
  }

  termsAt(place: number): readonly string[] {
    return this.#texts[place] ?? [];
  }

  /** How well each text fits these terms, by their weights. */
  scores(weights: ReadonlyMap<string, number>): Float64Array {
    const scores = new Float64Array(this.#texts.length);
    for (const [term, weight] of weights) {
      const worth = this.rarity(term) * weight;
      for (const { place, times } of this.#postings.get(term) ?? []) {
        const length = this.termsAt(place).length / this.#meanLength;
        const saturated = SATURATION * (1 - LENGTH + LENGTH * length);
        add(scores, place, (worth * times * (SATURATION + 1)) / (times + saturated));
      }
    }
    return scores;
  }

  #rarityAt(texts: number): number {
    return Math.log(1 + (this.#texts.length - texts + 0.5) / (texts + 0.5));
  }
}

function add(to: Float64Array, place: number, amount: number): void {
  to[place] = (to[place] ?? 0) + amount;
}
