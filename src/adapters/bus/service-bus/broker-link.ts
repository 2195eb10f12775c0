import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus';
import { BusUnavailableError } from '../../../model/errors.ts';
import type { ServiceBusConnector } from './connect.ts';
import { failureOf, isBusy, reasonOf } from './failure.ts';

/** How long a close waits for the SDK to say good-bye. */
const CLOSE_WITHIN_MS = 1_000;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly moreMs?: number;
  readonly mayBringNothing?: boolean;
  /** One attempt, over this client. */
  readonly over?: OpenClient;
}

const ATTEMPTS = 2;

/** Before what is too much for the broker is tried again. */
const BUSY_PAUSE_MS = 200;

/** One client of the SDK, and what was opened with it. */
export class OpenClient {
  readonly client: ServiceBusClient;
  /** Rejects when it is replaced: then nobody waits for it any more. */
  readonly gone = Promise.withResolvers<never>();
  #sender: ServiceBusSender | undefined;

  constructor(client: ServiceBusClient) {
    this.client = client;
    this.gone.promise.catch(() => undefined);
  }

  /** The one to this queue or topic. */
  sender(name: string): ServiceBusSender {
    return (this.#sender ??= this.client.createSender(name));
  }
}

/**
 * A connection to the broker on which each call is answered, or fails, within a bounded time: two attempts, the second
 * over a client of its own. For one whose connection went while it opened something waits a minute for itself (its locks
 * and the time-out of its claims are the SDK's, and not to be set), and a send in flight then is told by nobody.
 */
export class BrokerLink {
  readonly #connector: ServiceBusConnector;
  #open: OpenClient | undefined;
  #closed = false;

  constructor(connector: ServiceBusConnector) {
    this.#connector = connector;
  }

  /** The client that calls go over now. */
  get current(): OpenClient {
    return (this.#open ??= new OpenClient(this.#connector.openClient()));
  }

  /**
   * Runs calls of the SDK. What may have taken effect and was not answered is done again.
   * @param moreMs how much longer than usual an attempt may take
   * @param mayBringNothing that nothing came in time is an answer too
   * @param over one attempt, over this client: for what is bound to it
   * @throws BusUnavailableError with the cause; what the broker answered as it is, where that is an answer; the reason of
   *   the signal
   */
  async call<T>(work: (open: OpenClient) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { signal } = options;
    const failures: unknown[] = [];
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed) throw new BusUnavailableError('the event bus is closed');
      const open = options.over ?? this.current;
      try {
        return await this.#attempt(open, work, options);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        failures.push(error);
        const failure = failureOf(error);
        const answered = failure !== 'away' && (failure !== 'nothing' || options.mayBringNothing);
        // Where an attempt before it was not answered, that one may have taken effect.
        if (answered && failure === 'lost' && failures.length > 1)
          throw new BusUnavailableError(
            'the event bus was away, and what became of it is not known',
            {
              cause: new AggregateError(failures),
            },
          );
        if (answered) throw error;
        if (isBusy(error)) await pause(BUSY_PAUSE_MS, signal);
        else this.#replace(open);
        if (failures.length < ATTEMPTS && !options.over) continue;
        const reason = reasonOf(error);
        throw new BusUnavailableError(`the event bus is away: ${reason}`, { cause: error });
      }
    }
  }

  async #attempt<T>(
    open: OpenClient,
    work: (open: OpenClient) => Promise<T>,
    { signal, moreMs = 0 }: CallOptions,
  ): Promise<T> {
    const limitMs = this.#connector.attemptMs + moreMs;
    const gaveUp = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => gaveUp.reject(new Error(`no answer within ${limitMs} ms`)),
      limitMs,
    );
    const onAbort = (): void => gaveUp.reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work(open), gaveUp.promise, open.gone.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Opens another client with the next call. What was received over this one is settled over that. */
  #replace(open: OpenClient): void {
    if (this.#open !== open) return;
    this.#open = undefined;
    open.gone.reject(new Error('the connection was given up'));
    open.client.close().catch(() => undefined);
  }

  /** Calls that are waiting, and those after it, fail. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const open = this.#open;
    this.#open = undefined;
    if (open)
      await atMost(
        CLOSE_WITHIN_MS,
        open.client.close().catch(() => undefined),
      );
  }
}

/** Waits for it, but no longer. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const patience = sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([work, patience]).finally(() => over.abort());
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<unknown> {
  return sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}
