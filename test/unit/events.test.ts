import fc from 'fast-check';
import { v5 as uuidV5 } from 'uuid';
import { describe, expect, test } from 'vitest';
import { buildEvent } from '../../src/abandonment/events.ts';
import type { EventSettings } from '../../src/abandonment/events.ts';
import { readFacts } from '../../src/abandonment/facts.ts';
import type { EventDraft } from '../../src/abandonment/decision.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { type AnyEvent, type CartAbandonedData, stageEventId } from '../../src/model/event.ts';
import type { SessionFields } from '../../src/model/session.ts';

const T = 1_800_000_000_000;

const SETTINGS: EventSettings = {
  prefix: 'rekindle',
  stagesMs: [30 * MINUTE_MS, 20 * HOUR_MS],
  sessionKey: (user) => `session:${user}`,
  nameOf: (user) => ({ user }),
  attribution: {},
  quietHours: undefined,
  timezone: 'UTC',
};

function abandoned(fields: SessionFields): EventDraft {
  const sight = {
    fields: { last_activity: '1800000000', ...fields },
    expiresAt: undefined,
    overflow: 0,
    optedOutAt: undefined,
  };
  const read = readFacts({ ...sight, digest: '' }, undefined, T);
  if ('problem' in read) throw new Error(read.problem.detail);
  return {
    type: 'cart.abandoned',
    episode: T,
    stage: 1,
    sequence: T + 7,
    activityAt: T,
    validUntil: T + HOUR_MS,
    facts: read.facts,
  };
}

const CANCELLED: EventDraft = {
  type: 'cart.rescue_cancelled',
  episode: T,
  stage: 1,
  sequence: T + 8,
  activityAt: T + 1,
  reason: 'resumed',
};

function build(
  draft: EventDraft,
  user = 'ann',
  settings = SETTINGS,
  now = T + 31 * MINUTE_MS + 999,
): AnyEvent {
  return buildEvent(user, draft, settings, now);
}

function dataOf(draft: EventDraft): CartAbandonedData {
  return build(draft).data as CartAbandonedData;
}

describe('an announcement', () => {
  test('tells all that a rescue needs', () => {
    const fields = {
      cart: '[{"product_id":"shirt","quantity":2,"price":20}]',
      active_channel: 'web',
      language: 'hi',
      current_intent: 'buy',
      session_id: 's1',
    };
    expect(build(abandoned(fields))).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      source: '/rekindle',
      type: 'cart.abandoned',
      subject: 'ann',
      time: '2027-01-15T08:31:00.999Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:rekindle:schema:cart.abandoned:1',
      sequence: '0001800000000007',
      data: {
        user: 'ann',
        session_id: 's1',
        episode: '2027-01-15T08:00:00.000Z',
        stage: 1,
        stages: 2,
        last_activity: '2027-01-15T08:00:00.000Z',
        idle_seconds: 1_860,
        cart: {
          items: [{ product_id: 'shirt', quantity: 2, price: 20 }],
          count: 1,
          value: 40,
          fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        },
        channel: 'web',
        language: 'hi',
        intent: 'buy',
        contact: {
          allowed: 'unknown',
          basis: 'none',
          not_before: null,
          service_window_expires_at: null,
        },
        valid_until: '2027-01-15T09:00:00.000Z',
      },
    });
  });

  test('says so where something is not known', () => {
    expect(dataOf(abandoned({ cart: '[]' }))).toMatchObject({
      session_id: null,
      channel: null,
      language: null,
      intent: null,
    });
  });

  test.each([
    [
      'of more than 100 lines',
      Array.from({ length: 101 }, (_none, n) => ({ product_id: n, price: 1 })),
    ],
    ['of more than 16 KiB', [{ product_id: 'a', price: 101, note: 'x'.repeat(16_400) }]],
    [
      'of more than 16 KiB in a script of three bytes a letter',
      [{ product_id: 'a', price: 101, note: 'क'.repeat(6_000) }],
    ],
  ])('of a cart %s is cut to a count, a value and a pointer', (_what, cart) => {
    const { cart: announced } = dataOf(abandoned({ cart: JSON.stringify(cart) }));
    expect(announced).toEqual({
      count: cart.length,
      value: 101,
      fingerprint: expect.any(String) as string,
      session_key: 'session:ann',
    });
  });

  test('fits into 64 KiB whatever the session holds', () => {
    const long = 'ä'.repeat(2_000);
    const fields = {
      cart: JSON.stringify([{ product_id: 'a', note: 'क'.repeat(5_300) }]),
      active_channel: long,
      language: long,
      current_intent: long,
      session_id: long,
    };
    const event = build(abandoned(fields), '🛒'.repeat(128));
    expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(65_536);
  });
});

describe('a cancellation', () => {
  test('names the announcement that it takes back', () => {
    const announcement = build(abandoned({ cart: '[]' }));
    const cancellation = build(CANCELLED);
    expect(cancellation).toMatchObject({
      type: 'cart.rescue_cancelled',
      data: {
        user: 'ann',
        stage: 1,
        reason: 'resumed',
        announcement_id: announcement.id,
        last_activity: '2027-01-15T08:00:00.001Z',
      },
    });
    expect(cancellation.id).not.toBe(announcement.id);
    expect(cancellation.sequence > announcement.sequence).toBe(true);
  });
});

describe('the id of an event', () => {
  test('is the same whoever says it, whenever', () => {
    const draft = abandoned({ cart: '[]' });
    expect(build(draft, 'ann', SETTINGS, T + HOUR_MS).id).toBe(build(draft).id);
  });

  test('is another for another type, deployment, user, episode or stage', () => {
    const draft = abandoned({ cart: '[]' });
    const ids = [
      build(draft),
      build(CANCELLED),
      build(draft, 'bob'),
      build(draft, 'ann', { ...SETTINGS, prefix: 'other' }),
      build({ ...draft, episode: T + 1 }),
      build({ ...draft, type: 'cart.abandoned', stage: 0 } as EventDraft),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

test.each(['a:b', 'a b\n', '🛒', '__proto__', '"quoted"', '%41', '\u0000'])(
  'the user %j is told as it is, and as a subject that any transport can carry',
  (user) => {
    const event = build(CANCELLED, user);
    expect(event.data.user).toBe(user);
    expect(decodeURIComponent(event.subject)).toBe(user);
    expect(event.subject).toMatch(/^[\x21-\x7e]+$/);
  },
);

test('an id is a UUIDv5, as anybody may make it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), fc.nat(9), (user, episode, stage) => {
      expect(stageEventId('cart.abandoned', 'rekindle', user, episode, stage)).toBe(
        uuidV5(
          JSON.stringify(['cart.abandoned', 'rekindle', user, episode, stage]),
          '5b0a6f52-6d3e-4c0f-9a53-0d6f1e8e2b74',
        ),
      );
    }),
  );
});
