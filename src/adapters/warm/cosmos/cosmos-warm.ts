import type { Container } from '@azure/cosmos';
import { assertEntry } from '../../../model/entry.ts';
import { UsageError } from '../../../model/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import {
  type AgedOwner,
  type EntryFilter,
  type EntryOrder,
  type EntryRemoval,
  type EntryWrite,
  PAGE_MAX,
  type Page,
  type PageRequest,
  type PutOptions,
  type RemovalOutcome,
  type Scored,
  type SearchRequest,
  type StoredEntry,
  TOGETHER_MAX,
  type WarmStore,
  type WriteOutcome,
} from '../../../ports/warm.ts';
import { agedOwners } from './aging.ts';
import { partitionOf } from './document.ts';
import { eraseEntries, sweepOpen } from './erasure.ts';
import { Heads } from './heads.ts';
import { VectorPolicy, similarEntries } from './likeness.ts';
import { countEntries, findEntries, getEntries } from './reading.ts';
import { noteRecalled } from './recalling.ts';
import { removeEntries } from './removal.ts';
import { type Call, type Charge, Requests } from './requests.ts';
import { searchEntries } from './searching.ts';
import type { Ground } from './ground.ts';
import { putEntries } from './writing.ts';

export interface CosmosWarmOptions {
  /** Asked for each request, so that a client with another key serves without a restart. */
  readonly container: () => Container;
  /** The store's time: what has expired, and which erasures are in force. */
  readonly clock: Pick<Clock, 'now'>;
  /** A call gives up after so long, with its repeats. Default 10 s. */
  readonly budgetMs?: number;
  /** Told of each call when it ends: what it cost. */
  readonly onCharge?: (charge: Charge) => void;
}

const BUDGET_MS = 10_000;

/**
 * The warm tier in one container of Azure Cosmos DB, an owner a partition. How it is laid out is said in `document.ts`;
 * `setUp` makes it. Two clients of one container may differ by what one has not read yet: consistency is that of a session.
 */
export class CosmosWarm implements WarmStore {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #requests: Requests;
  readonly #heads = new Heads();
  readonly #vectors = new VectorPolicy();

  constructor({ container, clock, budgetMs = BUDGET_MS, onCharge }: CosmosWarmOptions) {
    this.#clock = clock;
    this.#requests = new Requests({ container, budgetMs, onCharge });
  }

  async put(
    agentId: string,
    writes: readonly EntryWrite[],
    how: PutOptions = {},
  ): Promise<readonly WriteOutcome[]> {
    if (how.together && writes.length > TOGETHER_MAX)
      throw new UsageError(`at most ${TOGETHER_MAX} entries together; got ${writes.length}`);
    for (const { entry, expiresAt } of writes) {
      assertEntry(agentId, entry);
      if (expiresAt !== undefined) assertInstant('expiresAt', expiresAt);
    }
    if (writes.length === 0) return [];
    return this.#during('put', agentId, (ground) => putEntries(ground, writes, how));
  }

  async get(agentId: string, memoryIds: readonly string[]): Promise<readonly StoredEntry[]> {
    if (memoryIds.length === 0) return [];
    return this.#during('get', agentId, (ground) => getEntries(ground, memoryIds));
  }

  async remove(
    agentId: string,
    removals: readonly EntryRemoval[],
  ): Promise<readonly RemovalOutcome[]> {
    if (removals.length === 0) return [];
    return this.#during('remove', agentId, (ground) => removeEntries(ground, removals));
  }

  async find(
    agentId: string,
    filter: EntryFilter,
    order: EntryOrder,
    page: PageRequest,
  ): Promise<Page<StoredEntry>> {
    assertLimit(page.limit);
    return this.#during('find', agentId, (ground) => findEntries(ground, filter, order, page));
  }

  async search(agentId: string, text: string, request: SearchRequest): Promise<readonly Scored[]> {
    assertLimit(request.limit);
    return this.#during('search', agentId, (ground) => searchEntries(ground, text, request));
  }

  async similar(
    agentId: string,
    embedding: readonly number[],
    request: SearchRequest,
  ): Promise<readonly Scored[]> {
    assertLimit(request.limit);
    return this.#during('similar', agentId, (ground) =>
      similarEntries(ground, this.#vectors, embedding, request),
    );
  }

  async recalled(agentId: string, memoryIds: readonly string[], at: number): Promise<void> {
    assertInstant('at', at);
    if (memoryIds.length === 0) return;
    await this.#during('recalled', agentId, (ground) => noteRecalled(ground, memoryIds, at));
  }

  async aged(memoryType: string, before: number, page: PageRequest): Promise<Page<AgedOwner>> {
    assertLimit(page.limit);
    return this.#requests.during('aged', (call) =>
      agedOwners(this.#groundOf(call), this.#groundOf(call)(''), memoryType, before, page),
    );
  }

  async erase(agentId: string, erasedAt: number, forgetAt: number): Promise<number> {
    assertInstant('erasedAt', erasedAt);
    assertInstant('forgetAt', forgetAt);
    return this.#during('erase', agentId, (ground) => eraseEntries(ground, erasedAt, forgetAt));
  }

  async count(agentId: string): Promise<number> {
    return this.#during('count', agentId, countEntries);
  }

  /** What has expired the service removes by itself. */
  async sweep(): Promise<number> {
    return this.#requests.during('sweep', (call) =>
      sweepOpen(this.#groundOf(call), this.#groundOf(call)('')),
    );
  }

  /** The client is its maker's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  #during<T>(operation: string, agentId: string, work: (ground: Ground) => Promise<T>): Promise<T> {
    return this.#requests.during(operation, (call) =>
      work(this.#groundOf(call)(partitionOf(agentId))),
    );
  }

  #groundOf(call: Call): (partition: string) => Ground {
    return (partition) => ({ call, partition, heads: this.#heads, clock: this.#clock });
  }
}

function assertInstant(name: string, at: number): void {
  if (Number.isSafeInteger(at)) return;
  throw new UsageError(`${name} is a whole number of Unix milliseconds; got ${at}`);
}

function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX) return;
  throw new UsageError(`a limit is a whole number from 1 to ${PAGE_MAX}; got ${limit}`);
}
