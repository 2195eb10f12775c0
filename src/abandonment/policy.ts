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
import { cartValue } from '../model/cart.ts';
import { FUTURE_TOLERANCE_MS, parseInstant } from '../model/instant.ts';
import { type Episode, type Ledger, sameLedger } from '../model/ledger.ts';
import type { Problem } from '../model/problem.ts';
import type { SessionFields } from '../model/session.ts';
import type { Decision, EventDraft, Look, PolicySettings } from './decision.ts';
import { close, closeEpisode, nextSequence, openEpisode } from './episode.ts';
import { takeNotes } from './notes.ts';
import { type Sighting, readFacts } from './facts.ts';
import { planDemotion } from './demotion.ts';
import { rememberSight } from './sight.ts';

const BLANK: Ledger = { activityAt: 0, sequence: 0, cart: '' };

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
  return decideOn(readFacts(sighting, before?.snapshot, now), sighting, before, settings, now);
}

/** As `decide`, for whom needs the facts as well. @param read what `readFacts` gave of the sighting */
export function decideOn(
  read: ReturnType<typeof readFacts>,
  sighting: Sighting,
  before: Ledger | undefined,
  settings: PolicySettings,
  now: number,
): Decision {
  const draft: Ledger = before ? copyOf(before) : { ...BLANK };
  const events: EventDraft[] = [];
  takeNotes({ draft, events, now }, sighting.notes ?? []);
  if ('problem' in read) {
    const judged = quarantined(read.problem, sighting, before, draft, settings, now);
    return { ...judged, events };
  }

  delete draft.problem;
  const { facts } = read;
  const look: Look = {
    facts,
    draft,
    events,
    settings,
    now,
    firstSight: before === undefined,
    orderCame: facts.present && facts.orderAt !== undefined && facts.orderAt !== before?.orderAt,
    activityAt: facts.present
      ? seenActivity(facts.fields.last_activity, facts.activityAt, draft, now)
      : draft.activityAt,
  };
  closeEpisode(look);
  openEpisode(look);
  judgeStages(look);
  // Last, for it keeps less where no episode is open any more.
  rememberSight(look);
  const demotion = planDemotion(sighting, before, draft, look.activityAt, settings, now);
  return {
    // A note is taken by writing the ledger that it stands beside.
    ledger:
      worthRecording(look, before) || sighting.notes?.length
        ? { ...draft, activityAt: look.activityAt }
        : undefined,
    events: look.events,
    demote: demotion.queue,
    problem: undefined,
    nextAt: earliest(nextLook(look), demotion.nextAt),
  };
}

/** As deep as a look changes it; structuredClone takes 2 µs, which was 7 % of a drain's client time. */
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
  const activityAt = parseInstant(sighting.fields?.last_activity ?? '') ?? draft.activityAt;
  const demotion = planDemotion(sighting, before, draft, Math.min(activityAt, now), settings, now);
  // Nor to forget that the user was there: later stages may be judged when the session is gone.
  const raw = sighting.fields?.last_activity;
  if (draft.episode && raw !== undefined)
    draft.activityAt = seenActivity(raw, parseInstant(raw), draft, now);
  // And what was seen before says nothing of an order or a consent that came since.
  if (draft.snapshot && decidedSince(sighting.fields, draft.snapshot)) delete draft.snapshot;
  const changed = !before || !sameLedger(draft, before) || !!sighting.notes?.length;
  return {
    // A ledger that cannot be read is not overwritten: it is the problem's evidence.
    ledger: changed && problem.reason !== 'ledger_unreadable' ? draft : undefined,
    events: [],
    demote: demotion.queue,
    problem,
    nextAt: demotion.nextAt,
  };
}

function decidedSince(fields: SessionFields | undefined, snapshot: SessionFields): boolean {
  return (['last_order_at', 'consent'] as const).some(
    (name) => fields?.[name] !== undefined && fields[name] !== snapshot[name],
  );
}

function seenActivity(
  raw: string | undefined,
  activityAt: number | undefined,
  draft: Ledger,
  now: number,
): number {
  if (raw === undefined || activityAt === undefined) return draft.activityAt;
  // Also when its instant has come: nothing happened then.
  if (draft.future?.raw === raw) return draft.future.seenAt;
  delete draft.future;
  // Further ahead it counts as the instant it was first seen.
  if (activityAt <= now + FUTURE_TOLERANCE_MS) return activityAt;
  draft.future = { raw, seenAt: now };
  return now;
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
  if (!tooLate && settings.minCartValue > 0 && cartValue(facts.cart) < settings.minCartValue)
    return;

  for (let n = next; n < due; n += 1) episode.stages.push({ n, at: dueAt(n), as: 's' });
  episode.stages.push({ n: due, at: dueAt(due), as: tooLate ? 's' : 'a' });
  if (isLast) episode.closesAt = validUntil;
  if (tooLate) {
    close(look, episode, 'cooled_down');
    return;
  }
  episode.outstanding = { n: due, activityAt };
  episode.value = cartValue(facts.cart);
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
  if (!sameLedger(draft, before ?? BLANK)) return true;
  return draft.snapshot !== undefined && draft.activityAt !== activityAt;
}

function earliest(...instants: readonly (number | undefined)[]): number | undefined {
  const known = instants.filter((instant) => instant !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
