/** What the ledger remembers of a session for the time when it is gone. */
import { DAY_MS, SECOND_MS } from '../model/duration.ts';
import type { Ledger } from '../model/ledger.ts';
import { snapshotOf } from '../model/session.ts';
import type { Look } from './decision.ts';

/** A later expiry is recorded when it moved by more than this part of the time left, so that a sliding TTL is not a write a look. */
const EXPIRY_DRIFT = 1 / 16;

/** Whoever is told of the last stage in the quiet hours asks again when they are over, and is answered by what is kept. */
const ANSWERED_WITHIN_MS = DAY_MS;

export function rememberSight({ facts, draft, activityAt, now, settings }: Look): void {
  if (facts.present) {
    draft.cart = facts.cartDigest;
    if (facts.orderAt !== undefined) draft.orderAt = facts.orderAt;
    // Without a cart nothing can end early, so its expiry is nobody's news.
    if (draft.episode) rememberExpiry(draft, facts.expiresAt, now);
    const lastStageDueAt = activityAt + Math.max(...settings.stagesMs);
    const outlived =
      draft.episode !== undefined &&
      facts.expiresAt !== undefined &&
      facts.expiresAt < lastStageDueAt + ANSWERED_WITHIN_MS;
    if (outlived) draft.snapshot = snapshotOf(facts.fields);
    else delete draft.snapshot;
  } else if (!draft.episode) {
    draft.cart = '';
    delete draft.snapshot;
  }
}

/** Keeps what is known of the TTL, up to a drift that is no news. */
export function rememberExpiry(draft: Ledger, expiresAt: number | undefined, now: number): void {
  if (expiresAt === undefined) {
    delete draft.expiresAt;
    return;
  }
  const drift = expiresAt - (draft.expiresAt ?? 0);
  // An earlier one always: else the session would seem to have ended before its time.
  const noticed =
    drift < -SECOND_MS || drift > Math.max(SECOND_MS, (expiresAt - now) * EXPIRY_DRIFT);
  if (noticed) draft.expiresAt = expiresAt;
}
