import { randomUUID } from 'node:crypto';
import { errorMessage } from '../model/errors.ts';
import { Backoff } from './backoff.ts';
import type { Logger } from './logger.ts';
import { BaseService } from './service.ts';
import { type Time, sleepFor } from './time.ts';

/** Where leases are kept: a token under a name, which the store forgets after a while. Each is one atomic step. */
export interface LeaseStore {
  /** Takes the lease unless somebody holds it. @returns whether it was taken */
  acquire(name: string, token: string, ttlMs: number): Promise<boolean>;
  /** Prolongs the lease if the token holds it. @returns whether it did */
  renew(name: string, token: string, ttlMs: number): Promise<boolean>;
  /** Gives the lease up if the token holds it. @returns whether it did */
  release(name: string, token: string): Promise<boolean>;
}

export interface LeaseOptions {
  readonly name: string;
  /** After how long without a renewal the store gives the lease to somebody else. */
  readonly ttlMs: number;
  readonly store: LeaseStore;
  /** Should not jump when a host's clock is set: what is trusted is a span of it. */
  readonly time: Time;
  readonly log: Logger;
  /**
   * What only the holder does. `signal` aborts before anybody else can hold the lease: stop then, and settle. When it
   * ends or fails by itself the lease is given up, so that a replica which can do it may try.
   */
  readonly whileHeld: (signal: AbortSignal) => Promise<void>;
}

/** Part of the TTL for which a holder trusts its lease: the rest is for clocks that run at different speeds. */
const TRUSTED = 0.8;

/** Attempts within one TTL: two may fail before trust runs out. */
const ATTEMPTS = 4;

/** One time of holding the lease. */
interface Term {
  readonly token: string;
  readonly lost: AbortController;
  trustedUntil: number;
}

/**
 * One holder among all replicas:
 *
 *   waiting ──acquired──▶ holding ──renewed──▶ holding
 *      ▲                     │
 *      └──── given up ◀──────┘  renewal refused · trust ran out · the work ended · stopped
 *
 * Trust counts from the start of an attempt, not from its answer, and ends before the store's expiry: whatever the
 * answer took, the store cannot have forgotten the lease sooner. So two holders never overlap, with one limit: a process
 * that is frozen learns of it only when it wakes. It asks `held` before each step, and what it changes is guarded there.
 */
