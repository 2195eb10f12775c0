import { readFile } from 'node:fs/promises';
import { CloudEvent } from 'cloudevents';
import { expect, test } from 'vitest';
import { buildEvent } from '../../src/abandonment/events.ts';
import type { EventSettings } from '../../src/abandonment/events.ts';
import { readFacts } from '../../src/abandonment/facts.ts';
import type { EventDraft } from '../../src/abandonment/decision.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import {
  abandonedEvent,
  cancelledEvent,
  erasedEvent,
  recoveredEvent,
  touchedEvent,
} from '../support/sample-events.ts';
import { assertValidEvent } from '../support/schemas.ts';

const NOW = Date.UTC(2026, 2, 1, 22, 0, 0);
const SETTINGS: EventSettings = {
  prefix: 'rekindle',
  stagesMs: [1_800_000, 72_000_000, 259_200_000],
  sessionKey: (user) => `session:${user}`,
  nameOf: (user) => ({ user }),
  attribution: {},
  quietHours: undefined,
  timezone: 'UTC',
};

const CARTS = {
  usual: '[{"product_id":"p1","size":"M","quantity":2,"price":19.9,"colour":"red"}]',
  'ids and sizes that are numbers':
    '[{"product_id":17,"size":42},{"product_id":12345678901234567890}]',
  'null prices, and amounts as texts':
    '[{"product_id":"p1","size":null,"quantity":"3","price":null}]',
  'too many lines for an event': JSON.stringify(
    Array.from({ length: 101 }, (_, i) => ({ product_id: `p${i}`, price: 1 })),
  ),
};
const USERS = {
  usual: 'ada',
  unicode: 'ẞ 😀 مرحبا',
  'control characters': 'a\u0000b\nc',
  long: 'x'.repeat(512),
};

for (const [userName, user] of Object.entries(USERS)) {
  for (const [cartName, cart] of Object.entries(CARTS)) {
    test(`an announcement is valid: user ${userName}, cart ${cartName}`, () => {
      expectValid(buildEvent(user, announcement(cart), SETTINGS, NOW));
    });
  }
  for (const reason of ['resumed', 'ordered', 'emptied', 'opted_out', 'ended'] as const) {
    test(`a cancellation is valid: user ${userName}, ${reason}`, () => {
      const draft = {
        episode: NOW - 9_000_000,
        stage: 2,
        sequence: 7,
        activityAt: NOW - 500,
        reason,
      } as const;
      expectValid(buildEvent(user, { type: 'cart.rescue_cancelled', ...draft }, SETTINGS, NOW));
    });
  }
}

test('an announcement in the quiet hours of a messaging channel is valid', () => {
  const settings = {
    ...SETTINGS,
    quietHours: { from: 21 * 60, to: 8 * 60 },
  } as unknown as EventSettings;
  const more = {
    active_channel: 'whatsapp',
    last_inbound_at: String(NOW / 1_000 - 60),
    consent: 'yes',
  };
  expectValid(buildEvent('ada', announcement(CARTS.usual, more), settings, NOW));
});

test('the samples that other tests publish are valid', () => {
  expectValid(abandonedEvent(1));
  expectValid(cancelledEvent(1));
  expectValid(touchedEvent(1));
  expectValid(recoveredEvent(1));
  expectValid(erasedEvent(1));
});

test('the examples of docs/events.md are valid', async () => {
  const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const [announcement, cancellation, touch, recovery, erasure, ...more] = [
    ...page.matchAll(/```json\n(.*?)```/gs),
  ].map(([, json]) => JSON.parse(json!) as unknown);
  expectValid(announcement as AnyEvent);
  expectValid({ ...cancelledEvent(1), data: cancellation } as AnyEvent);
  expectValid({ ...touchedEvent(1), data: touch } as AnyEvent);
  expectValid({ ...recoveredEvent(1), data: recovery } as AnyEvent);
  expectValid({ ...erasedEvent(1), data: erasure } as AnyEvent);
  expect(more).toEqual([]);
});

test('what we do not own is open, what we own is not', () => {
  const event = abandonedEvent(1);
  expect(() => assertValidEvent({ ...event, traceparent: 'x' })).toThrow(/additional properties/);
  expect(() => assertValidEvent({ ...event, data: { ...event.data, note: 'x' } })).toThrow(
    /additional/,
  );
  expect(() => assertValidEvent({ ...event, sequence: '7' })).toThrow(/sequence/);
  expect(() => assertValidEvent({ ...event, dataschema: 'urn:other' })).toThrow(/no schema/);
  expect(() =>
    assertValidEvent({
      ...event,
      data: { ...event.data, cart: { ...event.data.cart, session_key: 'k' } },
    }),
  ).toThrow(/oneOf/);
});

/** Valid by our schema, and by the package that others read CloudEvents with. */
function expectValid(event: AnyEvent): void {
  const sent = JSON.parse(JSON.stringify(event)) as AnyEvent;
  assertValidEvent(sent);
  const read = new CloudEvent(sent as unknown as Partial<CloudEvent>);
  expect(read.validate()).toBe(true);
  expect(read.id).toBe(event.id);
  expect(read['sequence']).toBe(event.sequence);
}

function announcement(cart: string, fields: Readonly<Record<string, string>> = {}): EventDraft {
  const sighting = {
    fields: { last_activity: String(NOW / 1_000 - 1_800), cart, ...fields },
    expiresAt: undefined,
    overflow: 0,
    optedOutAt: undefined,
    digest: '',
  };
  const read = readFacts(sighting, undefined, NOW);
  if ('problem' in read) throw new Error(read.problem.detail);
  return {
    type: 'cart.abandoned',
    episode: NOW - 3_600_000,
    stage: 0,
    sequence: 1,
    activityAt: NOW - 1_800_000,
    validUntil: NOW + 70_000_000,
    facts: read.facts,
  };
}
