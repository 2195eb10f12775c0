import { MINUTE_MS, SECOND_MS } from './duration.ts';

/**
 * From this on a number is Unix milliseconds, below it seconds. As milliseconds it is 2000-01-01: an earlier one
 * is no session's activity, but somebody's far future (the year 9999 is 253402300799 in seconds).
 */
const MILLISECONDS_FROM = 946_684_800_000;

/** The last instant that a JavaScript Date can hold; nothing later is a time. */
const LATEST_MS = 8_640_000_000_000_000;

/** The end of the year 9999, the last that ISO 8601 writes with four digits: events hold nothing later. */
export const LATEST_ISO_MS = 253_402_300_799_999;

/** What lies further ahead than any clock is off is no instant at which something happened. */
export const FUTURE_TOLERANCE_MS = 5 * MINUTE_MS;

/** Reads an instant as other programs write it, in seconds or milliseconds, whole or with a fraction. */
export function parseInstant(text: string): number | undefined {
  if (!/^\s*\d{1,16}(\.\d+)?\s*$/.test(text)) return undefined;
  const value = Number(text);
  const atMs = Math.round(value < MILLISECONDS_FROM ? value * 1_000 : value);
  return atMs > 0 && atMs <= LATEST_MS ? atMs : undefined;
}

/** Writes an instant as the hot tier holds it: Unix seconds, with milliseconds as the fraction. */
export function formatInstant(atMs: number): string {
  return atMs % 1_000 === 0 ? String(atMs / 1_000) : (atMs / 1_000).toFixed(3);
}

/** ISO 8601 in UTC, as events and the command line show instants. */
export function isoInstant(atMs: number): string {
  // An event holds four, and toISOString took 7 % of a drain's client time: instants of one minute share most of it.
  const minute = Math.floor(atMs / 60_000);
  let beginning = minutes.get(minute);
  if (beginning === undefined) {
    beginning = new Date(minute * 60_000).toISOString().slice(0, -'00.000Z'.length);
    if (minutes.size >= MINUTES_KEPT) minutes.clear();
    minutes.set(minute, beginning);
  }
  const ms = Math.floor(atMs - minute * 60_000);
  return `${beginning}${(ms < 10_000 ? '0' : '') + (ms / 1_000).toFixed(3)}Z`;
}

/** A bound on the memo: about two months of minutes. */
const MINUTES_KEPT = 100_000;
const minutes = new Map<number, string>();

/** The last instant that a noted one may mean: one in whole seconds may have been at any time in its second. */
export function latestMeant(at: number): number {
  return at % SECOND_MS === 0 ? at + SECOND_MS - 1 : at;
}
