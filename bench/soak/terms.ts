import type { Terms } from '../../src/demo/expectations.ts';
import type { Timing } from '../../src/demo/shoppers.ts';
import { SECOND_MS } from '../../src/model/duration.ts';

/** Far enough apart for what a killed listener delays: see `FOREIGN`. */
const STAGES_MS = [8 * SECOND_MS, 60 * SECOND_MS] as const;

/** An order after the last announcement still takes it back. */
const COOLDOWN_MS = 70 * SECOND_MS;

/** What a killed watcher had in hand is free after its lease. */
const LEASE_MS = 4 * SECOND_MS;

/** Another program lets its sessions live so long; they are copied at half of it. */
export const FOREIGN_TTL_MS = 150 * SECOND_MS;

/** How soon the announcement is out, and what a user does is noticed, whoever is killed. */
interface Notice {
  readonly sureMs: number;
  readonly noticeMs: number;
}

/** The library arms by itself; a look may have to wait for a lease. */
export const LIBRARY: Notice = { sureMs: 3 * LEASE_MS, noticeMs: 3 * LEASE_MS };

/** The listener's lease runs for 10 s after it was killed, and so may the next one's; then comes a full pass. */
export const FOREIGN: Notice = { sureMs: 40 * SECOND_MS, noticeMs: 40 * SECOND_MS };

/** When the last announcement of somebody who did something just now is out for sure. */
export const OUTLIVES_MS = STAGES_MS[1] + FOREIGN.sureMs;

export function termsOf(notice: Notice): Terms {
  return { stagesMs: STAGES_MS, ...notice };
}

export function timingOf({ sureMs }: Notice, spanMs: number): Timing {
  return { spanMs, stagesMs: STAGES_MS, sureMs };
}

/** Everything of ours goes again within minutes, so that what stays is a leak. */
export function settingsOf(redisUrl: string): Record<string, string> {
  return {
    REDIS_URL: redisUrl,
    REKINDLE_STAGES: STAGES_MS.map((ms) => `${ms}ms`).join(','),
    REKINDLE_COOLDOWN: `${COOLDOWN_MS}ms`,
    REKINDLE_LEASE: `${LEASE_MS}ms`,
    REKINDLE_HOT_TTL: '30s',
    REKINDLE_HOT_GRACE: '60s',
    REKINDLE_LEDGER_TTL: '140s',
    REKINDLE_RECONCILE_EVERY: '30s',
    // What the window pushed out would wait for a demotion that there is not.
    REKINDLE_WINDOW: '100',
  };
}
