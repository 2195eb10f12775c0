/**
 * When is a quiet cart announced?
 *
 *   no episode ──an item is added──▶ open ──idle ≥ stage n──▶ announced n ──idle ≥ stage n+1──▶ …
 *                                     ▲                           │
 *                                     └───── the user returns ◀───┘  cancelled once; the next silence goes on with n+1
 *
 *   open, announced ──order · emptied · opt-out · ended · last stage + cool-down──▶ no episode
 *
 * Pure: no I/O, no clock, no randomness. What is due at an instant happens before the activity of that instant.
 * Looks may come late or twice, with crashes between them: due instants, validity and identities derive from what stands
 * in the session and the ledger, never from when the look happened, so a repeated look finds nothing new.
 */
import { cartValue, digestShowsAddition } from '../model/cart.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import { type CloseReason, type Episode, type Ledger, encodeLedger } from '../model/ledger.ts';
import type { Problem } from '../model/problem.ts';
import { type SessionFields, parseOwnMarks } from '../model/session.ts';
import { type Facts, type Sighting, readFacts } from './facts.ts';

export interface PolicySettings {
  /** Thresholds of inactivity, ascending; at least one. */
  readonly stagesMs: readonly number[];
  /** How long after the last stage an episode stays closed to further announcements. */
  readonly cooldownMs: number;
  /** A cart below this value is not announced. */
  readonly minCartValue: number;
  /** How long before its TTL a session of others is copied; half the TTL where that is shorter. */
  readonly demoteLeadMs: number;
}

export type CancelReason = 'resumed' | Exclude<CloseReason, 'cooled_down'>;

/** An event as the policy means it; `events.ts` gives it its wire form. */
export type EventDraft =
  | {
      readonly type: 'cart.abandoned';
      readonly episode: number;
      readonly stage: number;
      readonly sequence: number;
      readonly activityAt: number;
      readonly validUntil: number;
      readonly facts: Facts;
    }
  | {
      readonly type: 'cart.rescue_cancelled';
      readonly episode: number;
      readonly stage: number;
      readonly sequence: number;
      readonly activityAt: number;
      readonly reason: CancelReason;
    };

export interface Decision {
  /** The ledger to write; undefined when there is nothing new to record. */
  readonly ledger: Ledger | undefined;
  readonly events: readonly EventDraft[];
  /** Copy the session of others now, its TTL is near. */
  readonly copy: boolean;
  /** Why the session is (still) in quarantine. */
  readonly problem: Problem | undefined;
  /** When to look next; undefined: when somebody touches the session. */
  readonly nextAt: number | undefined;
}

/** A `last_activity` further ahead than any clock is off counts as the instant it was first seen. */
const FUTURE_TOLERANCE_MS = 5 * MINUTE_MS;

/** A later expiry is recorded when it moved by more than this part of the time left, so that a sliding TTL is not a write a look. */
const EXPIRY_DRIFT = 1 / 16;

const BLANK: Ledger = { activityAt: 0, sequence: 0, cart: '' };

/** What one look works with; `draft` is the ledger being written. */
interface Look {
  readonly facts: Facts;
  readonly draft: Ledger;
  readonly events: EventDraft[];
  readonly settings: PolicySettings;
  readonly now: number;
  readonly firstSight: boolean;
  readonly orderCame: boolean;
  /** Latest activity of the user, as this look counts it; 0: none yet. */
  readonly activityAt: number;
}

/**
 * Decides what one look records and does.
 *
 * @param sighting what the hot tier tells of the user
 * @param before the ledger as it stands; undefined when the user has none
 * @param now Unix milliseconds
 */
export function decide(
  sighting: Sighting,
  before: Ledger | undefined,
  settings: PolicySettings,
  now: number,
): Decision {
  const draft: Ledger = before ? copyOf(before) : { ...BLANK };
  const read = readFacts(sighting, before?.snapshot);
  if ('problem' in read) return quarantined(read.problem, sighting, before, draft, settings, now);

  delete draft.problem;
  const { facts } = read;
  const look: Look = {
    facts,
    draft,
    events: [],
    settings,
    now,
    firstSight: before === undefined,
    orderCame: facts.present && facts.orderAt !== undefined && facts.orderAt !== before?.orderAt,
    activityAt: facts.present ? seenActivity(facts, draft, now) : draft.activityAt,
  };
  closeEpisode(look);
  openEpisode(look);
  judgeStages(look);
  // Last, for it keeps less where no episode is open any more.
  rememberSight(look);
  const copy = planCopy(sighting, before, draft, settings, now);
  return {
    ledger: worthRecording(look, before) ? { ...draft, activityAt: look.activityAt } : undefined,
    events: look.events,
    copy,
    problem: undefined,
    nextAt: earliest(nextLook(look), draft.copyAt === 0 ? undefined : draft.copyAt),
  };
}

/** As deep as a look changes it; structuredClone takes five times as long, which was 7 % of a drain. */
function copyOf(ledger: Ledger): Ledger {
  const { episode } = ledger;
  return episode
    ? { ...ledger, episode: { ...episode, stages: [...episode.stages] } }
    : { ...ledger };
}

