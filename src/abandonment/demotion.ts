/**
 * When is a session taken to warm?
 *
 *   ours      lead before its logical end ─▶ copied; at its end ─▶ copied and deleted
 *   others'   lead before its TTL ─▶ copied, and again for every TTL that it is given anew
 *   either    what its window pushed out fills a segment, or has outlived the session ─▶ copied
 *
 * The demoter does it (src/tiers/demote.ts); here it is queued, and queued again if nothing came of it.
 */
import { SEGMENT_MESSAGES } from '../model/conversation.ts';
import { HOUR_MS, MINUTE_MS } from '../model/duration.ts';
import type { Ledger } from '../model/ledger.ts';
import { logicalEnd, parseOwnMarks } from '../model/session.ts';
import type { Decision, PolicySettings } from './decision.ts';
import type { Sighting } from './facts.ts';
import { rememberExpiry } from './sight.ts';

/** The queue: a job is named by its user. */
export const DEMOTION = 'demotion';

/** What was queued so long ago and has not shown is queued again: the queue may have lost it. A repeat does no harm. */
const QUEUED_AGAIN_MS = HOUR_MS;

/** What could not be queued is tried again after this. */
const NOT_QUEUED_RETRY_MS = MINUTE_MS;

interface Plan {
  readonly queue: boolean;
  readonly nextAt: number | undefined;
}

/** Decides whether a demotion is queued now, and notes it in the ledger. */
export function planDemotion(
  sighting: Sighting,
  before: Ledger | undefined,
  draft: Ledger,
  activityAt: number,
  settings: PolicySettings,
  now: number,
): Plan {
  const { fields, overflow } = sighting;
  const marks = parseOwnMarks(fields?.rekindle);
  const plan = marks
    ? planOwn(draft, logicalEnd(marks, activityAt, settings.hotTtlMs), settings, now)
    : planOthers(sighting, before, draft, settings, now);
  const full = overflow >= SEGMENT_MESSAGES || (overflow > 0 && !fields);
  return full ? { ...plan, queue: true } : plan;
}

function planOwn(
  draft: Ledger,
  endsAt: number,
  { hotTtlMs, demoteLeadMs }: PolicySettings,
  now: number,
): Plan {
  const copyAt = endsAt - Math.min(demoteLeadMs, Math.floor(hotTtlMs / 2));
  if (now < copyAt) {
    delete draft.demotion;
    return { queue: false, nextAt: copyAt === Infinity ? undefined : copyAt };
  }
  const dueAt = now < endsAt ? copyAt : endsAt;
  const queued = draft.demotion?.dueAt === dueAt && draft.demotion.queuedAt !== undefined;
  const queue = !queued || isOverdue(draft, now);
  if (queue) draft.demotion = { dueAt, queuedAt: now };
  return { queue, nextAt: now < endsAt ? endsAt : againAt(draft) };
}

function planOthers(
  { expiresAt, fields }: Sighting,
  before: Ledger | undefined,
  draft: Ledger,
  { demoteLeadMs }: PolicySettings,
  now: number,
): Plan {
  if (!fields || expiresAt === undefined) {
    delete draft.demotion;
    return { queue: false, nextAt: undefined };
  }
  rememberExpiry(draft, expiresAt, now);
  if (draft.demotion === undefined || draft.expiresAt !== before?.expiresAt) {
    const leftMs = expiresAt - now;
    draft.demotion = { dueAt: now + Math.max(leftMs - demoteLeadMs, Math.floor(leftMs / 2)) };
  }
  const { dueAt, queuedAt } = draft.demotion;
  if (now < dueAt) return { queue: false, nextAt: dueAt };
  if (queuedAt === undefined || isOverdue(draft, now)) draft.demotion = { dueAt, queuedAt: now };
  // From then on every look copies: it comes because somebody wrote.
  const nextAt = againAt(draft);
  return { queue: true, nextAt: nextAt !== undefined && nextAt < expiresAt ? nextAt : undefined };
}

function againAt({ demotion }: Ledger): number | undefined {
  return demotion?.queuedAt === undefined ? undefined : demotion.queuedAt + QUEUED_AGAIN_MS;
}

function isOverdue(draft: Ledger, now: number): boolean {
  return now >= (againAt(draft) ?? Infinity);
}

/** The decision, where its demotion could not be queued: the ledger must not say that it was. */
export function withoutDemotion(
  decision: Decision,
  before: Ledger | undefined,
  now: number,
): Decision {
  const { ledger } = decision;
  const retryAt = now + NOT_QUEUED_RETRY_MS;
  const { demotion: _queued, ...rest } = ledger ?? {};
  const planned = before?.demotion ?? (ledger?.demotion && { dueAt: ledger.demotion.dueAt });
  return {
    ...decision,
    ledger: ledger && ({ ...rest, ...(planned && { demotion: planned }) } as Ledger),
    nextAt: Math.min(decision.nextAt ?? retryAt, retryAt),
  };
}