export class Lease extends BaseService {
  readonly #options: LeaseOptions;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #term: Term | undefined;
  /** Of an attempt whose answer got lost: it may hold the lease without our knowing. */
  #doubtful: string | undefined;
  /** What went wrong since it last worked. */
  readonly #told = new Set<string>();
  #trouble: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    super(`lease-${options.name}`);
    this.#options = options;
    this.#backoff = new Backoff({ capMs: options.ttlMs });
  }

  /** True while the lease is ours for sure, at this very moment. */
  get held(): boolean {
    const term = this.#term;
    return (
      term !== undefined &&
      !term.lost.signal.aborted &&
      this.#options.time.now() < term.trustedUntil
    );
  }

  /** Why it cannot be competed for, or its work not be done; undefined if nothing is wrong. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  protected override async onStart(): Promise<void> {
    this.#running = this.#compete().catch((error: unknown) => this.die(error));
  }

  protected override async onQuiet(): Promise<void> {
    this.#stopping.abort();
  }

  protected override async onStop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #compete(): Promise<void> {
    const { time, ttlMs } = this.#options;
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      let waitMs = ttlMs / ATTEMPTS;
      try {
        const term = await this.#acquire();
        if (term) {
          await this.#hold(term);
          this.#backoff.reset();
        }
        this.#works();
      } catch (error) {
        this.#report(error);
        waitMs = Math.max(waitMs, this.#backoff.next());
      }
      await sleepFor(time, waitMs, stopping);
    }
  }

  async #acquire(): Promise<Term | undefined> {
    const { name, ttlMs, store, time } = this.#options;
    if (this.#doubtful !== undefined) {
      await store.release(name, this.#doubtful);
      this.#doubtful = undefined;
    }
    // A token of its own for each attempt: a late release of an earlier one must not end this one.
    const token = randomUUID();
    const attemptedAt = time.now();
    this.#doubtful = token;
    const acquired = await store.acquire(name, token, ttlMs);
    if (!acquired) {
      this.#doubtful = undefined;
      return undefined;
    }
    const term: Term = {
      token,
      lost: new AbortController(),
      trustedUntil: attemptedAt + ttlMs * TRUSTED,
    };
    // An answer this late is of no use; the next attempt releases what it may have taken.
    if (time.now() >= term.trustedUntil) return undefined;
    this.#doubtful = undefined;
    return term;
  }

  async #hold(term: Term): Promise<void> {
    const { name, store, log, whileHeld } = this.#options;
    const ended = new AbortController();
    const lostOrStopped = AbortSignal.any([term.lost.signal, this.#stopping.signal]);
    this.#term = term;
    log.debug({ lease: name }, 'holds the lease');
    const work = (async () => {
      try {
        await whileHeld(lostOrStopped);
      } finally {
        ended.abort();
      }
    })();
    try {
      // The lease is kept until the work has settled: while it still clears up, nobody else may begin.
      const [worked, kept] = await Promise.allSettled([work, this.#keep(term, ended.signal)]);
      if (kept.status === 'rejected') throw kept.reason;
      if (worked.status === 'rejected' && !lostOrStopped.aborted) throw worked.reason;
    } finally {
      this.#term = undefined;
      await store.release(name, term.token).catch(() => undefined);
    }
  }

  /** Renews until `ended` aborts, or the lease is lost. */
  async #keep(term: Term, ended: AbortSignal): Promise<void> {
    const { name, ttlMs, log, time } = this.#options;
    let lost: string | undefined;
    while (lost === undefined) {
      await sleepFor(time, Math.min(ttlMs / ATTEMPTS, term.trustedUntil - time.now()), ended);
      if (ended.aborted) return;
      if (time.now() >= term.trustedUntil) lost = 'it could not be renewed in time';
      else if ((await this.#renew(term, ended)) === 'refused') {
        lost = 'somebody else holds it, or the store has forgotten it';
      }
    }
    log.warn({ lease: name }, `lost the lease: ${lost}`);
    term.lost.abort();
  }

  /** Waits for the answer no longer than the lease is trusted. */
  async #renew(term: Term, ended: AbortSignal): Promise<'renewed' | 'refused' | 'unknown'> {
    const { name, ttlMs, store, time } = this.#options;
    const answered = new AbortController();
    const attemptedAt = time.now();
    const attempt = store.renew(name, term.token, ttlMs).then(
      (renewed) => (renewed ? 'renewed' : 'refused'),
      (error: unknown) => {
        this.#report(error);
        return 'unknown' as const;
      },
    );
    const tooLate = sleepFor(
      time,
      term.trustedUntil - attemptedAt,
      AbortSignal.any([answered.signal, ended]),
    ).then(() => 'unknown' as const);
    const outcome = await Promise.race([attempt, tooLate]);
    answered.abort();
    if (outcome === 'renewed') {
      term.trustedUntil = attemptedAt + ttlMs * TRUSTED;
      // Work that fails does so sooner than this.
      this.#works();
    }
    return outcome;
  }

  #works(): void {
    const { name, log } = this.#options;
    if (this.#trouble !== undefined) log.info({ lease: name }, 'works again');
    this.#trouble = undefined;
    this.#told.clear();
  }

  #report(error: unknown): void {
    this.#trouble = errorMessage(error);
    if (this.#told.has(this.#trouble)) return;
    this.#told.add(this.#trouble);
    this.#options.log.error(
      { lease: this.#options.name, err: error },
      'trouble with the lease, tries again',
    );
  }
}
