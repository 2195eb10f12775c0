import { beforeEach, describe, expect, test } from 'vitest';
import { Activity } from '../../src/abandonment/activity.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { UsageError } from '../../src/model/errors.ts';
import type { Message } from '../../src/model/message.ts';
import { memoryHot } from '../support/memory-hot.ts';

const T = 1_800_000_000_000;

let now: number;
let hot: ReturnType<typeof memoryHot>;
let activity: Activity;
beforeEach(() => {
  now = T;
  hot = memoryHot(() => now);
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  activity = new Activity(
    hot.sessions,
    clock,
    { hotTtlMs: DAY_MS, maxCart: 1_000 },
    (text) => text.length,
  );
});

function fields(user = 'ann'): Promise<Record<string, string>> {
  return hot.raw.hgetall(hot.keys.session(user));
}

describe('an activity', () => {
  test('sets what it says of the session, under the names that all programs share', async () => {
    await activity.recordActivity('ann', {
      channel: 'web',
      language: 'hi',
      intent: 'buy',
      topic: 'shoes',
      phone: '+49',
      timezone: 'Asia/Kolkata',
      fields: { colour: 'red' },
    });
    expect(await fields()).toMatchObject({
      active_channel: 'web',
      language: 'hi',
      current_intent: 'buy',
      topic: 'shoes',
      phone: '+49',
      timezone: 'Asia/Kolkata',
      colour: 'red',
      last_activity: '1800000000',
    });
  });

  test('may have happened earlier than it is told, and moves nothing back', async () => {
    await activity.recordActivity('ann');
    await activity.recordActivity('ann', { at: T - DAY_MS });
    expect((await fields())['last_activity']).toBe('1800000000');
  });

  test.each(['cart', 'rekindle', 'last_activity', 'last_order_at', 'context_tokens'])(
    'cannot set %s, which the library keeps in step',
    async (name) => {
      await expect(activity.recordActivity('ann', { fields: { [name]: 'x' } })).rejects.toThrow(
        UsageError,
      );
      expect(await fields()).toEqual({});
    },
  );

  test('can set a field of any other name', async () => {
    await activity.recordActivity('ann', {
      fields: JSON.parse('{"__proto__":"x","":"y"}') as Record<string, string>,
    });
    expect(Object.entries(await fields())).toEqual(
      expect.arrayContaining([
        ['__proto__', 'x'],
        ['', 'y'],
      ]),
    );
  });

  test.each(['', 'x'.repeat(513), '🛒'.repeat(129), '\ud800', 'a\ufffd'])(
    'is not for a user %j',
    async (user) => {
      await expect(activity.recordActivity(user)).rejects.toThrow(UsageError);
      await expect(activity.readSession(user)).rejects.toThrow(UsageError);
    },
  );

  test.each([0, -1, 1.5, NaN, Infinity, 8.7e15])('is not at %d', async (at) => {
    await expect(activity.recordActivity('ann', { at })).rejects.toThrow(UsageError);
    expect(await fields()).toEqual({});
  });
});

describe('a message', () => {
  test('of the user is activity and opens the service window anew', async () => {
    await activity.appendMessage('ann', { role: 'user', content: 'hello' });
    expect(await fields()).toMatchObject({
      last_activity: '1800000000',
      last_inbound_at: '1800000000',
      context_tokens: '5',
    });
  });

  test('of an assistant is neither', async () => {
    await activity.appendMessage('ann', { role: 'assistant', content: 'hello' });
    expect(await fields()).not.toHaveProperty('last_activity');
    expect(await fields()).not.toHaveProperty('last_inbound_at');
  });

  test('keeps its id, its instant and what Rekindle does not know', async () => {
    const message: Message = {
      id: 'm1',
      role: 'user',
      content: [{ type: 'text', text: 'hi' }],
      at: T - 5,
      mood: 'good',
    };
    expect(await activity.appendMessage('ann', message)).toBe('m1');
    expect((await activity.readSession('ann'))?.messages).toEqual([{ ...message, tokens: 2 }]);
  });

  test('without an id is given one, and its own count of tokens is not believed', async () => {
    const id = await activity.appendMessage('ann', { role: 'user', content: 'hi', tokens: 999 });
    expect((await activity.readSession('ann'))?.messages).toEqual([
      { id, role: 'user', content: 'hi', at: T, tokens: 2 },
    ]);
  });

  test.each([
    { role: '', content: 'x' },
    { content: 'x' },
    { role: 'user' },
    { role: 'user', content: 5 },
  ])('such as %j is refused', async (message) => {
    await expect(activity.appendMessage('ann', message as Message)).rejects.toThrow(UsageError);
  });
});

describe('a cart', () => {
  test('by an assistant is no activity', async () => {
    await activity.updateCart('ann', [{ product_id: 'a' }], { by: 'assistant' });
    expect(await fields()).not.toHaveProperty('last_activity');
  });

  test('that could not be read again, or is too large, is refused', async () => {
    await expect(activity.updateCart('ann', [{ product_id: '' }])).rejects.toThrow(UsageError);
    await expect(
      activity.updateCart('ann', [{ product_id: 'a', note: 'x'.repeat(1_000) }]),
    ).rejects.toThrow(/REKINDLE_MAX_CART/);
    expect(await fields()).toEqual({});
  });

  test('is left empty by an order, unless it is said what stays', async () => {
    await activity.updateCart('ann', [{ product_id: 'a' }, { product_id: 'b' }]);
    await activity.placeOrder('ann', { orderId: 'o1', cart: [{ product_id: 'b' }] });
    expect(await fields()).toMatchObject({
      cart: '[{"product_id":"b"}]',
      order_id: 'o1',
      last_order_at: '1800000000',
    });
    await activity.placeOrder('ann');
    expect((await fields())['cart']).toBe('[]');
  });
});

describe('a session', () => {
  test('is over for readers a while after its last activity, and not before', async () => {
    await activity.recordActivity('ann');
    now = T + DAY_MS - 1;
    expect(await activity.readSession('ann')).toBeDefined();
    now = T + DAY_MS;
    expect(await activity.readSession('ann')).toBeUndefined();
    expect(await fields()).not.toEqual({});
  });

  test('of others is over when they say so', async () => {
    await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
    expect(await activity.readSession('ann')).toMatchObject({ ours: false });
  });

  test('that was ended is none, until the next write opens another', async () => {
    await activity.recordActivity('ann', { topic: 'shoes' });
    await activity.endSession('ann');
    expect(await activity.readSession('ann')).toBeUndefined();
    await activity.recordActivity('ann');
    expect((await activity.readSession('ann'))?.fields).not.toHaveProperty('topic');
  });
});