function quarantined(
  problem: Problem,
  sighting: Sighting,
  before: Ledger | undefined,
  draft: Ledger,
  settings: PolicySettings,
  now: number,
): Decision {
  draft.problem = { reason: problem.reason, digest: sighting.digest };
  // Not understood is no reason to let it expire uncopied.
  const copy = planCopy(sighting, before, draft, settings, now);
  const changed = !before || encodeLedger(draft) !== encodeLedger(before);
  return {
    // A ledger that cannot be read is not overwritten: it is the problem's evidence.
    ledger: changed && problem.reason !== 'ledger_unreadable' ? draft : undefined,
    events: [],
    copy,
    problem,
    nextAt: draft.copyAt === 0 ? undefined : draft.copyAt,
  };
}

function seenActivity(facts: Facts, draft: Ledger, now: number): number {
  const raw = facts.fields.last_activity;
  if (facts.activityAt === undefined || raw === undefined) return draft.activityAt;
  // Also when its instant has come: nothing happened then.
  if (draft.future?.raw === raw) return draft.future.seenAt;
  delete draft.future;
  if (facts.activityAt <= now + FUTURE_TOLERANCE_MS) return facts.activityAt;
  draft.future = { raw, seenAt: now };
  return now;
}

/** The library's own notes on the cart, unless another program changed the cart since. */
function cartLife(
  facts: Facts,
): { openedAt: number | undefined; addedAt: number | undefined } | undefined {
  const { marks } = facts;
  if (marks?.cartDigest !== facts.cartDigest) return undefined;
  return { openedAt: marks.cartOpenedAt, addedAt: marks.cartAddedAt };
}

function closeEpisode(look: Look): void {
  const { facts, draft, now, activityAt } = look;
  const { episode } = draft;
  if (!episode) return;
  const closesAt = episode.closesAt ?? Number.POSITIVE_INFINITY;
  // The cool-down's end came first: whatever the user did afterwards cancels nothing.
  if (closesAt <= Math.min(now, activityAt)) {
    close(look, episode, 'cooled_down');
    return;
  }
  const reason = reasonToClose(look, episode);
  if (reason) {
    close(look, episode, reason);
    return;
  }
  const life = cartLife(facts);
  if (life?.openedAt !== undefined) episode.life = life.openedAt;
  if (episode.outstanding && activityAt > episode.outstanding.activityAt)
    cancel(look, episode, 'resumed');
  if (closesAt <= now) close(look, episode, 'cooled_down');
}

function reasonToClose(
  { facts, draft, now, orderCame }: Look,
  episode: Episode,
): Exclude<CloseReason, 'cooled_down'> | undefined {
  if (facts.optedOut) return 'opted_out';
  if (!facts.present) {
    const expired = draft.expiresAt !== undefined && now >= draft.expiresAt - SECOND_MS;
    // After the last stage nothing of it is needed any more: it waits for the end of the cool-down.
    return expired && (draft.snapshot || episode.closesAt !== undefined) ? undefined : 'ended';
  }
  if (facts.marks?.endedAt !== undefined) return 'ended';
  if (orderCame) return 'ordered';
  const life = cartLife(facts);
  const refilled =
    life !== undefined && episode.life !== undefined && life.openedAt !== episode.life;
  return facts.cart.length === 0 || refilled ? 'emptied' : undefined;
}

function close(look: Look, episode: Episode, why: CloseReason): void {
  if (why !== 'cooled_down') cancel(look, episode, why);
  look.draft.closed = {
    at: closedAt(look, episode, why),
    why,
    ...(episode.life !== undefined && { life: episode.life }),
  };
  delete look.draft.episode;
}

/** An addition from this instant on opens the next episode, even if both are seen by the same look. */
function closedAt({ facts, now }: Look, episode: Episode, why: CloseReason): number {
  if (why === 'cooled_down') return episode.closesAt ?? now;
  return why === 'ordered' && facts.orderAt !== undefined
    ? Math.min(coveredUntil(facts.orderAt) + 1, now)
    : now;
}

/** The last instant whose additions an order covers: one noted in whole seconds may have come at any time in its second. */
function coveredUntil(orderAt: number): number {
  return orderAt % SECOND_MS === 0 ? orderAt + SECOND_MS - 1 : orderAt;
}

/** One cancellation an announcement: whatever happens next, the rescue agent has been called back. */
function cancel(look: Look, episode: Episode, reason: CancelReason): void {
  if (!episode.outstanding) return;
  look.events.push({
    type: 'cart.rescue_cancelled',
    episode: episode.openedAt,
    stage: episode.outstanding.n,
    sequence: nextSequence(look),
    activityAt: look.activityAt,
    reason,
  });
  delete episode.outstanding;
}

/** Starts from the time, so that it grows even if a ledger is lost. */
function nextSequence({ draft, now }: Look): number {
  draft.sequence = Math.max(draft.sequence + 1, now);
  return draft.sequence;
}

