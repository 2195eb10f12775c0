import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ContactSettings, contactFor } from '../../src/abandonment/contact.ts';
import { type Facts, readFacts } from '../../src/abandonment/facts.ts';
import { isHeldOut } from '../../src/abandonment/holdout.ts';
import { type QuietHours, quietUntil } from '../../src/abandonment/quiet-hours.ts';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import type { Contact } from '../../src/model/event.ts';
import type { SessionFields } from '../../src/model/session.ts';

/** 21:00 to 08:00. */
const NIGHT: QuietHours = { fromMinute: 21 * 60, toMinute: 8 * 60 };

const SETTINGS: ContactSettings = { quietHours: NIGHT, timezone: 'Europe/Berlin' };
const NOON = Date.parse('2027-01-15T12:00:00Z');

function contact(fields: SessionFields, now = NOON, settings = SETTINGS): Contact {
  return contactFor('ada', factsOf(fields), settings, now);
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
    ['{"status":"yes","scope":["Email"," WEB "]}', 'yes', 'none'],
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

  test('is refused on a channel that was opted out of, and on no other', () => {
    const optedOutOf = new Map([
      ['whatsapp', 1],
      ['sms', 1],
    ]);
    const on = (active_channel: string): Contact =>
      contactFor(
        'ada',
        { ...factsOf({ active_channel, consent: 'yes' }), optedOutOf },
        SETTINGS,
        NOON,
      );
    expect(on('WhatsApp')).toMatchObject({ allowed: 'no', basis: 'opt_out' });
    expect(on('email')).toMatchObject({ allowed: 'yes', basis: 'none' });
  });

  test('is refused after an opt-out of everything, whatever the session says', () => {
    const facts = { ...factsOf({ consent: 'yes' }), optedOut: true };
    expect(contactFor('ada', facts, SETTINGS, NOON)).toMatchObject({
      allowed: 'no',
      basis: 'opt_out',
    });
  });
});

describe('the frequency cap', () => {
  const capped = { ...SETTINGS, frequencyCap: { count: 2, windowMs: 7 * DAY_MS } };

  function basisAfter(contactedAt: readonly number[], consent = 'yes'): string {
    return contactFor('ada', { ...factsOf({ consent }), contactedAt }, capped, NOON).basis;
  }

  test('refuses once so many messages were sent in the time before now', () => {
    expect(basisAfter([])).toBe('none');
    expect(basisAfter([NOON - DAY_MS])).toBe('none');
    expect(basisAfter([NOON - DAY_MS, NOON - 7 * DAY_MS + 1])).toBe('frequency_cap');
    expect(basisAfter([NOON - DAY_MS, NOON - 7 * DAY_MS])).toBe('none');
  });

  test('counts a message whose time is still to come: clocks differ', () => {
    expect(basisAfter([NOON + HOUR_MS, NOON])).toBe('frequency_cap');
  });

  test('leaves a no what it is, and refuses who was not asked', () => {
    expect(basisAfter([NOON, NOON], '{"status":"no","basis":"stop"}')).toBe('stop');
    expect(basisAfter([NOON, NOON], 'unknown')).toBe('frequency_cap');
  });

  test('is none where none is set', () => {
    const facts = { ...factsOf({ consent: 'yes' }), contactedAt: Array(99).fill(NOON) as number[] };
    expect(contactFor('ada', facts, SETTINGS, NOON).allowed).toBe('yes');
  });
});

describe('who is held out', () => {
  const ids = Array.from({ length: 100_000 }, (_, n) => `user-${n}`);
  const drawn = (share: number, salt = 'rekindle'): string[] =>
    ids.filter((id) => isHeldOut(id, share, salt));

  test.each([0.01, 0.1, 0.5])('are a share of %s of all', (share) => {
    // Five standard deviations of so many draws.
    const tolerance = 5 * Math.sqrt((share * (1 - share)) / ids.length);
    expect(Math.abs(drawn(share).length / ids.length - share)).toBeLessThan(tolerance);
  });

  test('is nobody at a share of zero', () => {
    expect(drawn(0)).toEqual([]);
  });

  test('stay the same, also when the share grows', () => {
    const few = drawn(0.1);
    expect(drawn(0.1)).toEqual(few);
    const more = new Set(drawn(0.2));
    expect(few.filter((id) => !more.has(id))).toEqual([]);
    // Written down, so that no new version draws anew in the middle of somebody's experiment.
    expect(few.slice(0, 3)).toEqual(['user-24', 'user-43', 'user-60']);
  });

  test('are others with another salt, by chance alone the same', () => {
    const others = new Set(drawn(0.1, 'spring'));
    const both = drawn(0.1).filter((id) => others.has(id)).length;
    expect(Math.abs(both / ids.length - 0.01)).toBeLessThan(0.002);
  });

  test.each(['yes', 'no', 'unknown', '{"status":"yes","scope":["fax"]}'])(
    'are told so, also with a consent of %s',
    (consent) => {
      const settings = { ...SETTINGS, holdout: 0.5, holdoutSalt: 'rekindle' };
      const [held] = drawn(0.5);
      const facts = factsOf({ active_channel: 'web', consent });
      expect(contactFor(held ?? '', facts, settings, NOON)).toMatchObject({
        allowed: 'no',
        basis: 'holdout',
      });
    },
  );
});

