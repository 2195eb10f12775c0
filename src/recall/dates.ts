/** The times that a text speaks of, as spans of days in UTC. */
import { DAY_MS } from '../model/duration.ts';

/** From an instant up to another, Unix milliseconds; the end does not belong to it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const MONTHS =
  'january february march april may june july august september october november december';
const MONTH_NAMES = MONTHS.split(' ');
const MONTH = `(?<month>${MONTHS.replaceAll(' ', '|')}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)`;
const DAY = '(?<day>[0-3]?\\d)(?:st|nd|rd|th)?';
const YEAR = '(?<year>(?:19|20)\\d\\d)';

/** In the order in which they are tried: what one has read is read by no other. */
const DATES = [
  new RegExp(`\\b${DAY}(?: of)? ${MONTH}\\b(?:,? ${YEAR}\\b)?`, 'gi'),
  new RegExp(`\\b${MONTH} ${DAY}\\b(?!:)(?:,? ${YEAR}\\b)?`, 'gi'),
  // Small letters may be the verb: may, march.
  new RegExp(`\\b(?:${MONTH}),? ${YEAR}\\b`, 'gi'),
  new RegExp(`\\b${MONTH.replace('|may|', '|').replace('|march|', '|')}\\b`, 'gi'),
  /\b(?<month>May|March)\b/g,
  new RegExp(`\\b${YEAR}\\b`, 'g'),
];

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const NUMBERS = [
  'zero',
  'a',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
];
const UNIT_DAYS = { day: 1, week: 7, weekend: 7, month: 30, year: 365 } as const;

const AGO =
  /\b(?<count>\d{1,2}|an?|few|two|three|four|five|six|seven|eight|nine|ten) (?<unit>day|week|weekend|month|year)s? ago\b/gi;
const LAST = /\b(?<which>last|this|past|previous) (?<unit>week|weekend|month|year)\b/gi;
const WEEKDAY = new RegExp(`\\b(?:last|on|this) (${WEEKDAYS.join('|')})\\b`, 'gi');
const NEAR = /\b(today|tonight|yesterday|last night)\b/gi;

/**
 * The spans that a text names: dates, months and years, and what is counted back from an instant.
 * @param at the instant that `yesterday` is counted back from
 * @param years those that a month without a year may be of
 */
export function spansOf(text: string, at: number, years: readonly number[]): Span[] {
  return [...datesIn(text, years), ...relativesIn(text, at)];
}

function datesIn(text: string, years: readonly number[]): Span[] {
  const spans: Span[] = [];
  let rest = text;
  for (const pattern of DATES)
    rest = rest.replaceAll(pattern, (...args: unknown[]) => {
      const { month, day, year } = args.at(-1) as Record<string, string | undefined>;
      for (const one of year === undefined ? years : [Number(year)])
        spans.push(calendarSpan(one, month, day));
      return ' ';
    });
  return spans;
}

function calendarSpan(year: number, month: string | undefined, day: string | undefined): Span {
  if (month === undefined) return { from: Date.UTC(year, 0), to: Date.UTC(year + 1, 0) };
  const index = MONTH_NAMES.findIndex((name) => name.startsWith(month.slice(0, 3).toLowerCase()));
  if (day === undefined) return { from: Date.UTC(year, index), to: Date.UTC(year, index + 1) };
  const from = Date.UTC(year, index, Number(day));
  return { from, to: from + DAY_MS };
}

function relativesIn(text: string, at: number): Span[] {
  const today = Math.floor(at / DAY_MS) * DAY_MS;
  const spans: Span[] = [];
  for (const [, word = ''] of text.matchAll(NEAR)) {
    const from = /^to/i.test(word) ? today : today - DAY_MS;
    spans.push({ from, to: from + DAY_MS });
  }
  for (const { groups } of text.matchAll(AGO)) {
    const days = UNIT_DAYS[unitOf(groups)];
    const from = today - countOf(groups?.['count'] ?? '') * days * DAY_MS;
    // Nobody counts weeks to the day.
    spans.push({ from: from - (days / 2) * DAY_MS, to: from + Math.max(1, days / 2) * DAY_MS });
  }
  for (const { groups } of text.matchAll(LAST)) {
    const days = UNIT_DAYS[unitOf(groups)];
    const back = groups?.['which']?.toLowerCase() === 'last' ? 2 * days : days;
    spans.push({ from: today - back * DAY_MS, to: today + DAY_MS });
  }
  for (const [, name = ''] of text.matchAll(WEEKDAY)) {
    const back = (new Date(today).getUTCDay() - WEEKDAYS.indexOf(name.toLowerCase()) + 6) % 7;
    const from = today - (back + 1) * DAY_MS;
    spans.push({ from, to: from + DAY_MS });
  }
  return spans;
}

function unitOf(groups: Readonly<Record<string, string>> | undefined): keyof typeof UNIT_DAYS {
  return (groups?.['unit']?.toLowerCase() ?? 'day') as keyof typeof UNIT_DAYS;
}

function countOf(text: string): number {
  const word = text.toLowerCase();
  if (word === 'an') return 1;
  if (word === 'few') return 3;
  const place = NUMBERS.indexOf(word);
  return place >= 0 ? place : Number(word);
}
