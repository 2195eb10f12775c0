/**
 * Does what was announced still hold? Asked at the last moment before somebody acts on it, for much may have happened
 * since: what a look would find now is decided here as it decides, and nothing is written.
 */
import type { CartAbandonedData, Contact, RescueCancelledData } from '../model/event.ts';
import { isoInstant } from '../model/instant.ts';
import type { Clock } from '../ports/clock.ts';
import type { LedgerStore, Reading } from '../ports/ledger.ts';
import { type ContactSettings, contactFor } from './contact.ts';
import type { PolicySettings } from './decision.ts';
import { readFacts } from './facts.ts';
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
