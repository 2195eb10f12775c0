import { describe, expect, test } from 'vitest';
import { type Terms, compare, expectationOf } from '../../src/demo/expectations.ts';
import type { Deed } from '../../src/demo/shop.ts';
import { timingFor } from '../../src/demo/timing.ts';
import { locate, wrongWith } from '../../src/demo/whereabouts.ts';
import type { Cart } from '../../src/model/cart.ts';
import type { RescueEvent, CartAbandonedData, RescueCancelledData } from '../../src/model/event.ts';

const TERMS: Terms = { stagesMs: [3_000, 8_000], sureMs: 1_500, noticeMs: 1_000 };
const CART: Cart = [{ product_id: 'shawl', price: 20, quantity: 1 }];
const LATE = 1_000_000;

describe('what the demo expects of the pipeline', () => {
  test('a cart that is left is announced once for each stage', () => {
    expect(expected(cart(100))).toEqual(['announced 0 at 3100', 'announced 1 at 8100']);
  });

  test('nothing is expected of who has no cart, orders in time, or empties the cart', () => {
    expect(expected(touch(100))).toEqual([]);
    expect(expected(cart(100), order(1_000))).toEqual([]);
    expect(expected(cart(100), cart(1_000, []))).toEqual([]);
  });

  test('who comes back is taken back, and the next silence goes on with the next stage', () => {
    expect(expected(cart(100), touch(5_000))).toEqual([
      'announced 0 at 3100',
      'cancelled 0 at 5000: resumed',
      'announced 1 at 13000',
    ]);
  });

  test('an order, an emptied cart and an opt-out end it', () => {
    for (const [deed, why] of [
      [order(5_000), 'ordered'],
      [cart(5_000, []), 'emptied'],
      [optOut(5_000), 'opted_out'],
    ] as const) {
      expect(expected(cart(100), deed)).toEqual([
        'announced 0 at 3100',
        `cancelled 0 at 5000: ${why}`,
      ]);
    }
  });

  test('an order at the heels of a return may be what is seen of both', () => {
    expect(expected(cart(100), touch(5_000), order(5_500))[1]).toBe(
      'cancelled 0 at 5000: resumed ordered',
    );
  });

  test('another cart after an order is another episode, but not after an opt-out', () => {
    expect(expected(cart(100), order(500), cart(1_000))).toEqual([
      'announced 0 at 4000',
      'announced 1 at 9000',
    ]);
    expect(expected(cart(100), optOut(500), cart(1_000))).toEqual([]);
  });

  test('who does something just as it is due makes the rest too close to call', () => {
    expect(expectationOf([cart(0), touch(4_000)], TERMS)).toEqual({ events: [], undecided: true });
    const slow = { ...touch(2_990), knownAt: 3_010 };
    expect(expectationOf([cart(0), slow], TERMS)).toEqual({ events: [], undecided: true });
  });
});

describe('what was heard against what was expected', () => {
  const deeds = [cart(100), order(5_000)];

  test('the right events in the right order pass', () => {
    expect(difference(deeds, [announced(0, 100), cancelled(0, 'ordered')])).toEqual('');
  });

  test('what is missing or was not called for is told', () => {
    expect(difference(deeds, [])).toBe('2 missing');
    expect(difference(deeds, [announced(0, 100)])).toBe('1 missing');
    expect(difference(deeds, [announced(0, 100), announced(1, 100)])).toBe(
      '1 missing, 1 unexpected',
    );
    expect(difference(deeds, [cancelled(0, 'ordered')])).toBe('2 missing, 1 unexpected');
    expect(difference([touch(100)], [announced(0, 100)])).toBe('1 unexpected');
  });

  test('a wrong instant, cart or reason is no match', () => {
    const rest = cancelled(0, 'ordered');
    expect(difference(deeds, [announced(0, 101), rest])).not.toBe('');
    expect(difference(deeds, [announced(0, 100, { count: 2 }), rest])).not.toBe('');
    expect(difference(deeds, [announced(0, 100), cancelled(0, 'resumed')])).not.toBe('');
  });

  test('what is due after the end may be heard or not', () => {
    const alone = [cart(100)];
    expect(difference(alone, [announced(0, 100)], 5_000)).toBe('');
    expect(difference(alone, [announced(0, 100), announced(1, 100)], 5_000)).toBe('');
    expect(difference(alone, [], 5_000)).toBe('1 missing');
  });
});

