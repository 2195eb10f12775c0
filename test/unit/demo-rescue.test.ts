import { describe, expect, test } from 'vitest';
import { compareRecoveries } from '../../src/demo/recoveries.ts';
import { calledBack, messageProblems, unanswered } from '../../src/demo/rescue-checks.ts';
import type { Written } from '../../src/demo/rescue-desk.ts';
import type { Deed, Visit } from '../../src/demo/shop.ts';
import type { RecoveryClass, RekindleEvent } from '../../src/model/event.ts';
import type { OutgoingMessage } from '../../src/ports/outbox.ts';
import type { RescueOutcome } from '../../src/rescue/agent/outcome.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;

const CART = [{ product_id: 'shawl', price: 20, quantity: 1 }];
const LATE = 1_000_000;

describe('which orders are owed to the agent', () => {
  test('an order of an announced cart is told once, and no other', () => {
    expect(orders([cart(100), order(5_000)], { told: ['organic'] })).toEqual([]);
    expect(orders([cart(100), order(5_000)], { told: [] })).toEqual([
      'ann: no cart.recovered of ann-1',
    ]);
    expect(orders([cart(100), order(5_000)], { told: ['organic', 'organic'] })).toEqual([
      'ann: the order ann-1 was told more than once',
    ]);
    const before = [cart(10), order(50, 'ann-0'), cart(100), order(5_000)];
    expect(orders(before, { told: ['organic'] })).toEqual([]);
    expect(orders([cart(10), order(50)], { told: ['organic'] })).toEqual([
      'ann-1 is no order of an announced cart',
    ]);
  });

  test('it is owed to the message that went before it, was answered, or whose link it came by', () => {
    const sent = [written(3_100)];
    const plain = [cart(100), order(5_000)];
    expect(orders(plain, { told: ['assisted'], sent })).toEqual([]);
    expect(orders(plain, { told: ['organic'], sent })).toEqual([
      'ann: ann-1 is assisted, not organic',
    ]);
    const byLink = [cart(100), { ...order(5_000), ref: 'a0' }];
    expect(orders(byLink, { told: ['direct'], sent })).toEqual([]);
    expect(orders(byLink, { told: ['assisted'], sent })).toHaveLength(1);
    const answer: Deed = { did: 'touched', at: 4_000, knownAt: 4_001, cart: CART, answers: 'a0' };
    expect(orders([cart(100), answer, order(5_000)], { told: ['direct'], sent })).toEqual([]);
    expect(orders(plain, { told: ['assisted'], sent: [written(5_001)] })).toHaveLength(1);
  });

  test('one placed while the message was on its way may be owed to it or not', () => {
    const sent = [{ ...written(4_999), notedAt: 5_001 }];
    for (const told of ['assisted', 'organic'] as const)
      expect(orders([cart(100), order(5_000)], { told: [told], sent })).toEqual([]);
  });

  test('what was ordered at the very end may not be told yet', () => {
    expect(orders([cart(100), order(5_000)], { told: [], until: 4_999 })).toEqual([]);
  });
});

