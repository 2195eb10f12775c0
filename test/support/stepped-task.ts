/** What a task came to; undefined while it is under way, or for ever where it has died. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Ports with methods that answer at once. */
const UNGATED: ReadonlySet<string> = new Set(['clock', 'sessions']);

/** Puts a gate before every call of every other port. */
export type Gate = <P extends object>(ports: P) => P;

interface Call {
  readonly name: string;
  readonly make: () => Promise<void>;
  readonly answer: () => void;
}

/**
 * A task that moves when it is told to: each of its calls to a port waits at a gate. `make` lets the call take effect,
 * `hear` gives the task its answer, and it goes on to its next call. One that is never moved again has died there.
 */
export class SteppedTask<T> {
  readonly #now: () => number;
  #call: Call | undefined;
  #outcome: Outcome<T> | undefined;
  /** What it was told, call by call, and when: the instants that it may go by. */
  readonly heard: { readonly call: string; readonly reply: unknown; at?: number }[] = [];
  #arrived = Promise.withResolvers<undefined>();

  private constructor(now: () => number) {
    this.#now = now;
  }

  /** Starts the task; it comes as far as its first call. */
  static async begin<T>(
    run: (gate: Gate) => Promise<T>,
    now: () => number = () => 0,
  ): Promise<SteppedTask<T>> {
    const task = new SteppedTask<T>(now);
    const end = (outcome: Outcome<T>): void => {
      task.#call = undefined;
      task.#outcome = outcome;
      task.#arrived.resolve(undefined);
    };
    run((ports) => task.#gated(ports)).then(
      (value) => {
        end({ value });
      },
      (error: unknown) => {
        end({ error });
      },
    );
    await task.#arrived.promise;
    return task;
  }

  /** The call that it is about to make, such as `warm.put`; undefined: it is done. */
  get next(): string | undefined {
    return this.#call?.name;
  }

  get outcome(): Outcome<T> | undefined {
    return this.#outcome;
  }

  /** Its call takes effect, and nobody tells it. */
  async make(): Promise<void> {
    await this.#call?.make();
  }

  /** Its call takes effect, and it goes on to the next one. */
  async step(): Promise<void> {
    await this.make();
    await this.hear();
  }

  /** It is told what its call came to, and goes on to the next one. */
  async hear(): Promise<void> {
    const call = this.#call;
    const heard = this.heard.at(-1);
    if (!call || !heard) throw new Error('there is nothing to hear');
    heard.at = this.#now();
    this.#arrived = Promise.withResolvers();
    call.answer();
    await this.#arrived.promise;
  }

  /** Goes on to the end. @throws what it throws */
  async finish(): Promise<T> {
    while (this.#call) await this.step();
    if (this.#outcome && 'value' in this.#outcome) return this.#outcome.value;
    throw this.#outcome?.error;
  }

  #gated<P extends object>(ports: P): P {
    const gated = Object.entries(ports).map(([name, port]: [string, unknown]) =>
      UNGATED.has(name) || typeof port !== 'object' || port === null
        ? [name, port]
        : [name, this.#port(name, port)],
    );
    return Object.fromEntries(gated) as P;
  }

  #port(name: string, port: object): object {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        const method = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#wait(`${name}.${String(key)}`, () => method(...args));
      },
    });
  }

  #wait(name: string, call: () => Promise<unknown>): Promise<unknown> {
    const answered = Promise.withResolvers<unknown>();
    let reply: (() => void) | undefined;
    this.#call = {
      name,
      make: async () => {
        try {
          const value = await call();
          this.heard.push({ call: name, reply: value });
          reply = () => {
            answered.resolve(value);
          };
        } catch (error) {
          this.heard.push({ call: name, reply: String(error) });
          reply = () => {
            answered.reject(error);
          };
        }
      },
      answer: () => reply?.(),
    };
    this.#arrived.resolve(undefined);
    return answered.promise;
  }
}
