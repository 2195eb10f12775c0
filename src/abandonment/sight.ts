/** What the ledger remembers of a session for the time when it is gone, and when a session of others is copied. */
import { HOUR_MS, SECOND_MS } from '../model/duration.ts';
import type { Ledger } from '../model/ledger.ts';
import { type SessionFields, parseOwnMarks } from '../model/session.ts';
import type { Look, PolicySettings } from './decision.ts';
import type { Sighting } from './facts.ts';

/** A later expiry is recorded when it moved by more than this part of the time left, so that a sliding TTL is not a write a look. */
const EXPIRY_DRIFT = 1 / 16;

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
      facts.expiresAt < lastStageDueAt + HOUR_MS;
    if (outlived) draft.snapshot = snapshotOf(facts.fields);
    else delete draft.snapshot;
  } else if (!draft.episode) {
    draft.cart = '';
    delete draft.snapshot;
  }
}

function snapshotOf(fields: SessionFields): Record<string, string> {
  const { last_activity: _activity, rekindle: _marks, ...kept } = fields;
  return kept;
}

function rememberExpiry(draft: Ledger, expiresAt: number | undefined, now: number): void {
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

/**
 * Decides whether a session of others is copied now, and plans the copy in the ledger: well before its TTL, and again
 * for every TTL that it is given anew.
 */
export function planCopy(
  { expiresAt, fields }: Sighting,
  before: Ledger | undefined,
  draft: Ledger,
  settings: PolicySettings,
  now: number,
): boolean {
  if (!fields || expiresAt === undefined || parseOwnMarks(fields.rekindle)) {
    delete draft.copyAt;
    return false;
  }
  rememberExpiry(draft, expiresAt, now);
  if (draft.copyAt === undefined || draft.expiresAt !== before?.expiresAt) {
    const leftMs = expiresAt - now;
    draft.copyAt = now + Math.max(leftMs - settings.demoteLeadMs, Math.floor(leftMs / 2));
  }
  // From then on every look copies: it comes because somebody wrote.
  if (now >= draft.copyAt) draft.copyAt = 0;
  return draft.copyAt === 0;
}
