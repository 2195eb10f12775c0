/** Asks without waiting for longer than is allowed. */
import { errorMessage } from '../model/errors.ts';

/** `deadline`: no answer in time. `unavailable`: the answer was an error. */
export type Answer<T> =
  | { readonly value: T }
  | { readonly reason: 'deadline' | 'unavailable'; readonly detail: string };

/**
 * @param withinMs how long to wait for it
 * @throws the reason of `signal` once it aborts
 */
export async function answerOf<T>(
  ask: () => Promise<T>,
  withinMs: number,
  signal: AbortSignal | undefined,
): Promise<Answer<T>> {
  signal?.throwIfAborted();
  const over = Promise.withResolvers<Answer<T>>();
  const abort = (): void => {
    over.reject(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => {
    over.resolve({ reason: 'deadline', detail: `no answer within ${withinMs} ms` });
  }, withinMs);
  const asked = Promise.resolve()
    .then(ask)
    .then(
      (value): Answer<T> => ({ value }),
      (error: unknown): Answer<T> => ({ reason: 'unavailable', detail: errorMessage(error) }),
    );
  try {
    return await Promise.race([asked, over.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
