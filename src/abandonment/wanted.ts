/**
 * Does what was announced still hold? Asked at the last moment before somebody acts on it, for much may have happened
 * since: what a look would find now is decided here as it decides, and nothing is written.
 */
import type {
  CartAbandonedData,
  Contact,
  RekindleEvent,
  RescueCancelledData,
} from '../model/event.ts';
import { isoInstant } from '../model/instant.ts';
import type { Clock } from '../ports/clock.ts';
import type { LedgerStore, Reading, Recorded } from '../ports/ledger.ts';
import { type ContactSettings, contactFor } from './contact.ts';
import type { PolicySettings } from './decision.ts';
import { parseConsent, readFacts } from './facts.ts';
import { decideOn } from './policy.ts';

/**
 * Why it does not: as its cancellation says; or `overtaken` by a later announcement, `expired` by its `valid_until`, or
 * `unknown`: the user was erased, or there is nothing that could be understood.
 */
export type UnwantedReason = RescueCancelledData['reason'] | 'overtaken' | 'expired' | 'unknown';

/** Whether an announcement still holds: may the user be contacted now, or why does it not? */
export type Wanted =
  | { readonly wanted: true; readonly contact: Contact }
  | { readonly wanted: false; readonly reason: UnwantedReason };

/** Whether an announcement still holds, or why it does not. */
export type Verdict =
  | { readonly wanted: true }
  | { readonly wanted: false; readonly reason: UnwantedReason };

type Announcement = Pick<CartAbandonedData, 'user' | 'episode' | 'stage' | 'valid_until'>;

/**
 * Asks of a batch in one round trip.
 * @param announcements each with the reference of its session, see `SessionNames`
 * @returns one answer for each, in their order
 */
export async function areStillWanted(
  announcements: readonly { readonly ref: string; readonly data: Announcement }[],
  { ledgers, clock }: { readonly ledgers: Pick<LedgerStore, 'read'>; readonly clock: Clock },
  settings: WantedSettings,
): Promise<Wanted[]> {
  const asked = announcements.map(({ ref }) => ref);
  const readings = await ledgers.read(asked, clock.now(), { brief: true });
  // Not before: what has come meanwhile has come.
  const now = clock.now();
  return announcements.map(({ data }, index): Wanted => {
    const reading = readings[index];
    if (!reading) return { wanted: false, reason: 'unknown' };
    const read = readFacts(reading, reading.ledger?.snapshot, now);
    const reason = unwanted(data, reading, read, settings, now);
    if (reason !== undefined) return { wanted: false, reason };
    if ('problem' in read) return { wanted: false, reason: 'unknown' };
    return { wanted: true, contact: contactFor(data.user, read.facts, settings, now) };
  });
}

/**
 * As `areStillWanted`, for whom need not know whether the user may be contacted: in one round trip where nothing has
 * changed since the announcement, which is nearly always, and in two else.
 */
export async function doStillHold(
  announcements: readonly {
    readonly ref: string;
    readonly event: Pick<RekindleEvent<'cart.abandoned'>, 'sequence' | 'data'>;
  }[],
  ports: {
    readonly ledgers: Pick<LedgerStore, 'read' | 'unchanged'>;
    readonly clock: Clock;
  },
  settings: WantedSettings,
): Promise<Verdict[]> {
  const { ledgers, clock } = ports;
  const recorded: Recorded[] = [];
  const askedAt = clock.now();
  const asked = announcements.map(({ ref, event }) => {
    const one = recordedAs(ref, event, settings, askedAt);
    if (one) recorded.push(one);
    return one !== undefined;
  });
  const consents = recorded.length > 0 ? await ledgers.unchanged(recorded) : [];
  const now = clock.now();
  let answered = 0;
  const changed: (typeof announcements)[number][] = [];
  const verdicts = announcements.map((announcement, index): Verdict | undefined => {
    const consent = asked[index] ? consents[answered++] : undefined;
    if (consent !== undefined && isNoRefusal(consent)) {
      const { valid_until: until } = announcement.event.data;
      return now < Date.parse(until) ? WANTED : { wanted: false, reason: 'expired' };
    }
    changed.push(announcement);
    return undefined;
  });
  if (changed.length === 0) return verdicts as Verdict[];
  const others = await areStillWanted(
    changed.map(({ ref, event: { data } }) => ({ ref, data })),
    ports,
    settings,
  );
  let told = 0;
  return verdicts.map((verdict) => verdict ?? others[told++] ?? UNKNOWN);
}

const WANTED: Verdict = { wanted: true };
const UNKNOWN: Verdict = { wanted: false, reason: 'unknown' };

/**
 * What the store is to compare; undefined where more than a change could have ended it: the settings are not those that it
 * was announced by.
 */
function recordedAs(
  user: string,
  { sequence: text, data }: Pick<RekindleEvent<'cart.abandoned'>, 'sequence' | 'data'>,
  { stagesMs, cooldownMs }: PolicySettings,
  now: number,
): Recorded | undefined {
  const { stage, cart } = data;
  const activityAt = Date.parse(data.last_activity);
  const sequence = Number(text);
  const ownMs = stagesMs[stage];
  if (ownMs === undefined || !cart.items?.length || !Number.isSafeInteger(sequence))
    return undefined;
  // As `judgeStages` gives it. Till then no look announces anything, nor closes what nobody ended.
  const endsMs = stagesMs[stage + 1] ?? ownMs + cooldownMs;
  if (Date.parse(data.valid_until) !== activityAt + endsMs || activityAt > now) return undefined;
  return { user, sequence, activityAt, cart: JSON.stringify(cart.items) };
}

function isNoRefusal(text: string): boolean {
  const consent = parseConsent(text);
  return consent !== undefined && consent.status !== 'no';
}

export type WantedSettings = PolicySettings & ContactSettings;

/** Why what was announced does not hold any more; undefined: it does. */
function unwanted(
  { episode, stage, valid_until }: Announcement,
  reading: Reading,
  read: ReturnType<typeof readFacts>,
  settings: PolicySettings,
  now: number,
): UnwantedReason | undefined {
  if (now >= Date.parse(valid_until)) return 'expired';
  if (!reading.ledger) return 'unknown';
  const {
    ledger = reading.ledger,
    events,
    problem,
  } = decideOn(read, reading, reading.ledger, settings, now);
  if (problem) return 'unknown';
  for (const event of events)
    if (event.type === 'cart.rescue_cancelled' && isoInstant(event.episode) === episode)
      return event.reason;
  const { episode: open, lastEpisode = NaN, closed } = ledger;
  if (open && isoInstant(open.openedAt) === episode) {
    if (open.outstanding?.n === stage) return undefined;
    // What ends more than an announcement closes its episode.
    return open.outstanding ? 'overtaken' : 'resumed';
  }
  if (open || !closed || isoInstant(lastEpisode) !== episode) return 'overtaken';
  return closed.why === 'cooled_down' ? 'expired' : closed.why;
}