describe('where the messages are', () => {
  const said = ['1', '2', '3'];

  test('each in hot, in warm or in both, and once in either, is right', () => {
    const found = locate(said, ['2', '3'], ['1', '2']);
    expect(found).toMatchObject({ said: 3, hot: 1, warm: 1, both: 1 });
    expect(wrongWith(found)).toBeUndefined();
    expect(wrongWith(locate([], [], []))).toBeUndefined();
  });

  test('what was compacted stands in cold, and in warm no longer', () => {
    const found = locate(said, ['3'], ['2', '3'], ['1']);
    expect(found).toMatchObject({ said: 3, hot: 0, warm: 1, both: 1, cold: 1 });
    expect(wrongWith(found)).toBeUndefined();
    expect(wrongWith(locate(said, [], ['1', '2', '3'], ['1']))).toBe('messages repeated: 1');
    expect(wrongWith(locate(said, [], ['2', '3'], ['1', '1']))).toBe('messages repeated: 1');
    expect(wrongWith(locate(said, [], ['2', '3'], ['1', '4']))).toBe('messages unknown: 1');
  });

  test.each([
    ['lost: 1', ['2'], ['1']],
    ['repeated: 1', ['2', '3', '3'], ['1']],
    ['repeated: 1', ['2', '3'], ['1', '1']],
    ['unknown: 1', ['2', '3', '4'], ['1']],
    ['lost: 3', [], []],
  ])('%s is told', (wrong, hot, warm) => {
    expect(wrongWith(locate(said, hot, warm))).toBe(`messages ${wrong}`);
  });
});

test.each([5, 6, 10, 20, 60])(
  'in %i seconds a session outlives a return after the first announcement, and none after the second',
  (seconds) => {
    const { stagesMs, sureMs, hotLifeMs } = timingFor(seconds);
    const [first, second] = stagesMs;
    expect(hotLifeMs).toBeGreaterThan(first * 1.2 + sureMs * 1.1 + first / 4);
    expect(hotLifeMs).toBeLessThan(second + sureMs * 1.1 - first / 4);
  },
);

function touch(at: number): Deed {
  return { did: 'touched', at, knownAt: at + 1, cart: CART };
}

function cart(at: number, items = CART): Deed {
  return { did: 'changed the cart', at, knownAt: at + 1, cart: items };
}

function order(at: number): Deed {
  return { did: 'ordered', at, knownAt: at + 1, cart: [] };
}

function optOut(at: number): Deed {
  return { did: 'opted out', at, knownAt: at + 1, cart: CART };
}

function expected(...deeds: Deed[]): string[] {
  return expectationOf(deeds, TERMS).events.map((event) =>
    event.type === 'cart.abandoned'
      ? `announced ${event.stage} at ${event.dueAt}`
      : `cancelled ${event.stage} at ${event.dueAt}: ${event.reasons.join(' ')}`,
  );
}

function difference(deeds: Deed[], heard: RescueEvent[], until = LATE): string {
  const { missing, unexpected } = compare(expectationOf(deeds, TERMS), heard, until);
  return [
    ...(missing.length > 0 ? [`${missing.length} missing`] : []),
    ...(unexpected.length > 0 ? [`${unexpected.length} unexpected`] : []),
  ].join(', ');
}

function announced(stage: number, activityAt: number, cartOf = {}): RescueEvent {
  const data = {
    stage,
    last_activity: new Date(activityAt).toISOString(),
    cart: { count: 1, value: 20, fingerprint: '', ...cartOf },
  };
  return {
    type: 'cart.abandoned',
    id: `a${stage}`,
    data: data as CartAbandonedData,
  } as RescueEvent;
}

function cancelled(stage: number, reason: RescueCancelledData['reason']): RescueEvent {
  const data = { stage, reason, announcement_id: `a${stage}` };
  return {
    type: 'cart.rescue_cancelled',
    id: `c${stage}`,
    data: data as RescueCancelledData,
  } as RescueEvent;
}
