/** How many one run takes at the most. */
const AT_ONCE = 500;

/**
 * Works on many at a time: what is added at one moment goes together, and what is added during a run goes with the next.
 * As `Gathered`, for work whose items need no answer each, and so no promise.
 */
export class Batched<Item> {
  readonly #work: (items: readonly Item[]) => Promise<void>;
  #added: Item[] = [];
  #working = false;

  /** @param work never rejects */
  constructor(work: (items: readonly Item[]) => Promise<void>) {
    this.#work = work;
  }

  add(item: Item): void {
    this.#added.push(item);
    if (!this.#working) void this.#run();
  }

  async #run(): Promise<void> {
    this.#working = true;
    await Promise.resolve(); // What is added at this moment is to go with it.
    while (this.#added.length > 0) {
      const items = this.#added;
      this.#added = items.splice(AT_ONCE);
      await this.#work(items);
    }
    this.#working = false;
  }
}
