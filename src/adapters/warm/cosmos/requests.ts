/** Every round trip to the container: within one budget a call, tried again while that may help, its charge counted. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Container,
  ContainerDefinition,
  OperationInput,
  OperationResponse,
  SqlQuerySpec,
} from '@azure/cosmos';
import { WarmUnavailableError } from '../../../model/errors.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import { chargeOfError, passes, passingOf, statusOf } from './trouble.ts';

/** What a call of the warm tier came to cost. */
export interface Charge {
  /** The method of the port. */
  readonly operation: string;
  /** Request units, those of refused tries too. */
  readonly charge: number;
  /** Requests that were waited for. */
  readonly roundTrips: number;
}

export interface RequestOptions {
  /** Asked for each request: a client made anew, with another key, is used from then on. */
  readonly container: () => Container;
  /** A call gives up after so long, with its repeats. */
  readonly budgetMs: number;
  readonly onCharge: ((charge: Charge) => void) | undefined;
}

/** Waits between tries grow up to this: many writers of one container spread over it. */
const WAIT_MAX_MS = 2_000;
const WAIT_BASE_MS = 50;

export class Requests {
  readonly #options: RequestOptions;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /** One call of the port: its requests share a budget, and are told of together. */
  async during<T>(operation: string, work: (call: Call) => Promise<T>): Promise<T> {
    const call = new Call(this.#options);
    try {
      return await work(call);
    } finally {
      const { charge, roundTrips } = call;
      this.#options.onCharge?.({ operation, charge, roundTrips });
    }
  }
}

export interface QueryOptions {
  /** Undefined: over all partitions. */
  readonly partition: string | undefined;
  /** So many at a time; default 100. */
  readonly pageSize?: number;
}

/** As the client answers; what its types say to be there always is not there on an empty or a last page. */
interface Answered<T> {
  readonly resources: T[] | undefined;
  readonly continuationToken: string | undefined;
  readonly requestCharge: number;
}

/** A batch of which nothing was done: which operation was the reason, with its status. */
export interface Refusal {
  readonly index: number;
  readonly status: number;
  readonly retryAfterMs: number | undefined;
}

/** `done`: all of it; each operation's document as it stands then, but where the answer was lost. */
export type BatchOutcome = { readonly done: readonly unknown[] } | Refusal;

export class Call {
  charge = 0;
  roundTrips = 0;
  readonly #options: RequestOptions;
  readonly #deadline: number;
  readonly #signal: AbortSignal;

  constructor(options: RequestOptions) {
    this.#options = options;
    this.#deadline = performance.now() + options.budgetMs;
    this.#signal = AbortSignal.timeout(options.budgetMs);
  }

  /** The answers page by page. */
  async *pages<T>(
    query: SqlQuerySpec,
    { partition, pageSize = 100 }: QueryOptions,
  ): AsyncGenerator<T[]> {
    let continuation: string | undefined;
    do {
      const from = continuation;
      const page = await this.#ask<Answered<T>>((container) =>
        container.items
          .query<T>(query, {
            maxItemCount: pageSize,
            abortSignal: this.#signal,
            ...(partition !== undefined && { partitionKey: partition }),
            ...(from !== undefined && { continuationToken: from }),
          })
          .fetchNext(),
      );
      yield page.resources ?? [];
      continuation = page.continuationToken;
    } while (continuation !== undefined);
  }

