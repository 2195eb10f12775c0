import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { Keys } from '../../src/adapters/hot/redis/keys.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Agenda } from '../../src/ports/agenda.ts';
import type { LedgerStore } from '../../src/ports/ledger.ts';
import type { Sessions } from '../../src/ports/sessions.ts';
import type { RawStore } from './raw-store.ts';

/** What an adapter of the hot tier is set up with, whichever it is. */
export interface HotOptions {
  readonly template: string;
  readonly prefix: string;
  readonly thresholdMs: number;
  readonly ttlMs: number;
  readonly window: number;
  readonly demoteLeadMs: number;
  readonly manage: boolean;
  readonly leaseMs: number;
  readonly leaseMarginMs: number;
  readonly maxCart: number;
  readonly maxQuarantined: number;
  /** How long it counts that a rescue message went out; 0: it does not. */
  readonly contactWindowMs: number;
  /** The event bus is in the same store, and takes so many events while nobody reads; undefined: it is elsewhere. */
  readonly busCap?: number;
}

export const HOT_DEFAULTS: HotOptions = {
  template: 'session:<user_id>',
  prefix: 'rekindle',
  thresholdMs: 30 * MINUTE_MS,
  ttlMs: 8 * DAY_MS,
  window: 10,
  demoteLeadMs: HOUR_MS,
  manage: false,
  leaseMs: 30 * SECOND_MS,
  leaseMarginMs: 3 * SECOND_MS,
  maxCart: 65_536,
  maxQuarantined: 10_000,
  contactWindowMs: 0,
};

/** The three ports of the hot tier over one state, and that state as other programs see it. */
export interface Hot {
  readonly agenda: Agenda;
  readonly ledgers: LedgerStore;
  readonly sessions: Sessions;
  readonly keys: Keys;
  readonly raw: RawStore;
  /** What commits have put on the bus that is in the same store, in order. */
  told(): Promise<readonly AnyEvent[]>;
}
