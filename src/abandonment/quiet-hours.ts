import { DateTime, IANAZone } from 'luxon';
import { DAY_MS, MINUTE_MS } from '../model/duration.ts';

/** Minutes of the local day; `fromMinute` may be later than `toMinute`: over midnight. */
export interface QuietHours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/**
 * The instant at which the quiet hours that hold `now` end, or undefined outside them. Local time is the zone's, so
 * the day on which clocks change has quiet hours that are shorter or longer; an end that the clocks jump over is the
 * first instant after it.
 */
export function quietUntil(quiet: QuietHours, zone: string, now: number): number | undefined {
  return keptForMinute(`${zone}|${keyOf(quiet)}`, now, () => computeQuietUntil(quiet, zone, now));
}

/**
 * The same for somebody who is in one of several zones, nobody knows in which: the first instant that is quiet in none
 * of them. Where there is none within two days (Russia and sixteen quiet hours), it is that of `preferred`, if it is
 * one of them, else of the middle one of those, from west to east.
 * @param name of all the zones together
 */
export function quietUntilInAll(
  quiet: QuietHours,
  { name, zones }: { readonly name: string; readonly zones: readonly string[] },
  preferred: string,
  now: number,
): number | undefined {
  return keptForMinute(`${name}|${preferred}|${keyOf(quiet)}`, now, () => {
    const apart = zonesApart(name, zones, now);
    let at = now;
    while (at < now + LONGEST_WAIT_MS) {
      const ends = apart.map((zone) => computeQuietUntil(quiet, zone, at) ?? at);
      const latest = Math.max(...ends);
      if (latest === at) return at === now ? undefined : at;
      at = latest;
    }
    const one = zones.includes(preferred) ? preferred : apart[Math.floor(apart.length / 2)];
    return computeQuietUntil(quiet, one ?? preferred, now);
  });
}

const LONGEST_WAIT_MS = 2 * DAY_MS;

/**
 * One of each kind whose clocks agree for the time that is looked at, from west to east. Found once a day: to ask each zone
 * of the United States took 6 ms.
 */
function zonesApart(name: string, zones: readonly string[], now: number): readonly string[] {
  const day = Math.floor(now / DAY_MS);
  const known = apartOn.get(name);
  if (known?.day === day) return known.apart;
  const kinds = new Map<string, { readonly zone: string; readonly offset: number }>();
  for (const zone of zones) {
    const iana = IANAZone.create(zone);
    const offsets = DAYS_AHEAD.map((days) => iana.offset((day + days) * DAY_MS));
    const key = offsets.join();
    if (!kinds.has(key)) kinds.set(key, { zone, offset: offsets[0] ?? 0 });
  }
  const byOffset = [...kinds.values()].sort((one, other) => one.offset - other.offset);
  const apart = byOffset.map(({ zone }) => zone);
  if (apartOn.size >= ANSWERS_KEPT) apartOn.clear();
  apartOn.set(name, { day, apart });
  return apart;
}

/** From the beginning of the day to behind the longest wait. */
const DAYS_AHEAD = [0, 1, 2, 3, 4];
const apartOn = new Map<string, { readonly day: number; readonly apart: readonly string[] }>();

function keyOf({ fromMinute, toMinute }: QuietHours): string {
  return `${fromMinute}-${toMinute}`;
}

/** The answer holds for the whole minute, and a drained backlog asks it thousands of times in one. */
function keptForMinute(
  key: string,
  now: number,
  compute: () => number | undefined,
): number | undefined {
  const minute = Math.floor(now / MINUTE_MS);
  const known = answers.get(key);
  if (known?.minute === minute) return known.until;
  const until = compute();
  if (answers.size >= ANSWERS_KEPT) answers.clear();
  answers.set(key, { minute, until });
  return until;
}

/** A bound on the memo: there are about 600 IANA zones and 250 countries. */
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
