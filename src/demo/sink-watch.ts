import { parseHeader } from '../model/conversation.ts';
import type { Clock } from '../ports/clock.ts';
import type { Shop, Visit } from './shop.ts';
import type { Tiers } from './whereabouts.ts';

/** A session that has left Redis, and stands in warm. */
export interface Sunk {
  readonly user: string;
  /** When it was seen, Unix milliseconds. */
  readonly at: number;
  /** Messages of that session. */
  readonly messages: number;
  /** Items in its cart. */
  readonly items: number;
}

const LOOK_EVERY_MS = 250;

/** Sees sessions sink, by what the tiers hold: the daemon tells nobody. */
export class SinkWatch {
  readonly sunk: Sunk[] = [];
  readonly #tiers: Tiers;
  readonly #hotLifeMs: number;
  /** The silences that ended so, each by its last deed. */
  readonly #seen = new Set<object>();

  constructor(tiers: Tiers, hotLifeMs: number) {
    this.#tiers = tiers;
    this.#hotLifeMs = hotLifeMs;
  }

  /** Until `signal` aborts. */
  async watch(shop: Shop, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(shop.visits, clock.now());
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** Looks once at all who have been silent for longer than a session lives. */
  async look(visits: readonly Visit[], now: number): Promise<void> {
    for (const { shopper, deeds } of visits) {
      const last = deeds.at(-1);
      if (!last || shopper.foreign || this.#seen.has(last) || now - last.at < this.#hotLifeMs)
        continue;
      const { user } = shopper;
      const { fields } = await this.#tiers.records.snapshot(user);
      // Another deed: the user was back sooner.
      if (fields || deeds.at(-1) !== last) continue;
      const page = await this.#tiers.warm.find(user, { memoryType: 'session' }, 'newest', {
        limit: 1,
      });
      const [header] = page.items;
      if (!header) continue;
      this.#seen.add(last);
      const { messages } = parseHeader(header.entry);
      this.sunk.push({ user, at: now, messages, items: last.cart.length });
    }
  }
}
