import { IANAZone } from 'luxon';
import type { Contact } from '../model/event.ts';
import { HOUR_MS } from '../model/duration.ts';
import { FUTURE_TOLERANCE_MS, isoInstant, parseInstant } from '../model/instant.ts';
import type { Facts } from './facts.ts';
import { isHeldOut } from './holdout.ts';
import { zonesOfPhone } from './phone-zones.ts';
import { type QuietHours, quietUntil, quietUntilInAll } from './quiet-hours.ts';

export interface ContactSettings {
  /** Local times between which nobody is contacted; undefined: no quiet hours. */
  readonly quietHours: QuietHours | undefined;
  /** The tenant's IANA time zone, for users whose session names none and whose telephone number tells no country. */
  readonly timezone: string;
  /** As many rescue messages as a user may get within that time, over all episodes; undefined: any number. */
  readonly frequencyCap?: { readonly count: number; readonly windowMs: number } | undefined;
  /** Share of users who are not to be contacted, so that what contacting does can be measured. Default 0. */
  readonly holdout?: number;
  /** Decides which users those are. Default none. */
  readonly holdoutSalt?: string;
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

/** Whether a business may write on this channel only within a service window, but for templates. */
export function hasServiceWindow(channel: string): boolean {
  return SERVICE_WINDOW_MS.has(channel.toLowerCase());
}

/** May the user be contacted, and from when on? Facts as of `now`; the subscriber asks again before it sends. */
export function contactFor(
  user: string,
  facts: Facts,
  settings: ContactSettings,
  now: number,
): Contact {
  const { active_channel: channel, last_inbound_at: lastInbound } = facts.fields;
  const notBefore = settings.quietHours && quietEnd(facts, settings.quietHours, settings, now);
  return {
    ...allowedFor(user, facts, settings, now),
    not_before: notBefore === undefined ? null : isoInstant(notBefore),
    service_window_expires_at: serviceWindow(channel, lastInbound, now),
  };
}

/**
 * The first line that fits is the answer:
 *
 * | the user                                       | allowed | basis                        |
 * |------------------------------------------------|---------|------------------------------|
 * | is held out                                    | no      | `holdout`                    |
 * | said no                                        | no      | as the consent says, `none`  |
 * | opted out of everything                        | no      | `opt_out`                    |
 * | opted out of this channel                      | no      | `opt_out`                    |
 * | said yes, to other channels                    | no      | `scope`                      |
 * | had as many messages lately as the cap allows  | no      | `frequency_cap`              |
 * | said yes                                       | yes     | as the consent says, `none`  |
 * | was not asked                                  | unknown | as the consent says, `none`  |
 *
 * Held out comes first, also before a no: who is held out is drawn whatever they said, and a comparison in which those
 * who said no stood on one side alone would not be one. Where no channel is known, a consent to some covers it not.
 */
function allowedFor(
  user: string,
  { consent, optedOut, optedOutOf, contactedAt, fields }: Facts,
  { holdout = 0, holdoutSalt = '', frequencyCap }: ContactSettings,
  now: number,
): Pick<Contact, 'allowed' | 'basis'> {
  if (isHeldOut(user, holdout, holdoutSalt)) return { allowed: 'no', basis: 'holdout' };
  const said = {
    allowed: consent.status,
    basis: consent.basis === undefined || consent.basis === '' ? 'none' : consent.basis,
  };
  if (consent.status === 'no') return said;
  const channel = fields.active_channel;
  if (optedOut || names([...optedOutOf.keys()], channel))
    return { allowed: 'no', basis: 'opt_out' };
  if (consent.status === 'yes' && consent.scope && !names(consent.scope, channel))
    return { allowed: 'no', basis: 'scope' };
  if (frequencyCap) {
    const since = now - frequencyCap.windowMs;
    const lately = contactedAt.reduce((count, at) => count + (at > since ? 1 : 0), 0);
    if (lately >= frequencyCap.count) return { allowed: 'no', basis: 'frequency_cap' };
  }
  return said;
}

function names(channels: readonly string[], channel: string | undefined): boolean {
  if (channel === undefined || channels.length === 0) return false;
  const wanted = channel.trim().toLowerCase();
  return channels.some((one) => one.trim().toLowerCase() === wanted);
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

/** In the zone of the session; else in every one of the telephone number's country; else in the tenant's. */
function quietEnd(
  { fields }: Facts,
  quiet: QuietHours,
  { timezone: tenants }: ContactSettings,
  now: number,
): number | undefined {
  const { timezone: own, phone } = fields;
  if (own !== undefined && isZone(own)) return quietUntil(quiet, own, now);
  const country = phone === undefined ? undefined : zonesOfPhone(phone);
  return country ? quietUntilInAll(quiet, country, tenants, now) : quietUntil(quiet, tenants, now);
}

/** To try a name takes 200 µs, more than all else of an announcement together. */
function isZone(name: string): boolean {
  // No zone's name is longer; what somebody wrote there may be anything.
  if (name.length > NAME_MAX) return false;
  let valid = zones.get(name);
  if (valid === undefined) {
    valid = IANAZone.isValidZone(name);
    if (zones.size >= ZONES_KEPT) zones.clear();
    zones.set(name, valid);
  }
  return valid;
}

/** A bound on the memo: there are about 600 IANA zones. */
const ZONES_KEPT = 1_000;
const NAME_MAX = 64;
const zones = new Map<string, boolean>();
