import type { Redis } from 'ioredis';
import { Activity } from '../../src/abandonment/activity.ts';
import type { Hot } from '../../src/compose.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { Writer } from './busy-shop.ts';

/** An application that uses the library. */
export function libraryWriter({ sessions, clock }: Pick<Hot, 'sessions' | 'clock'>): Writer {
  const limits = { hotTtlMs: DAY_MS, maxCart: 65_536 };
  const activity = new Activity(sessions, clock, limits, (text) => text.length);
  return async (user, { did, at, cart }) => {
    switch (did) {
      case 'touched':
        await activity.appendMessage(user, { role: 'user', content: 'is it still there?', at });
        return;
      case 'changed the cart':
        return activity.updateCart(user, cart, { at });
      case 'ordered':
        return activity.placeOrder(user, { at, cart });
      case 'opted out':
        return activity.optOut(user, { at });
    }
  };
}

/** A program that knows the session's fields and nothing of Rekindle. */
export function foreignWriter(redis: Redis): Writer {
  return async (user, { did, at, cart }) => {
    const fields: Record<string, string> =
      did === 'opted out'
        ? { consent: '{"status":"no"}' }
        : { last_activity: formatInstant(at), cart: JSON.stringify(cart) };
    if (did === 'ordered') fields['last_order_at'] = formatInstant(at);
    await redis.hset(`session:${user}`, fields);
  };
}
