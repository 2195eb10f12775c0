import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contactFor, quietUntil } from '../../src/abandonment/contact.ts';
import type { ContactSettings, QuietHours } from '../../src/abandonment/contact.ts';
import { readFacts } from '../../src/abandonment/facts.ts';
import type { Facts } from '../../src/abandonment/facts.ts';
import type { Contact } from '../../src/model/event.ts';
import { HOUR_MS } from '../../src/model/duration.ts';
import type { SessionFields } from '../../src/model/session.ts';

/** 21:00 to 08:00. */
const NIGHT: QuietHours = { fromMinute: 21 * 60, toMinute: 8 * 60 };

function hours(from: string, to: string): QuietHours {
  const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return { fromMinute: minutes(from), toMinute: minutes(to) };
}

function end(quiet: QuietHours, zone: string, now: string): string | undefined {
  const until = quietUntil(quiet, zone, Date.parse(now));
  return until === undefined ? undefined : new Date(until).toISOString();
}

describe('quiet hours', () => {
  test.each([
    ['2027-01-15T20:59:59.999Z', undefined],
    ['2027-01-15T21:00:00Z', '2027-01-16T08:00:00.000Z'],
    ['2027-01-15T23:59:59.999Z', '2027-01-16T08:00:00.000Z'],
    ['2027-01-16T00:00:00Z', '2027-01-16T08:00:00.000Z'],
    ['2027-01-16T07:59:59.999Z', '2027-01-16T08:00:00.000Z'],
    ['2027-01-16T08:00:00Z', undefined],
  ])('over midnight: at %s until %s', (now, until) => {
    expect(end(NIGHT, 'UTC', now)).toBe(until);
  });

  test.each([
    ['2027-01-15T11:59:00Z', undefined],
    ['2027-01-15T12:00:00Z', '2027-01-15T14:30:00.000Z'],
    ['2027-01-15T14:30:00Z', undefined],
  ])('within a day: at %s until %s', (now, until) => {
    expect(end(hours('12:00', '14:30'), 'UTC', now)).toBe(until);
  });

  test('until midnight end at midnight', () => {
    expect(end(hours('22:00', '00:00'), 'UTC', '2027-01-15T23:10:00Z')).toBe(
      '2027-01-16T00:00:00.000Z',
    );
    expect(end(hours('22:00', '00:00'), 'UTC', '2027-01-16T00:00:00Z')).toBeUndefined();
  });

  test.each([
    ['Asia/Kolkata', '2027-01-15T15:30:00Z', '2027-01-16T02:30:00.000Z'],
    ['Asia/Kathmandu', '2027-01-15T15:15:00Z', '2027-01-16T02:15:00.000Z'],
    ['Australia/Lord_Howe', '2027-01-15T10:00:00Z', '2027-01-15T21:00:00.000Z'],
    ['Pacific/Kiritimati', '2027-01-15T07:00:00Z', '2027-01-15T18:00:00.000Z'],
    ['America/New_York', '2027-01-16T02:00:00Z', '2027-01-16T13:00:00.000Z'],
  ])('are those of the zone: %s at %s until %s', (zone, now, until) => {
    expect(end(NIGHT, zone, now)).toBe(until);
  });

  test('in the night in which clocks go forward are an hour shorter', () => {
    expect(end(NIGHT, 'Europe/Berlin', '2026-03-28T20:00:00Z')).toBe('2026-03-29T06:00:00.000Z');
  });

  test('in the night in which clocks go back are an hour longer', () => {
    expect(end(NIGHT, 'Europe/Berlin', '2026-10-24T19:00:00Z')).toBe('2026-10-25T07:00:00.000Z');
  });

  test('that end at a time the clocks jump over end when they jump', () => {
    expect(end(hours('22:00', '02:30'), 'Europe/Berlin', '2026-03-28T23:00:00Z')).toBe(
      '2026-03-29T01:00:00.000Z',
    );
    expect(end(hours('22:00', '02:00'), 'Europe/Berlin', '2026-03-28T23:00:00Z')).toBe(
      '2026-03-29T01:00:00.000Z',
    );
    expect(end(hours('22:00', '02:15'), 'Australia/Lord_Howe', '2026-10-03T14:00:00Z')).toBe(
      '2026-10-03T15:30:00.000Z',
    );
  });

  test('that end at a time that comes twice end the first time, and the second time if that is the next', () => {
    const early = hours('22:00', '02:30');
    expect(end(early, 'Europe/Berlin', '2026-10-24T22:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(end(early, 'Europe/Berlin', '2026-10-25T00:40:00Z')).toBeUndefined();
    expect(end(early, 'Europe/Berlin', '2026-10-25T01:10:00Z')).toBe('2026-10-25T01:30:00.000Z');
  });

  test('always end later than now, and outside themselves', () => {
    const zone = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'Asia/Kolkata',
      'America/St_Johns',
      'Australia/Lord_Howe',
    );
    const minute = fc.integer({ min: 0, max: 1_439 });
    // Around the changes of clocks in 2026, and anywhere else.
    const at = fc.oneof(
      fc.integer({ min: Date.parse('2026-03-28T00:00Z'), max: Date.parse('2026-04-06T00:00Z') }),
      fc.integer({ min: Date.parse('2026-10-03T00:00Z'), max: Date.parse('2026-11-02T00:00Z') }),
      fc.integer({ min: Date.parse('2000-01-01T00:00Z'), max: Date.parse('2100-01-01T00:00Z') }),
    );
    fc.assert(
      fc.property(minute, minute, zone, at, (fromMinute, toMinute, name, now) => {
        const until = quietUntil({ fromMinute, toMinute }, name, now);
        if (until === undefined) return;
        expect(until).toBeGreaterThan(now);
        expect(until).toBeLessThanOrEqual(now + 25 * HOUR_MS);
      }),
      { numRuns: 2_000 },
    );
  });
});

const SETTINGS: ContactSettings = { quietHours: NIGHT, timezone: 'Europe/Berlin' };
const NOON = Date.parse('2027-01-15T12:00:00Z');

function contact(fields: SessionFields, now = NOON, settings = SETTINGS): Contact {
  return contactFor(factsOf(fields), settings, now);
}

function factsOf(fields: SessionFields): Facts {
  const read = readFacts(
    {
      fields: { last_activity: '1800000000', ...fields },
      expiresAt: undefined,
      overflow: 0,
      optedOutAt: undefined,
      digest: '',
    },
    undefined,
    NOON,
  );
  if ('problem' in read) throw new Error(read.problem.detail);
  return read.facts;
}

describe('contact', () => {
  test.each([
    [undefined, 'unknown', 'none'],
    ['', 'unknown', 'none'],
    ['yes', 'yes', 'none'],
    ['{"status":"yes","basis":"opt-in"}', 'yes', 'opt-in'],
    ['{"status":"yes","basis":"opt-in","scope":["web","email"]}', 'yes', 'opt-in'],
    ['{"status":"yes","basis":"opt-in","scope":["email"]}', 'no', 'scope'],
    ['{"status":"yes","scope":[]}', 'no', 'scope'],
    ['{"status":"yes","basis":null,"scope":null,"at":null}', 'yes', 'none'],
    ['{"status":"unknown","scope":["email"]}', 'unknown', 'none'],
    ['{"status":"no","basis":"stop"}', 'no', 'stop'],
    ['{"status":"yes","basis":""}', 'yes', 'none'],
  ])('with a consent of %j is allowed: %s, on the basis of %s', (consent, allowed, basis) => {
    const fields = { active_channel: 'web', ...(consent !== undefined && { consent }) };
    expect(contact(fields)).toMatchObject({ allowed, basis });
  });

  test('on no channel is not covered by a consent for some', () => {
    expect(contact({ consent: '{"status":"yes","scope":["web"]}' }).allowed).toBe('no');
  });

  test('waits for the end of the quiet hours in the user’s own zone', () => {
    expect(contact({ timezone: 'Asia/Tokyo' }).not_before).toBe('2027-01-15T23:00:00.000Z');
    expect(contact({ timezone: 'America/New_York' }).not_before).toBe('2027-01-15T13:00:00.000Z');
    expect(contact({}).not_before).toBeNull();
  });

  test.each(['Mars/Olympus', '', 'GMT+25', '../../etc/passwd'])(
    'in an unknown zone %j goes by the tenant’s',
    (timezone) => {
      const night = Date.parse('2027-01-15T22:00:00Z');
      expect(contact({ timezone }, night).not_before).toBe('2027-01-16T07:00:00.000Z');
    },
  );

  test('without quiet hours is never put off', () => {
    const settings = { ...SETTINGS, quietHours: undefined };
    expect(contact({ timezone: 'Asia/Tokyo' }, NOON, settings).not_before).toBeNull();
  });

  test.each([
    ['whatsapp', '1800000000', '2027-01-16T08:00:00.000Z'],
    ['WhatsApp', '1800000000000', '2027-01-16T08:00:00.000Z'],
    ['messenger', '1800000000', '2027-01-16T08:00:00.000Z'],
    ['web', '1800000000', null],
    ['whatsapp', undefined, null],
    ['whatsapp', 'yesterday', null],
    ['whatsapp', '253402300799', null],
    ['whatsapp', '8640000000000000', null],
  ])('on %s after a message at %s may be free until %s', (active_channel, inbound, expected) => {
    const fields = { active_channel, ...(inbound !== undefined && { last_inbound_at: inbound }) };
    expect(contact(fields).service_window_expires_at).toBe(expected);
  });
});