  /** So many of the answers, or all. */
  async query<T>(
    query: SqlQuerySpec,
    options: QueryOptions & { readonly limit?: number },
  ): Promise<T[]> {
    const { limit = Infinity } = options;
    const found: T[] = [];
    for await (const page of this.pages<T>(query, options)) {
      found.push(...page);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  /** Over all partitions the client merges what each of them holds: it goes on by itself, and is begun anew where it failed. */
  async queryAll<T>(query: SqlQuerySpec, limit: number): Promise<T[]> {
    const { found } = await this.#ask(async (container) => {
      const options = { maxItemCount: limit, abortSignal: this.#signal };
      const asked = container.items.query<T>(query, options);
      const found: T[] = [];
      let requestCharge = 0;
      while (found.length < limit && asked.hasMoreResults()) {
        const page: Answered<T> = await asked.fetchNext();
        found.push(...(page.resources ?? []));
        requestCharge += page.requestCharge;
      }
      return { found, requestCharge };
    });
    return found.slice(0, limit);
  }

  /** @returns the document, or undefined where there is none */
  async read<T extends object>(partition: string, id: string): Promise<T | undefined> {
    const { resource } = await this.#ask((container) =>
      container.item(id, partition).read<T>({ abortSignal: this.#signal }),
    );
    return resource;
  }

  /**
   * All of the operations, or none of them.
   * @param tookEffect asked after a try whose answer was lost: whether it was done all the same
   */
  async batch(
    partition: string,
    operations: readonly OperationInput[],
    tookEffect: () => Promise<boolean>,
  ): Promise<BatchOutcome> {
    const answer = await this.#ask(async (container) => {
      const { result, headers } = await container.items.batch([...operations], partition, {
        abortSignal: this.#signal,
      });
      return { result, requestCharge: Number(headers['x-ms-request-charge'] ?? 0) };
    }, tookEffect);
    if (answer === 'took effect') return { done: [] };
    const results: readonly OperationResponse[] = answer.result ?? [];
    const index = results.findIndex(
      ({ statusCode }) => statusCode >= 400 && statusCode !== FAILED_DEPENDENCY,
    );
    const failed = results[index];
    if (!failed) return { done: results.map(({ resourceBody }) => resourceBody) };
    const { retryAfterMilliseconds } = failed as { readonly retryAfterMilliseconds?: number };
    return { index, status: failed.statusCode, retryAfterMs: retryAfterMilliseconds };
  }

  /** The settings of the container. */
  async definition(): Promise<ContainerDefinition | undefined> {
    const { resource } = await this.#ask((container) =>
      container.read({ abortSignal: this.#signal }),
    );
    return resource;
  }

  /** Writes whatever stands there. */
  async upsert(document: { readonly id: string; readonly owner: string }): Promise<void> {
    await this.#ask((container) => container.items.upsert(document, { abortSignal: this.#signal }));
  }

  /** Removes a document, or finds it gone. */
  async remove(partition: string, id: string): Promise<void> {
    await this.#ask(async (container) => {
      try {
        return await container.item(id, partition).delete({ abortSignal: this.#signal });
      } catch (error) {
        if (statusOf(error) === 404) return { requestCharge: chargeOfError(error) };
        throw error;
      }
    });
  }

  /** Waits before another try of something that was refused. @throws WarmUnavailableError when there is no time left */
  async pause(failures: number, what: string, retryAfterMs?: number): Promise<void> {
    const waitMs =
      retryAfterMs ?? backoffMs(failures, { baseMs: WAIT_BASE_MS, capMs: WAIT_MAX_MS });
    if (performance.now() + waitMs >= this.#deadline) {
      const after = retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(1, retryAfterMs) };
      throw new WarmUnavailableError(`Cosmos DB ${what}`, after);
    }
    await sleep(waitMs);
  }

  /** Waits before a batch is tried again that was refused for one operation. @throws where that is in vain */
  async pauseOver({ status, retryAfterMs }: Refusal, failures: number): Promise<void> {
    if (!passes(status)) throw new Error(`Cosmos DB refused an operation of a batch: ${status}`);
    await this.pause(failures, `answered ${status}`, retryAfterMs);
  }

  #ask<T extends { readonly requestCharge: number }>(
    request: (container: Container) => Promise<T>,
  ): Promise<T>;
  #ask<T extends { readonly requestCharge: number }>(
    request: (container: Container) => Promise<T>,
    tookEffect: () => Promise<boolean>,
  ): Promise<T | 'took effect'>;
  async #ask<T extends { readonly requestCharge: number }>(
    request: (container: Container) => Promise<T>,
    tookEffect?: () => Promise<boolean>,
  ): Promise<T | 'took effect'> {
    for (let failures = 1; ; failures += 1) {
      this.roundTrips += 1;
      try {
        const answer = await request(this.#options.container());
        this.charge += answer.requestCharge;
        return answer;
      } catch (error) {
        this.charge += chargeOfError(error);
        const { what, retryAfterMs, unheard } = passingOf(error);
        await this.pause(failures, what, retryAfterMs);
        if (unheard && (await tookEffect?.())) return 'took effect';
      }
    }
  }
}

/** Of every operation in a batch but the one that was the reason. */
const FAILED_DEPENDENCY = 424;
