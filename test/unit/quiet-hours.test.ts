import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type QuietHours, quietUntil, quietUntilInAll } from '../../src/abandonment/quiet-hours.ts';
import { HOUR_MS } from '../../src/model/duration.ts';

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

  // From 21:00 to 08:00. Half-hour and three-quarter offsets; the nights before, of and after both changes of clocks;
  // either side of the date line, and the day that Samoa never had.
  test.each([
    ['Asia/Kolkata', '2027-01-15T15:29:00Z', undefined],
    ['Asia/Kolkata', '2027-01-15T15:30:00Z', '2027-01-16T02:30:00.000Z'],
    ['Asia/Kolkata', '2027-01-16T02:29:00Z', '2027-01-16T02:30:00.000Z'],
    ['Asia/Kolkata', '2027-01-16T02:30:00Z', undefined],
    ['Asia/Kathmandu', '2027-01-15T15:14:00Z', undefined],
    ['Asia/Kathmandu', '2027-01-15T15:15:00Z', '2027-01-16T02:15:00.000Z'],
    ['Australia/Adelaide', '2026-10-03T12:00:00Z', '2026-10-03T21:30:00.000Z'],
    ['Australia/Adelaide', '2027-04-03T12:00:00Z', '2027-04-03T22:30:00.000Z'],
    ['Pacific/Chatham', '2026-09-26T10:00:00Z', '2026-09-26T18:15:00.000Z'],
    ['Pacific/Chatham', '2027-04-03T10:00:00Z', '2027-04-03T19:15:00.000Z'],
    ['Europe/Berlin', '2026-03-27T20:00:00Z', '2026-03-28T07:00:00.000Z'],
    ['Europe/Berlin', '2026-03-28T20:00:00Z', '2026-03-29T06:00:00.000Z'],
    ['Europe/Berlin', '2026-03-29T19:00:00Z', '2026-03-30T06:00:00.000Z'],
    ['Europe/Berlin', '2026-10-23T19:00:00Z', '2026-10-24T06:00:00.000Z'],
    ['Europe/Berlin', '2026-10-24T19:00:00Z', '2026-10-25T07:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25T20:00:00Z', '2026-10-26T07:00:00.000Z'],
    ['America/New_York', '2027-03-13T02:00:00Z', '2027-03-13T13:00:00.000Z'],
    ['America/New_York', '2027-03-14T02:00:00Z', '2027-03-14T12:00:00.000Z'],
    ['America/New_York', '2027-03-15T01:00:00Z', '2027-03-15T12:00:00.000Z'],
    ['America/New_York', '2026-10-31T01:00:00Z', '2026-10-31T12:00:00.000Z'],
    ['America/New_York', '2026-11-01T01:00:00Z', '2026-11-01T13:00:00.000Z'],
    ['America/New_York', '2026-11-02T02:00:00Z', '2026-11-02T13:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-02T11:00:00Z', '2026-10-02T21:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-03T11:00:00Z', '2026-10-03T21:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-04T11:00:00Z', '2026-10-04T21:00:00.000Z'],
    ['Australia/Lord_Howe', '2027-04-02T11:00:00Z', '2027-04-02T21:00:00.000Z'],
    ['Australia/Lord_Howe', '2027-04-03T11:00:00Z', '2027-04-03T21:30:00.000Z'],
    ['Australia/Lord_Howe', '2027-04-04T11:00:00Z', '2027-04-04T21:30:00.000Z'],
    ['Pacific/Kiritimati', '2027-01-15T07:00:00Z', '2027-01-15T18:00:00.000Z'],
    ['Pacific/Kiritimati', '2027-01-15T06:59:00Z', undefined],
    ['Pacific/Pago_Pago', '2027-01-15T08:00:00Z', '2027-01-15T19:00:00.000Z'],
    ['Pacific/Pago_Pago', '2027-01-15T19:00:00Z', undefined],
    ['Pacific/Apia', '2027-01-15T08:00:00Z', '2027-01-15T19:00:00.000Z'],
    ['Pacific/Apia', '2011-12-30T08:00:00Z', '2011-12-30T18:00:00.000Z'],
  ])('are those of the zone: in %s at %s until %s', (zone, now, until) => {
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
    fc.assert(
      fc.property(anyQuiet, anyZone, anyInstant, (quiet, zone, now) => {
        const until = quietUntil(quiet, zone, now);
        if (until === undefined) return;
        expect(until).toBeGreaterThan(now);
        expect(until).toBeLessThanOrEqual(now + 25 * HOUR_MS);
        expect(quietUntil(quiet, zone, until)).toBeUndefined();
      }),
      { numRuns: 5_000 },
    );
  });
});

