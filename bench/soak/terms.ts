import type { Terms } from '../../src/demo/expectations.ts';
import type { Timing } from '../../src/demo/timing.ts';
import { SECOND_MS } from '../../src/model/duration.ts';

/** The second is further away than what a killed watcher delays the first by. */
const STAGES_MS = [8 * SECOND_MS, 60 * SECOND_MS] as const;

/**
 * When an announcement is out for sure, and what a user does is noticed, whoever is killed. Another program's writes
 * have no listener for the 10 s that the lease of a killed one runs, and perhaps for those of the next; then comes a
 * full pass. The rest is for a machine that stalls.
 */
const SURE_MS = 40 * SECOND_MS;

/** An order after the last announcement still takes it back. */
const COOLDOWN_MS = 70 * SECOND_MS;

/** What a killed watcher had in hand is free after its lease. */
const LEASE_MS = 4 * SECOND_MS;

/** How long a ledger is kept; longer than last stage and cool-down together. */
const LEDGER_TTL_MS = 140 * SECOND_MS;

/** Another program lets its sessions live so long; they are copied at half of it. */
export const FOREIGN_TTL_MS = 150 * SECOND_MS;

/** When the last announcement of somebody who did something just now is out for sure. */
export const OUTLIVES_MS = STAGES_MS[1] + SURE_MS;

/** From the arrival of somebody until nothing is left of them: the longest story, the last look, the ledger. */
export const FORGOTTEN_AFTER_MS =
  STAGES_MS[0] + STAGES_MS[1] + 2.2 * SURE_MS + STAGES_MS[1] + COOLDOWN_MS + LEDGER_TTL_MS;

export const TERMS: Terms = { stagesMs: STAGES_MS, sureMs: SURE_MS, noticeMs: SURE_MS };

export function timingOf(spanMs: number): Timing {
  return { spanMs, stagesMs: STAGES_MS, sureMs: SURE_MS };
}

/** Everything of ours goes again within minutes, so that what stays is a leak. */
export function settingsOf(redisUrl: string): Record<string, string> {
  return {
    REDIS_URL: redisUrl,
    REKINDLE_STAGES: STAGES_MS.map((ms) => `${ms}ms`).join(','),
    REKINDLE_COOLDOWN: `${COOLDOWN_MS}ms`,
    REKINDLE_LEASE: `${LEASE_MS}ms`,
    REKINDLE_HOT_TTL: '60s',
    REKINDLE_HOT_GRACE: '60s',
    REKINDLE_LEDGER_TTL: `${LEDGER_TTL_MS}ms`,
    REKINDLE_RECONCILE_EVERY: '30s',
    // What the window pushed out would wait for a demotion that there is not.
    REKINDLE_WINDOW: '100',
  };
}
