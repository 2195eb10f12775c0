/** Asks without waiting for longer than is allowed. */
import { errorMessage } from '../model/errors.ts';

/** `deadline`: no answer in time. `unavailable`: the answer was an error. */
export type Answer<T> =
  | { readonly value: T }
  | { readonly reason: 'deadline' | 'unavailable'; readonly detail: string };

/** One for all that is asked at the same time; dispose of it when everything has answered. */
export class Deadline implements Disposable {
  readonly #over = Promise.withResolvers<Exclude<Answer<never>, { value: never }>>();
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => {
    this.#over.reject(this.#signal?.reason);
  };

  /** @throws the reason of `signal` if it has aborted */
  constructor(withinMs: number, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
    this.#timer = setTimeout(() => {
      this.#over.resolve({ reason: 'deadline', detail: `no answer within ${withinMs} ms` });
    }, withinMs);
  }

  /** @throws the reason of the signal once it aborts */
  answerOf<T>(ask: () => Promise<T>): Promise<Answer<T>> {
    return Promise.race([answered(ask), this.#over.promise]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
  }
}

async function answered<T>(ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { reason: 'unavailable', detail: errorMessage(error) };
  }
}
