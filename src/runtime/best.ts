interface Offer<T> {
  readonly what: T;
  readonly score: number;
}

/** Keeps the best of what is offered, so many at the most; of two that are as good, the later. */
export class Best<T> {
  readonly #limit: number;
  readonly #kept: Offer<T>[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(what: T, score: number): void {
    const worst = this.#kept.at(-1);
    if (worst && this.#kept.length === this.#limit && score < worst.score) return;
    this.#kept.splice(this.#placeOf(score), 0, { what, score });
    if (this.#kept.length > this.#limit) this.#kept.pop();
  }

  /** Best first. */
  all(): readonly T[] {
    return this.#kept.map(({ what }) => what);
  }

  /** Before the first that is not better. */
  #placeOf(score: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#kept[middle]?.score ?? NaN) > score) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
