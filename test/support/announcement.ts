import type { Wanted } from '../../src/abandonment/wanted.ts';
import type { CartAbandonedData, Contact, RekindleEvent } from '../../src/model/event.ts';
import type { ReceivedEvent } from '../../src/rescue/received-event.ts';
import { abandonedEvent } from './sample-events.ts';

/** A contact that allows everything. */
export const FREE: Contact = {
  allowed: 'yes',
  basis: 'opt-in',
  not_before: null,
  service_window_expires_at: '2999-01-01T00:00:00.000Z',
};

/** An announcement of a cart with named goods. */
export function announcement(
  data: Partial<CartAbandonedData> = {},
): RekindleEvent<'cart.abandoned'> {
  const event = abandonedEvent(1);
  const items = [{ product_id: 'p1', name: 'Red shoes', size: 'M', quantity: 1, price: 19.9 }];
  const cart = { ...event.data.cart, items };
  return { ...event, data: { ...event.data, cart, ...data } };
}

/** What a handler did with an event in its hands. */
export interface InHands {
  readonly event: ReceivedEvent<'cart.abandoned'>;
  readonly deferredUntil: (number | string)[];
  /** How often it asked whether the event is still wanted. */
  readonly asked: () => number;
}

/** Puts an announcement into a handler's hands. @param answers to the question whether it is still wanted; the last one stays */
export function inHands(
  data: Partial<CartAbandonedData>,
  answers: readonly Wanted[] = [{ wanted: true, contact: FREE }],
  signal = new AbortController().signal,
): InHands {
  const deferredUntil: (number | string)[] = [];
  let asked = 0;
  const event = {
    ...announcement(data),
    attempt: 1,
    mayBeRepeat: false,
    signal,
    deferUntil: (at: number | string) => void deferredUntil.push(at),
    isStillWanted: () => {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      return answer ? Promise.resolve(answer) : Promise.reject(new Error('no answer'));
    },
  };
  return { event, deferredUntil, asked: () => asked };
}
