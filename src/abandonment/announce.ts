import { SECOND_MS } from '../model/duration.ts';
import { BusUnavailableError } from '../model/errors.ts';
import type { AnyEvent } from '../model/event.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import type { Observe } from './observe.ts';

/** The pending events of one user, in their order. */
export interface Pending {
  readonly user: string;
  readonly events: readonly AnyEvent[];
}

/** What became of the pending events of one user. */
export interface Announced {
  readonly user: string;
  /** Ids of those that are on the bus. */
  readonly published: readonly string[];
  /** When to try the others again; undefined: there are none. */
  readonly retryAt: number | undefined;
}

const FIRST_RETRY_MS = SECOND_MS;
const LONGEST_RETRY_MS = 30 * SECOND_MS;

/** An event that the bus refused while it took others: it may never take it, so it is not asked often. */
const REFUSED_RETRY_MS = 10 * SECOND_MS;

/**
 * Puts pending events on the bus. Whoever settles the look strikes them from the ledgers.
 *
 *   closed ──publish fails──▶ open until retryAt ──first publish after it──▶ closed, or open for twice as long
 *
 * While it is open nothing is tried: the events stay in the ledgers and their users come back when it may close.
 * The breaker runs on the Clock port, so that replay and tests see ten minutes without a bus in no time.
 */
export class Announcer {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #observe: Observe;
  #failures = 0;
  #retryAt = 0;

  constructor(bus: Bus, clock: Clock, observe: Observe) {
    this.#bus = bus;
    this.#clock = clock;
    this.#observe = observe;
  }

  /** @returns for each user with a pending event, which of them are on the bus by now */
  async announce(batch: readonly Pending[], signal?: AbortSignal): Promise<Announced[]> {
    const some = batch.filter(({ events }) => events.length > 0);
    if (some.length === 0) return [];
    if (this.#clock.now() < this.#retryAt)
      return some.map(({ user }) => ({ user, published: [], retryAt: this.#retryAt }));
    const durable = await this.#publish(
      some.flatMap(({ events }) => events),
      signal,
    );
    const now = this.#clock.now();
    const retryAt = this.#retryAt > now ? this.#retryAt : now + REFUSED_RETRY_MS;
    return some.map(({ user, events }) => {
      const published = events.map(({ id }) => id).filter((id) => durable.has(id));
      return { user, published, retryAt: published.length < events.length ? retryAt : undefined };
    });
  }

  /** Told of events that the commit has put on the bus by itself. */
  announced(events: readonly AnyEvent[]): void {
    if (events.length === 0) return;
    const at = this.#clock.now();
    for (const event of events) this.#observe('published', { event, at });
    this.#close();
  }

  /** @returns ids of the events that are durable on the bus */
  async #publish(
    events: readonly AnyEvent[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    const durable = new Set<string>();
    try {
      const results = await this.#bus.publish(events, signal);
      const now = this.#clock.now();
      let away: { readonly reason: string; readonly group?: string | undefined } | undefined;
      for (const [index, event] of events.entries()) {
        const result = results[index] ?? { durable: false, retryable: true, reason: 'no answer' };
        if (result.durable) {
          durable.add(event.id);
          this.#observe('published', { event, at: now });
        } else if (result.retryable) away ??= result;
        else this.#observe('refused', { event, reason: result.reason });
      }
      // It took some: there is room again, so it is worth asking soon.
      if (durable.size > 0 && away) this.#failures = 0;
      if (away) this.#open(away.reason, away.group);
      else this.#close();
    } catch (error) {
      if (!(error instanceof BusUnavailableError)) throw error;
      this.#open(error.message, error.group);
    }
    return durable;
  }

  #open(reason: string, group: string | undefined): void {
    this.#failures += 1;
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    this.#retryAt = this.#clock.now() + delayMs;
    this.#observe('busAway', { reason, group, retryAt: this.#retryAt });
  }

  #close(): void {
    if (this.#failures > 0) this.#observe('busBack', {});
    this.#failures = 0;
    this.#retryAt = 0;
  }
}
