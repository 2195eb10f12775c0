import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CartEvent } from '../../src/model/event.ts';
import { packEvent, unpackEvent } from '../../src/model/packed-event.ts';
import { abandonedEvent, cancelledEvent } from '../support/sample-events.ts';

function throughTheStore(event: CartEvent): CartEvent {
  return unpackEvent({ user: event.data.user }, event.id, packEvent(event));
}

test('a packed event is the same when it is unpacked, to the byte', () => {
  for (const event of [abandonedEvent(1), cancelledEvent(1)])
    expect(JSON.stringify(throughTheStore(event))).toBe(JSON.stringify(event));
});

test('so is one whose values are all others', () => {
  const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(null));
  const item = fc.record(
    {
      product_id: fc.oneof(fc.string(), fc.integer()),
      size: value,
      quantity: fc.double({ noNaN: true, noDefaultInfinity: true }),
      colour: fc.jsonValue(),
    },
    { requiredKeys: ['product_id'] },
  );
  const told = fc.record({ session_id: value, channel: value, language: value, intent: value });
  fc.assert(
    fc.property(fc.array(item), told, fc.boolean(), fc.nat(), (items, texts, cut, stage) => {
      const event = abandonedEvent(1);
      const { items: _items, ...summary } = event.data.cart;
      // As it was parsed: -0 and the like are gone then.
      const parsed = JSON.parse(JSON.stringify(items)) as typeof items;
      const cart = cut ? { ...summary, session_key: 'session:x' } : { items: parsed, ...summary };
      const changed = { ...event, data: { ...event.data, ...texts, stage, cart } };
      expect(JSON.stringify(throughTheStore(changed))).toBe(JSON.stringify(changed));
    }),
  );
});

test('a packed announcement is less than half of its event', () => {
  const event = abandonedEvent(1);
  expect(packEvent(event).length * 2).toBeLessThan(JSON.stringify(event).length);
});

test.each(['', '{', 'hello', '7'])('%j is no packed event', (text) => {
  expect(() => unpackEvent({ user: 'ann' }, 'id', text)).toThrow();
});