describe('whom the agent wrote to', () => {
  test('one message to who agreed, in their language and on their channel, is right', () => {
    expect(problems({})).toEqual([]);
  });

  test('a second message, one to who had not agreed, and one of the hold-out are told', () => {
    expect(problems({ messages: [message(), message()] })).toEqual([
      'ann: a message was sent twice',
    ]);
    expect(problems({ consents: false })).toEqual([
      'ann: a message went to somebody who had not agreed',
    ]);
    const heldOut = announcement('holdout');
    expect(problems({ announced: heldOut })).toEqual([
      'ann: a message went to one of the hold-out',
    ]);
    expect(problems({ messages: [{ ...message(), language: 'hi' }] })).toEqual([
      'ann: a message went by whatsapp in hi',
    ]);
    expect(problems({ messages: [{ ...message(), announcement_id: 'b7' }] })).toContain(
      'ann: a message answers no announcement',
    );
  });

  test('a message after what its user had done before the last check is told', () => {
    expect(problems({ deeds: [cart(100), order(3_050)] })).toEqual([
      'ann: a message was sent though its user had ordered before',
    ]);
    expect(problems({ deeds: [cart(100), order(3_099)] })).toEqual([]);
  });

  test('one that is missing in the outbox, and an announcement that came to nothing, are told', () => {
    expect(problems({ messages: [] })).toEqual(['ann: a message is not in the outbox']);
    expect(problems({ outcome: { did: 'skipped', why: 'scope' }, messages: [] })).toEqual([
      'ann: skipped for scope',
    ]);
    expect(problems({ outcome: null, messages: [] })).toEqual([
      'ann: nothing became of the announcement a0',
    ]);
  });

  test('who is cancelled or overtaken before anything was sent was called back', () => {
    const cancelled = { type: 'cart.rescue_cancelled', data: { announcement_id: 'a0' } };
    const heard = [announcement(), cancelled as never];
    const desk = { written: [], outcomes: new Map<string, RescueOutcome>() };
    expect(unanswered({ heard: heard.slice(0, 1), desk }, LATE)).toHaveLength(1);
    expect(unanswered({ heard: heard.slice(0, 1), desk }, 3_000)).toEqual([]);
    expect(unanswered({ heard, desk }, LATE)).toEqual([]);
    expect(calledBack({ heard, desk })).toBe(1);
    const later = { ...announcement(), id: 'a1', data: { ...announcement().data, stage: 1 } };
    expect(calledBack({ heard: [announcement(), later], desk })).toBe(1);
  });
});

interface Case {
  readonly told: readonly RecoveryClass[];
  readonly sent?: readonly Written[];
  readonly until?: number;
}

function orders(deeds: readonly Deed[], { told, sent = [], until = LATE }: Case): string[] {
  const recovered = told.map((one) => ({ data: { user: 'ann', order_id: 'ann-1', class: one } }));
  const compared = compareRecoveries(
    [visit(deeds)],
    [announcement()],
    recovered as never,
    { written: [...sent] },
    until,
  );
  return [...compared.missing, ...compared.wrong];
}

function problems({
  consents = true,
  announced = announcement(),
  deeds = [cart(100)],
  messages = [message()],
  outcome = { did: 'sent', channel: 'whatsapp' } as RescueOutcome | null,
}): string[] {
  const desk = { written: [written(3_100)], outcomes: new Map(outcome ? [['a0', outcome]] : []) };
  return messageProblems(
    { visits: [visit(deeds, consents)], heard: [announced], desk },
    messages,
    LATE,
  );
}

function visit(deeds: readonly Deed[], consents = true): Visit {
  const shopper = { user: 'ann', channel: 'whatsapp', language: 'en', consents, foreign: false };
  return { shopper, deeds, said: [] } as unknown as Visit;
}

/** Of a cart that was quiet from 100 on. */
function announcement(basis = 'opt-in'): Announcement {
  const data = { user: 'ann', episode: 'e', stage: 0, contact: { basis } };
  return {
    ...{ id: 'a0', type: 'cart.abandoned', time: new Date(3_100).toISOString() },
    data: { ...data, last_activity: new Date(100).toISOString() },
  } as Announcement;
}

/** Its last check began at 3,090. */
function written(sentAt: number): Written {
  return { announcement: announcement(), draftedAt: 3_090, sentAt, notedAt: sentAt + 1 };
}

function message(): OutgoingMessage {
  const known = { user: 'ann', channel: 'whatsapp', language: 'en', text: 'Hi!' };
  return { ...known, announcement_id: 'a0' } as OutgoingMessage;
}

function cart(at: number): Deed {
  return { did: 'changed the cart', at, knownAt: at + 1, cart: CART };
}

function order(at: number, orderId = 'ann-1'): Deed {
  return { did: 'ordered', at, knownAt: at + 1, cart: [], orderId };
}
