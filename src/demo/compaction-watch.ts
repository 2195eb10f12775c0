import type { Clock } from '../ports/clock.ts';
import { coldShare } from './cold-share.ts';
import type { Visit } from './shop.ts';
import { type Tiers, hotIds, warmIds } from './whereabouts.ts';

/** What somebody said days ago stands in cold, and warm has given it up. */
export interface Compacted {
  readonly user: string;
  /** When it was seen, Unix milliseconds. */
  readonly at: number;
  readonly messages: number;
  readonly insights: number;
}

const LOOK_EVERY_MS = 100;

/** Sees the past sink and be compacted, by what the tiers hold: the daemon tells nobody. */
export class CompactionWatch {
  readonly compacted: Compacted[] = [];
  readonly #tiers: Tiers;
  readonly #beginRound: () => Promise<unknown>;
  readonly #sunk = new Set<string>();
  readonly #done = new Set<string>();

  /** @param beginRound looks for what has aged; the daemon's cron does it at night, and the demo is over by then */
  constructor(tiers: Tiers, beginRound: () => Promise<unknown>) {
    this.#tiers = tiers;
    this.#beginRound = beginRound;
  }

  isCompacted(user: string): boolean {
    return this.#done.has(user);
  }

  /** Until the past of all these is compacted, or `signal` aborts. */
  async watch(visits: readonly Visit[], clock: Clock, signal: AbortSignal): Promise<void> {
    const known = visits.filter(({ shopper }) => shopper.past);
    while (!signal.aborted && this.#done.size < known.length) {
      const sunkBefore = this.#sunk.size;
      for (const { shopper } of known) await this.#look(shopper.user, clock);
      if (this.#sunk.size > sunkBefore) await this.#beginRound();
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #look(user: string, clock: Clock): Promise<void> {
    if (this.#done.has(user)) return;
    const inWarm = new Set(await warmIds(this.#tiers, user));
    if (!this.#sunk.has(user)) {
      const isHot = (await hotIds(this.#tiers, user)).length > 0;
      if (isHot || inWarm.size === 0) return;
      this.#sunk.add(user);
    }
    const { messages, insights } = await coldShare(this.#tiers.cold, user);
    if (messages.length === 0 || messages.some((id) => inWarm.has(id))) return;
    this.#done.add(user);
    this.compacted.push({ user, at: clock.now(), messages: messages.length, insights });
  }
}
