import { DateTime, IANAZone } from 'luxon';
import type { Contact } from '../model/event.ts';
import { HOUR_MS, MINUTE_MS } from '../model/duration.ts';
import { FUTURE_TOLERANCE_MS, isoInstant, parseInstant } from '../model/instant.ts';
import type { Facts } from './facts.ts';

export interface ContactSettings {
  /** Local times between which nobody is contacted; undefined: no quiet hours. */
  readonly quietHours: QuietHours | undefined;
  /** The tenant's IANA time zone, for users whose session names none. */
  readonly timezone: string;
}

/** Minutes of the local day; `fromMinute` may be later than `toMinute`: over midnight. */
export interface QuietHours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/**
 * Channels on which a business may write freely only for a while after the user's latest message; afterwards a
 * template is needed. 24 hours, by the platforms' rules for business messaging.
 */
const SERVICE_WINDOW_MS: ReadonlyMap<string, number> = new Map([
  ['whatsapp', 24 * HOUR_MS],
  ['messenger', 24 * HOUR_MS],
  ['instagram', 24 * HOUR_MS],
]);

/** May the user be contacted, and from when on? Facts as of `now`; the subscriber asks again before it sends. */
export function contactFor(facts: Facts, settings: ContactSettings, now: number): Contact {
  const { consent, fields } = facts;
  const { basis = '' } = consent;
  const channel = fields.active_channel;
  const covered =
    consent.scope === undefined || (channel !== undefined && consent.scope.includes(channel));
  const notBefore =
    settings.quietHours && quietUntil(settings.quietHours, zoneOf(facts, settings), now);
  return {
    allowed: consent.status === 'yes' && !covered ? 'no' : consent.status,
    basis: consent.status === 'yes' && !covered ? 'scope' : basis === '' ? 'none' : basis,
    not_before: notBefore === undefined ? null : isoInstant(notBefore),
    service_window_expires_at: serviceWindow(fields.active_channel, fields.last_inbound_at, now),
  };
}

function serviceWindow(
  channel: string | undefined,
  lastInbound: string | undefined,
  now: number,
): string | null {
  const windowMs = SERVICE_WINDOW_MS.get(channel?.toLowerCase() ?? '');
  const inboundAt = lastInbound === undefined ? undefined : parseInstant(lastInbound);
  if (windowMs === undefined || inboundAt === undefined) return null;
  // Nobody can rely on a window that opens one day, least of all on one that no event can hold.
  return inboundAt > now + FUTURE_TOLERANCE_MS ? null : isoInstant(inboundAt + windowMs);
}

function zoneOf(facts: Facts, settings: ContactSettings): string {
  const own = facts.fields.timezone;
  return own !== undefined && IANAZone.isValidZone(own) ? own : settings.timezone;
}

/**
 * The instant at which the quiet hours that hold `now` end, or undefined outside them. Local time is the zone's, so
 * the day on which clocks change has quiet hours that are an hour shorter or longer; an end that the clocks jump over
 * is the first instant after it.
 */
export function quietUntil(quiet: QuietHours, zone: string, now: number): number | undefined {
  // The answer holds for the whole minute, and a drained backlog asks it thousands of times in one.
  const key = `${zone}|${String(quiet.fromMinute)}-${String(quiet.toMinute)}`;
  const minute = Math.floor(now / MINUTE_MS);
  const known = answers.get(key);
  if (known?.minute === minute) return known.until;
  const until = computeQuietUntil(quiet, zone, now);
  if (answers.size >= ANSWERS_KEPT) answers.clear();
  answers.set(key, { minute, until });
  return until;
}

/** A bound on the memo: there are about 600 IANA zones. */
const ANSWERS_KEPT = 1_000;
const answers = new Map<string, { readonly minute: number; readonly until: number | undefined }>();

function computeQuietUntil(quiet: QuietHours, zone: string, now: number): number | undefined {
  const local = DateTime.fromMillis(now, { zone });
  const minute = local.hour * 60 + local.minute;
  const { fromMinute, toMinute } = quiet;
  const overMidnight = fromMinute > toMinute;
  const inside = overMidnight
    ? minute >= fromMinute || minute < toMinute
    : minute >= fromMinute && minute < toMinute;
  if (!inside) return undefined;
  const endsTomorrow = overMidnight && minute >= fromMinute;
  const day = endsTomorrow ? local.plus({ days: 1 }) : local;
  const end = day.set({
    hour: Math.floor(toMinute / 60),
    minute: toMinute % 60,
    second: 0,
    millisecond: 0,
  });
  return (end.hour * 60 + end.minute === toMinute ? end : startOfOffset(end)).toMillis();
}

/** Luxon takes a time that the clocks jump over for one as far behind the jump as it is behind the jump's start. */
function startOfOffset(behindJump: DateTime): DateTime {
  let at = behindJump;
  for (let before = at; before.offset === at.offset; before = at.minus({ minutes: 1 })) at = before;
  return at;
}
