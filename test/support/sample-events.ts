import { createHash } from 'node:crypto';
import { erasureEventId, stageEventId, touchEventId } from '../../src/model/event.ts';
import type { AnyEvent, RekindleEvent } from '../../src/model/event.ts';

const AT = Date.UTC(2026, 2, 1, 12, 0, 0);

/** The announcement of the n-th sample user's quiet cart. The same number gives the same event. */
export function abandonedEvent(n: number): RekindleEvent<'cart.abandoned'> {
  const user = `user-${n}`;
  return {
    ...attributes('cart.abandoned', user, 1),
    data: {
      user,
      session_id: null,
      episode: new Date(AT - 3_600_000).toISOString(),
      stage: 0,
      stages: 3,
      last_activity: new Date(AT - 1_800_000).toISOString(),
      idle_seconds: 1_800,
      cart: {
        items: [{ product_id: `p-${n}`, size: 'M', quantity: 2, price: 19.9 }],
        count: 1,
        value: 39.8,
        fingerprint: createHash('sha256').update(user).digest('hex').slice(0, 32),
      },
      channel: 'whatsapp',
      language: 'en',
      intent: null,
      contact: {
        allowed: 'yes',
        basis: 'opt-in',
        not_before: null,
        service_window_expires_at: null,
      },
      valid_until: new Date(AT + 72_000_000).toISOString(),
    },
  };
}

/** What takes that announcement back. */
export function cancelledEvent(n: number): RekindleEvent<'cart.rescue_cancelled'> {
  const user = `user-${n}`;
  return {
    ...attributes('cart.rescue_cancelled', user, 2),
    data: {
      user,
      episode: new Date(AT - 3_600_000).toISOString(),
      stage: 0,
      reason: 'resumed',
      last_activity: new Date(AT).toISOString(),
      announcement_id: abandonedEvent(n).id,
    },
  };
}

/** A rescue message that was sent for that announcement. */
export function touchedEvent(n: number, channel = 'whatsapp'): RekindleEvent<'cart.touched'> {
  const { user, episode, stage } = abandonedEvent(n).data;
  const touch = { stage, channel, message_id: `message-${n}` };
  return {
    ...attributes('cart.touched', user, 3),
    id: touchEventId('test', { user }, AT - 3_600_000, touch),
    data: {
      ...{ user, episode, ...touch },
      announcement_id: abandonedEvent(n).id,
      at: new Date(AT + 60_000).toISOString(),
    },
  };
}

/** The order that this message brought. */
export function recoveredEvent(n: number): RekindleEvent<'cart.recovered'> {
  const { user, episode, stage, cart } = abandonedEvent(n).data;
  const { channel, message_id, at } = touchedEvent(n).data;
  return {
    ...attributes('cart.recovered', user, 4),
    data: {
      ...{ user, episode, stage },
      announcement_id: abandonedEvent(n).id,
      class: 'assisted',
      ordered_at: new Date(AT + 120_000).toISOString(),
      order_id: `order-${n}`,
      value: cart.value,
      touch: { stage, channel, message_id, at },
    },
  };
}

/** The end of that user, after all of these. */
export function erasedEvent(n: number): RekindleEvent<'user.erased'> {
  const { user } = abandonedEvent(n).data;
  const erasedAt = AT + 180_000;
  return {
    ...attributes('user.erased', user, 5),
    id: erasureEventId('test', user, erasedAt),
    data: { user, erased_at: new Date(erasedAt).toISOString() },
  };
}

/** Announcements `from` … `from + count - 1`. */
export function abandonedEvents(count: number, from = 0): AnyEvent[] {
  return Array.from({ length: count }, (_, i) => abandonedEvent(from + i));
}

function attributes<T extends AnyEvent['type']>(
  type: T,
  user: string,
  sequence: number,
): Omit<RekindleEvent<T>, 'data'> {
  return {
    specversion: '1.0',
    // Those that no stage has get one of their own.
    id:
      type === 'cart.touched' || type === 'user.erased'
        ? ''
        : stageEventId(type, 'test', user, AT - 3_600_000, 0),
    source: '/test',
    type,
    subject: encodeURIComponent(user),
    time: new Date(AT).toISOString(),
    datacontenttype: 'application/json',
    dataschema: `urn:rekindle:schema:${type}:1`,
    sequence: String(sequence).padStart(16, '0'),
  };
}