const minute = fc.integer({ min: 0, max: 1_439 });

const anyQuiet = fc
  .record({ fromMinute: minute, toMinute: minute })
  .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute);

const ALL_ZONES = Intl.supportedValuesOf('timeZone');
const RESTLESS = [
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Casablanca',
];
const anyZone = fc.oneof(fc.constantFrom(...RESTLESS), fc.constantFrom(...ALL_ZONES));

/** Around the changes of clocks in 2026, and anywhere else. */
const anyInstant = fc.oneof(
  fc.integer({ min: Date.parse('2026-03-07T00:00Z'), max: Date.parse('2026-04-06T00:00Z') }),
  fc.integer({ min: Date.parse('2026-09-25T00:00Z'), max: Date.parse('2026-11-02T00:00Z') }),
  fc.integer({ min: Date.parse('2000-01-01T00:00Z'), max: Date.parse('2100-01-01T00:00Z') }),
);

describe('quiet hours of somebody who may be in one of several zones', () => {
  const COASTS = { name: 'coasts', zones: ['America/New_York', 'America/Los_Angeles'] };

  function endInAll(
    quiet: QuietHours,
    where: { name: string; zones: readonly string[] },
    preferred: string,
    now: string,
  ): string | undefined {
    const until = quietUntilInAll(quiet, where, preferred, Date.parse(now));
    return until === undefined ? undefined : new Date(until).toISOString();
  }

  test.each([
    // 20:59 and 17:59: day on either coast.
    ['2027-01-16T01:59:00Z', undefined],
    // 21:00 on the one, 18:00 on the other: until it is 08:00 on both.
    ['2027-01-16T02:00:00Z', '2027-01-16T16:00:00.000Z'],
    // 08:00 and 05:00.
    ['2027-01-16T13:00:00Z', '2027-01-16T16:00:00.000Z'],
    ['2027-01-16T16:00:00Z', undefined],
  ])('last while they do in any of them: at %s until %s', (now, until) => {
    expect(endInAll(NIGHT, COASTS, 'UTC', now)).toBe(until);
  });

  const FAR = { name: 'far', zones: ['Asia/Kamchatka', 'Europe/Moscow', 'Asia/Yekaterinburg'] };

  test('that never end in all of them are those of the preferred zone, or of the middle one', () => {
    const sixteen = hours('18:00', '10:00');
    // 23:00 in Moscow, 01:00 in Yekaterinburg, 08:00 in Kamchatka.
    const now = '2027-01-15T20:00:00Z';
    expect(endInAll(sixteen, FAR, 'Europe/Moscow', now)).toBe('2027-01-16T07:00:00.000Z');
    expect(endInAll(sixteen, FAR, 'Europe/Berlin', now)).toBe('2027-01-16T05:00:00.000Z');
  });

  test('end later than now, and outside those of each', () => {
    const where = fc.uniqueArray(anyZone, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(where, anyInstant, (zones, now) => {
        const name = zones.join();
        const until = quietUntilInAll(NIGHT, { name, zones }, 'UTC', now);
        if (until !== undefined) expect(until).toBeGreaterThan(now);
        const at = until ?? now;
        const quietThen = zones.filter((zone) => quietUntil(NIGHT, zone, at) !== undefined);
        if (quietThen.length === 0) return;
        // Then there is no instant within two days that suits all.
        for (let later = now; later < now + 48 * HOUR_MS; later += HOUR_MS)
          expect(
            zones.some((zone) => quietUntil(NIGHT, zone, later) !== undefined),
            new Date(later).toISOString(),
          ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
