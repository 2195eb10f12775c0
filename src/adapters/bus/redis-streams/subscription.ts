import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { BusUnavailableError, errorMessage, UsageError } from '../../../model/errors.ts';
import type { Delivery, Subscription } from '../../../ports/bus.ts';
import { isGroupGone, isPassing, Readiness, reasonOf } from './connection.ts';
import type { RawEntry } from './entry.ts';
import type { GroupMember } from './group-member.ts';
import { claimOf, sift } from './sift.ts';
import type { Terms } from './sift.ts';

/**
 * How often a member looks for retries that came due and for deliveries of members that died: at least this often, and
 * when the next one it knows of is due. An idle member costs Redis two commands in that time.
 */
const SWEEP_EVERY_MS = 1_000;

/** How long a read blocks at the most. */
export const LONGEST_READ_MS = SWEEP_EVERY_MS;

/** How many deliveries one sweep takes: moving 200 keeps Redis busy for some 2 ms. */
const SWEEP_AT_ONCE = 200;

/** Pauses between attempts while the bus is away: 50 ms at first, doubled up to a second. */
const PAUSE_MS = { first: 50, longest: 1_000 };

const CONNECT_MS = { least: 1_000, most: 60_000 };

export interface SubscriptionOptions extends Terms {
  readonly onClose: () => void;
}

/** One member of a consumer group, with a connection of its own for reads that block. */
export class StreamSubscription implements Subscription {
  readonly #reader: Redis;
  readonly #readiness: Readiness;
  readonly #member: GroupMember;
  readonly #options: SubscriptionOptions;
  readonly #unblock: (readerId: number) => void;
  #readerId: number | undefined;
  /** When to sweep next, on the monotonic clock. */
  #sweepAt = 0;
  /** Sweeps and reads that find something take turns, so that neither new events nor retries starve the other. */
  #turn: 'sweep' | 'read' = 'sweep';
  #closed = false;
  #away = false;
  #running: { readonly interrupt: AbortController; readonly ended: Promise<unknown> } | undefined;