function openEpisode(look: Look): void {
  const { facts, draft, activityAt } = look;
  if (draft.episode || !facts.present || facts.cart.length === 0 || activityAt === 0) return;
  if (facts.optedOut || facts.marks?.endedAt !== undefined) return;
  const openedAt = additionSince(look);
  if (openedAt === undefined) return;
  const life = cartLife(facts)?.openedAt;
  // Identities never restart: a closed episode's is never given again, whatever the clocks say.
  const identity = Math.max(openedAt, (draft.lastEpisode ?? 0) + 1);
  draft.lastEpisode = identity;
  draft.episode = { openedAt: identity, stages: [], ...(life !== undefined && { life }) };
}

/** The instant of an addition to the cart that no episode and no order covers, or undefined. */
function additionSince({
  facts,
  draft,
  firstSight,
  orderCame,
  activityAt,
}: Look): number | undefined {
  const life = cartLife(facts);
  const { closed } = draft;
  const seenAddition = firstSight || digestShowsAddition(draft.cart, facts.cartDigest);
  if (life) {
    if (life.openedAt === undefined) return undefined;
    // An order that another program noted: the library's own ends the life of the cart.
    const { orderAt = 0 } = facts;
    if (life.openedAt < orderAt && (life.addedAt ?? 0) <= coveredUntil(orderAt)) return undefined;
    if (closed?.life !== life.openedAt) return life.openedAt;
    if (life.addedAt !== undefined && life.addedAt >= closed.at) return life.addedAt;
    // The library saw no addition where another program emptied the cart in between.
    return closed.why === 'emptied' && seenAddition ? activityAt : undefined;
  }
  // Others leave no notes: a cart first seen after an order counts as left behind, else what was not seen before is new.
  if (orderCame) return undefined;
  return seenAddition ? activityAt : undefined;
}

function rememberSight({ facts, draft, activityAt, now, settings }: Look): void {
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

function judgeStages(look: Look): void {
  const { draft, settings, now, activityAt, facts } = look;
  const { episode } = draft;
  if (!episode) return;
  const { stagesMs, cooldownMs } = settings;
  const next = nextStage(episode);
  const due = stagesMs.findLastIndex((thresholdMs) => now - activityAt >= thresholdMs);
  const dueAt = (n: number): number => activityAt + (stagesMs[n] ?? 0);
  if (next >= stagesMs.length && episode.closesAt === undefined) {
    // Fewer stages are set than were when it was announced.
    episode.closesAt = dueAt(stagesMs.length - 1) + cooldownMs;
    if (episode.closesAt <= now) close(look, episode, 'cooled_down');
  }
  if (due < next) return;

  const isLast = due === stagesMs.length - 1;
  const validUntil = isLast ? dueAt(due) + cooldownMs : dueAt(due + 1);
  const tooLate = now >= validUntil;
  if (!tooLate && cartValue(facts.cart) < settings.minCartValue) return;

  for (let n = next; n < due; n += 1) episode.stages.push({ n, at: dueAt(n), as: 's' });
  episode.stages.push({ n: due, at: dueAt(due), as: tooLate ? 's' : 'a' });
  if (isLast) episode.closesAt = validUntil;
  if (tooLate) {
    close(look, episode, 'cooled_down');
    return;
  }
  episode.outstanding = { n: due, activityAt };
  look.events.push({
    type: 'cart.abandoned',
    episode: episode.openedAt,
    stage: due,
    sequence: nextSequence(look),
    activityAt,
    validUntil,
    facts,
  });
}

function nextStage(episode: Episode): number {
  const last = episode.stages.at(-1);
  return last ? last.n + 1 : 0;
}

/**
 * Decides whether a session of others is copied now, and plans the copy in the ledger: well before its TTL, and again
 * for every TTL that it is given anew.
 */
function planCopy(
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

function nextLook({ draft, facts, settings, now, activityAt }: Look): number | undefined {
  const { episode } = draft;
  const firstMs = settings.stagesMs[0] ?? 0;
  // Whatever the stage: so further touches change nothing, and only a silent user waits for something later.
  if (facts.present && activityAt > 0 && now < activityAt + firstMs) {
    return earliest(activityAt + firstMs, episode?.closesAt);
  }
  if (!episode) return undefined;
  const laterMs = settings.stagesMs
    .slice(nextStage(episode))
    .find((thresholdMs) => activityAt + thresholdMs > now);
  if (laterMs !== undefined) return earliest(activityAt + laterMs, episode.closesAt);
  return episode.closesAt ?? activityAt + Math.max(...settings.stagesMs) + settings.cooldownMs;
}

/** The latest activity alone is no news, unless the session may be gone when it is next needed. */
function worthRecording({ draft, activityAt }: Look, before: Ledger | undefined): boolean {
  if (encodeLedger(draft) !== encodeLedger(before ?? BLANK)) return true;
  return draft.snapshot !== undefined && draft.activityAt !== activityAt;
}

function earliest(...instants: readonly (number | undefined)[]): number | undefined {
  const known = instants.filter((instant) => instant !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
