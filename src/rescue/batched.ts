/** How many one run takes at the most. */
const AT_ONCE = 250;

/** How many runs there are side by side: while one waits for the store, what another was answered is worked on. */
const RUNS = 4;

/**
 * Works on many at a time: what is added at one moment goes together, and so does what is added while there are as many
 * runs as may be. As `Gathered`, for work whose items need no answer each, and so no promise.
 */
export class Batched<Item> {
  readonly #work: (items: readonly Item[]) => Promise<void>;
  #added: Item[] = [];
  #runs = 0;

  /** @param work never rejects; may be called again before it has ended */
  constructor(work: (items: readonly Item[]) => Promise<void>) {
    this.#work = work;
  }

  add(item: Item): void {
    this.#added.push(item);
    // The first of a moment begins a run, and the first of each further one that is full.
    if (this.#added.length % AT_ONCE === 1 && this.#runs < RUNS) void this.#run();
  }

  async #run(): Promise<void> {
    this.#runs += 1;
    await Promise.resolve(); // What is added at this moment is to go with it.
    while (this.#added.length > 0) {
      const items = this.#added;
      this.#added = items.splice(AT_ONCE);
      await this.#work(items);
    }
    this.#runs -= 1;
  }
}
