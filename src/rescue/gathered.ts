/** How many one call takes at the most. */
const AT_ONCE = 500;

interface Asked<In, Out> {
  readonly item: In;
  readonly resolve: (answer: Out) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one call of what many ask for: what is asked at one moment goes together, and what is asked while a call is under
 * way goes with the next. So nobody waits for a timer, and the more there is to do, the more goes at once.
 */
export class Gathered<In, Out> {
  readonly #call: (items: readonly In[]) => Promise<readonly Out[]>;
  #asked: Asked<In, Out>[] = [];
  #calling = false;

  /** @param call gives an answer for each item, in their order */
  constructor(call: (items: readonly In[]) => Promise<readonly Out[]>) {
    this.#call = call;
  }

  /** The answer for this item; rejects as the call does that it went with. */
  ask(item: In): Promise<Out> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ item, resolve, reject });
      if (!this.#calling) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#calling = true;
    await Promise.resolve(); // What is asked at this moment is to go with it.
    while (this.#asked.length > 0) {
      const batch = this.#asked.splice(0, AT_ONCE);
      try {
        const answers = await this.#call(batch.map(({ item }) => item));
        if (answers.length !== batch.length)
          throw new Error(`${answers.length} answers to ${batch.length} questions`);
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Out);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#calling = false;
  }
}