  constructor(
    reader: Redis,
    member: GroupMember,
    options: SubscriptionOptions,
    unblock: (readerId: number) => void,
  ) {
    this.#reader = reader;
    this.#readiness = new Readiness(reader);
    this.#member = member;
    this.#options = options;
    this.#unblock = unblock;
    reader.on('error', () => undefined); // What it means is told once, by `receive`.
    reader.on('close', () => (this.#readerId = undefined));
    reader.on('ready', () => {
      reader.client('ID').then(
        (id) => (this.#readerId = id),
        // A server that tells no ids: an aborted read then ends by itself, within SWEEP_EVERY_MS.
        () => (this.#readerId = undefined),
      );
    });
  }

  async receive(max: number, waitMs: number, signal?: AbortSignal): Promise<Delivery[]> {
    if (this.#running) throw new UsageError('receive() is waiting already: one call at a time');
    const interrupt = new AbortController();
    const onAbort = (): void => interrupt.abort();
    if (signal?.aborted || this.#closed) return [];
    signal?.addEventListener('abort', onAbort, { once: true });
    const receiving = this.#receive(max, performance.now() + waitMs, interrupt.signal);
    this.#running = { interrupt, ended: receiving.catch(() => undefined) };
    try {
      return await receiving;
    } finally {
      this.#running = undefined;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#running?.interrupt.abort();
    await this.#running?.ended;
    this.#reader.disconnect();
    this.#options.onClose();
    // If the bus is away, somebody who joins later forgets this member.
    await this.#member.leave().catch(() => undefined);
  }

  async #receive(max: number, deadline: number, interrupted: AbortSignal): Promise<Delivery[]> {
    let pauseMs = PAUSE_MS.first;
    while (!interrupted.aborted) {
      const leftMs = Math.max(0, deadline - performance.now());
      try {
        if (!(await this.#connected(leftMs, interrupted))) continue;
        const deliveries = await this.#next(max, leftMs, interrupted);
        this.#isBack();
        if (deliveries.length > 0 || leftMs === 0) return deliveries;
        pauseMs = PAUSE_MS.first;
      } catch (error) {
        await this.#endure(error);
        if (leftMs === 0) return [];
        const ms = Math.min(pauseMs, leftMs);
        await sleep(ms, undefined, { signal: interrupted }).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
      }
    }
    return [];
  }

  /** Waits for the reader's connection. @returns false if interrupted meanwhile */
  async #connected(leftMs: number, interrupted: AbortSignal): Promise<boolean> {
    if (this.#readiness.ready) return true;
    // Even a call that may not wait gives a new connection the time to be made.
    const patienceMs = Math.min(Math.max(leftMs, CONNECT_MS.least), CONNECT_MS.most);
    const connected = new AbortController();
    const patience = sleep(patienceMs, 'impatient', {
      signal: AbortSignal.any([interrupted, connected.signal]),
    }).catch(() => 'interrupted');
    const outcome = await Promise.race([this.#readiness.wait(), patience]).finally(() => {
      connected.abort();
    });
    if (outcome === 'impatient') throw new Error('no connection to the event bus');
    return outcome !== 'interrupted';
  }

  /** One turn: what came due or was left behind by others, or else what is new, waiting for it until the next sweep. */
  async #next(max: number, leftMs: number, interrupted: AbortSignal): Promise<Delivery[]> {
    if (this.#turn === 'sweep' && this.#sweepInMs() === 0) {
      const swept = await this.#sweep(max);
      if (swept.length > 0) return swept;
    }
    const sweepInMs = this.#sweepInMs();
    const read = await this.#read(max, Math.min(leftMs, sweepInMs), interrupted);
    if (read.length > 0) this.#turn = 'sweep';
    return read.length === 0 && sweepInMs === 0 ? this.#sweep(max) : read;
  }

  #sweepInMs(): number {
    return Math.min(this.#member.dueInMs, Math.max(0, this.#sweepAt - performance.now()));
  }

  async #sweep(max: number): Promise<Delivery[]> {
    const { claimMs, maxDeliveries, log } = this.#options;
    const most = Math.min(max, SWEEP_AT_ONCE);
    const taken = await this.#member.take(most, claimMs, maxDeliveries);
    const { claims, putAside } = taken;
    const inMs = Math.min(SWEEP_EVERY_MS, claimMs / 2, taken.nextInMs ?? Infinity);
    // A sweep that was full may have left something.
    this.#sweepAt = claims.length + putAside >= most ? 0 : performance.now() + inMs;
    if (putAside > 0) {
      log.warn({ group: this.#member.group, events: putAside }, 'events went to the dead letters');
    }
    this.#turn = claims.length > 0 ? 'read' : 'sweep';
    return sift(
      claims.map((claim) => ({ claim, type: undefined })),
      this.#member,
      this.#options,
    );
  }

  async #read(max: number, waitMs: number, interrupted: AbortSignal): Promise<Delivery[]> {
    const wake = (): void => {
      if (this.#readerId !== undefined) this.#unblock(this.#readerId);
    };
    // After entries that were all sifted out, whatever else is there already.
    for (let blockMs = Math.ceil(waitMs); !interrupted.aborted; blockMs = 0) {
      interrupted.addEventListener('abort', wake, { once: true });
      try {
        const { group, name, keys } = this.#member;
        const block = blockMs > 0 ? ['BLOCK', blockMs] : []; // BLOCK 0 would wait for ever.
        const args = ['GROUP', group, name, 'COUNT', max, ...block, 'STREAMS', keys.stream, '>'];
        const reply = await this.#reader.call('XREADGROUP', ...args);
        const entries = (reply as [[string, RawEntry[]]] | null)?.[0][1] ?? [];
        if (entries.length === 0) return [];
        // The client keeps a command with its reply until the next full collection: what was in it is let go.
        const found = entries.splice(0).map(([id, fields]) => claimOf(id, fields ?? []));
        const deliveries = await sift(found, this.#member, this.#options);
        if (deliveries.length > 0) return deliveries;
      } finally {
        interrupted.removeEventListener('abort', wake);
      }
    }
    return [];
  }

  /** Mends what can be mended and waits out what passes. @throws BusUnavailableError for what will not pass by itself */
  async #endure(error: unknown): Promise<void> {
    const { group } = this.#member;
    if (isGroupGone(error)) {
      this.#options.log.warn(
        { group },
        'the consumer group was removed from the bus: creating it again',
      );
      await this.#member.join().catch(() => undefined); // If that fails, the next read says so.
      return;
    }
    if (!isPassing(error)) {
      if (error instanceof BusUnavailableError) throw error;
      throw new BusUnavailableError(`the event bus refuses: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    if (!this.#away)
      this.#options.log.warn({ group, reason: reasonOf(error) }, 'the event bus is away');
    this.#away = true;
  }

  #isBack(): void {
    if (this.#away) this.#options.log.info({ group: this.#member.group }, 'the event bus is back');
    this.#away = false;
  }
}
