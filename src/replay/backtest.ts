import type { PolicySettings } from '../abandonment/decision.ts';
import { DAY_MS } from '../model/duration.ts';
import { stageEventId } from '../model/event.ts';
import type { EventBatches, ShopEvent } from './shop-event.ts';
import { SimulatedSession } from './simulated-session.ts';
import { SimulatedWatch } from './simulated-watch.ts';
import { SortOnDisk } from './sort-on-disk.ts';

export interface BacktestOptions {
  /** Thresholds of inactivity to compare, milliseconds; each is judged by itself, as the only stage. */
  readonly idleMs: readonly number[];
  /** How long after an announcement its episode stays closed to others. Default 7 d. */
  readonly cooldownMs?: number | undefined;
  /** Prefix of Rekindle's keys, a part of every announcement's id. Default `rekindle`. */
  readonly prefix?: string | undefined;
  /** Told every announcement: a visitor's in order of time, the visitors in no order that means anything. */
  readonly onAnnouncement?: ((announcement: Announcement) => void) | undefined;
  /** Told now and then how many events have been judged, of how many. */
  readonly onProgress?: ((judged: number, events: number) => void) | undefined;
}

/** What one threshold comes to; the words are those of DESIGN.md, section 9. */
export interface BacktestRow {
  readonly idleMs: number;
  readonly events: number;
  readonly visitors: number;
  /** Maximal runs of a visitor's events in which every gap is shorter than the threshold. */
  readonly runs: number;
  /** Runs whose last event is at least the threshold before the last event of all. */
  readonly runsClosed: number;
  /** Closed runs that end with something in the cart. */
  readonly idleWithCart: number;
  /** Of these, those in which something was added to it. */
  readonly idleWithNewItems: number;
  /** What the policy announces up to and including the last instant of all. */
  readonly announced: number;
  /** Of `idleWithCart`, those whose visitor's next event comes no later than 24 h after the run's last. */
  readonly returned24h: number;
}

export interface Announcement {
  /** The threshold that announced. */
  readonly idleMs: number;
  readonly user: string;
  /** Opening instant, Unix milliseconds. */
  readonly episode: number;
  readonly stage: number;
  /** When it was due and made, Unix milliseconds. */
  readonly at: number;
  /** The event's id, the same as on the bus. */
  readonly id: string;
}

const DEFAULT_COOLDOWN_MS = 7 * DAY_MS;
const DEFAULT_PREFIX = 'rekindle';

/** Within this time a visitor has come back without having been called. */
const RETURN_MS = DAY_MS;

const PROGRESS_EVERY = 10_000;

/**
 * What would have been announced, had Rekindle watched this shop? Drives the real policy over what visitors did, in
 * memory that grows with neither the events nor the visitors: they are sorted by visitor first (on disk where they are
 * many), so that one visitor is at hand at a time.
 *
 * @param events in any order; a visitor's events of the same instant come in the order that they are to be taken in
 * @returns a row for each threshold, in the order of `idleMs`
 */
export async function backtest(
  events: EventBatches,
  options: BacktestOptions,
): Promise<BacktestRow[]> {
  using sorted = new SortOnDisk<ShopEvent>(byVisitor);
  let lastAt = 0;
  for await (const batch of events) {
    for (const event of batch) {
      if (event.at > lastAt) lastAt = event.at;
      sorted.add(event);
    }
  }
  const trials = options.idleMs.map((idleMs) => new Trial(idleMs, lastAt, options));
  let session: SimulatedSession | undefined;
  let visitors = 0;
  let judged = 0;
  for (const event of sorted.take()) {
    if (session?.user !== event.user) {
      for (const trial of trials) trial.leave();
      session = new SimulatedSession(event.user);
      visitors += 1;
      for (const trial of trials) trial.enter(session);
    }
    const previousAt = session.lastActivityAt;
    for (const trial of trials) trial.before(event.at, previousAt);
    const change = session.write(event);
    for (const trial of trials) trial.after(event.at, previousAt, change === 'added');
    judged += 1;
    if (judged % PROGRESS_EVERY === 0) options.onProgress?.(judged, sorted.count);
  }
  for (const trial of trials) trial.leave();
  options.onProgress?.(judged, sorted.count);
  return trials.map((trial) => trial.row(judged, visitors));
}

function byVisitor(one: ShopEvent, other: ShopEvent): number {
  if (one.user === other.user) return one.at - other.at;
  return one.user < other.user ? -1 : 1;
}

/** One threshold, over all visitors, one after the other. */
class Trial {
  readonly #idleMs: number;
  readonly #lastAt: number;
  readonly #settings: PolicySettings;
  readonly #options: BacktestOptions;
  #session: SimulatedSession | undefined;
  #watch: SimulatedWatch | undefined;
  /** The visitor's present run holds an addition to the cart. */
  #added = false;
  #runs = 0;
  #runsClosed = 0;
  #idleWithCart = 0;
  #idleWithNewItems = 0;
  #announced = 0;
  #returned24h = 0;

  constructor(idleMs: number, lastAt: number, options: BacktestOptions) {
    this.#idleMs = idleMs;
    this.#lastAt = lastAt;
    this.#options = options;
    this.#settings = {
      stagesMs: [idleMs],
      cooldownMs: options.cooldownMs ?? DEFAULT_COOLDOWN_MS,
      minCartValue: 0,
      // Nothing is demoted here, and nobody reconciles.
      hotTtlMs: Infinity,
      demoteLeadMs: 0,
      ledgerTtlMs: Infinity,
    };
  }

  enter(session: SimulatedSession): void {
    this.#session = session;
    this.#watch = new SimulatedWatch(session, this.#settings, ({ episode, stage }, at) => {
      this.#announced += 1;
      const { onAnnouncement, prefix = DEFAULT_PREFIX } = this.#options;
      const { user } = session;
      onAnnouncement?.({
        idleMs: this.#idleMs,
        user,
        episode,
        stage,
        at,
        id: stageEventId('cart.abandoned', prefix, user, episode, stage),
      });
    });
  }

  /** An event is about to happen: what is due at its instant happens first. */
  before(at: number, previousAt: number | undefined): void {
    this.#watch?.lookUntil(at);
    if (previousAt !== undefined && at - previousAt < this.#idleMs) return;
    this.#endRun(at);
    this.#runs += 1;
  }

  /** It has happened. */
  after(at: number, previousAt: number | undefined, added: boolean): void {
    this.#added ||= added;
    this.#watch?.touch(at, previousAt);
    this.#watch?.lookUntil(at);
  }

  /** The visitor does nothing more. */
  leave(): void {
    this.#watch?.lookUntil(this.#lastAt);
    this.#endRun(undefined);
  }

  row(events: number, visitors: number): BacktestRow {
    return {
      idleMs: this.#idleMs,
      events,
      visitors,
      runs: this.#runs,
      runsClosed: this.#runsClosed,
      idleWithCart: this.#idleWithCart,
      idleWithNewItems: this.#idleWithNewItems,
      announced: this.#announced,
      returned24h: this.#returned24h,
    };
  }

  #endRun(nextAt: number | undefined): void {
    const endedAt = this.#session?.lastActivityAt;
    const added = this.#added;
    this.#added = false;
    if (endedAt === undefined || endedAt + this.#idleMs > this.#lastAt) return;
    this.#runsClosed += 1;
    if (this.#session?.cart.isEmpty) return;
    this.#idleWithCart += 1;
    if (added) this.#idleWithNewItems += 1;
    if (nextAt !== undefined && nextAt - endedAt <= RETURN_MS) this.#returned24h += 1;
  }
}