describe('a telephone number', () => {
  const night = Date.parse('2027-01-15T22:00:00Z');

  /** Until when with this number; the tenant is in Kiritimati, 14 hours ahead, where it is noon. */
  function until(fields: SessionFields, now = night): string | null {
    const settings = { quietHours: NIGHT, timezone: 'Pacific/Kiritimati' };
    return contactFor('ada', factsOf(fields), settings, now).not_before;
  }

  test.each([
    ['+919876543210', '2027-01-16T02:30:00.000Z'],
    ['+91 98765 43210', '2027-01-16T02:30:00.000Z'],
    [' +91-98765-43210 ', '2027-01-16T02:30:00.000Z'],
    ['whatsapp:+919876543210', '2027-01-16T02:30:00.000Z'],
    ['00919876543210', '2027-01-16T02:30:00.000Z'],
    ['+49 (151) 12345678', '2027-01-16T07:00:00.000Z'],
    ['+977 981 234 5678', '2027-01-16T02:15:00.000Z'],
    // From Honolulu, where it is noon, to New York, where it is 17:00, nobody sleeps.
    ['+1 212 555 0123', null],
    // From Kaliningrad, at midnight, to Kamchatka, at 10:00 and after 21:00 when it is 11:00 in Kaliningrad.
    ['+7 912 345 67 89', '2027-01-16T06:00:00.000Z'],
    // Kazakhstan has the same code and is all at +05.
    ['+7 701 123 45 67', '2027-01-16T03:00:00.000Z'],
    // Guam has the code of the United States, and it is 08:00 there.
    ['+1 671 646 1234', null],
  ])('%s says where its owner sleeps until %s', (phone, expected) => {
    expect(until({ phone })).toBe(expected);
  });

  test.each(['', '9876543210', '919876543210', '+', '+1', '+999 1234 5678', 'call me', '+91'])(
    '%j tells no country, and the tenant’s clock holds',
    (phone) => {
      expect(until({ phone })).toBeNull();
      expect(until({ phone }, night + 10 * HOUR_MS)).toBe('2027-01-16T18:00:00.000Z');
    },
  );

  test('says less than the zone of the session', () => {
    expect(until({ phone: '+919876543210', timezone: 'Europe/Berlin' })).toBe(
      '2027-01-16T07:00:00.000Z',
    );
    expect(until({ phone: '+919876543210', timezone: 'Mars/Olympus' })).toBe(
      '2027-01-16T02:30:00.000Z',
    );
  });

  test('of any form is taken without a fault', () => {
    const digits = fc.stringMatching(/^\+?[\d ()-]{0,20}$/);
    fc.assert(
      fc.property(fc.oneof(digits, fc.string({ unit: 'binary' })), (phone) => {
        const at = until({ phone });
        if (at !== null) expect(Date.parse(at)).toBeGreaterThan(night);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('nobody may be contacted before now, nor inside the quiet hours of their zone', () => {
  const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  const at = fc.integer({ min: Date.parse('2020-01-01Z'), max: Date.parse('2040-01-01Z') });
  fc.assert(
    fc.property(zone, at, (timezone, now) => {
      const { not_before: notBefore } = contact({ timezone }, now);
      const free = notBefore === null ? now : Date.parse(notBefore);
      expect(free).toBeGreaterThanOrEqual(now);
      expect(quietUntil(NIGHT, timezone, free)).toBeUndefined();
    }),
    { numRuns: 3_000 },
  );
});
