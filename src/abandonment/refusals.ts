import { UserErasedError } from '../model/errors.ts';
import type { Reading } from '../ports/ledger.ts';
import type { Sessions } from '../ports/sessions.ts';
import { parseConsent } from './facts.ts';

/**
 * Where one user has several sessions, a consent that is withdrawn in one is an opt-out from all. They are not looked at for
 * it, which would take a pass over all keys; nothing of theirs is announced any more, and reconcile closes what is open.
 */
export async function spreadRefusals(
  sessions: Sessions,
  readings: readonly Reading[],
  now: number,
): Promise<void> {
  const { names } = sessions;
  if (!names.several) return;
  const refusals = new Map<string, number>();
  for (const { user, fields, optedOutAt } of readings) {
    const consent = parseConsent(fields?.consent);
    if (consent?.status !== 'no' || names.problemOf(user)) continue;
    const at = Math.min(consent.at ?? now, now);
    // Without a time nobody knows whether it came after an opt-out that stands: that one is kept.
    const isNews = optedOutAt === undefined || (consent.at !== undefined && at > optedOutAt);
    if (isNews) refusals.set(names.userRef(names.ownerOf(user)), at);
  }
  const writes = [...refusals].map(([user, at]) =>
    sessions.write({ user, at, now, activity: false, optedOut: true }),
  );
  for (const outcome of await Promise.allSettled(writes)) {
    // What was withdrawn before the user was erased says nothing of who came back.
    const lost = outcome.status === 'rejected' && !(outcome.reason instanceof UserErasedError);
    if (lost) throw outcome.reason;
  }
}
