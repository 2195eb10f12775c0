import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cartDigest,
  cartFingerprint,
  cartValue,
  digestShowsAddition,
  parseCart,
} from '../../src/model/cart.ts';
import type { Cart } from '../../src/model/cart.ts';

function read(text: string | undefined): Cart {
  const parsed = parseCart(text);
  if ('problem' in parsed) throw new Error(parsed.problem.detail);
  return parsed.items;
}

function reasonOf(text: string): string | undefined {
  const parsed = parseCart(text);
  return 'problem' in parsed ? parsed.problem.reason : undefined;
}

describe('a cart', () => {
  test.each([undefined, '', '[]', ' [ ] '])('of %j is empty', (text) => {
    expect(read(text)).toEqual([]);
  });

  test('keeps what Rekindle does not know of its items', () => {
    const text = '[{"product_id":"a","colour":{"hex":"#fff"},"tags":[1,null]}]';
    expect(read(text)).toEqual(JSON.parse(text));
  });

  test('has no line of quantity 0', () => {
    expect(read('[{"product_id":"a","quantity":0},{"product_id":"b"}]')).toEqual([
      { product_id: 'b' },
    ]);
  });

  test('reads numbers that were written as texts', () => {
    expect(read('[{"product_id":"a","quantity":"2","price":"19.90"}]')).toEqual([
      { product_id: 'a', quantity: 2, price: 19.9 },
    ]);
  });

  test('reads what other programs leave empty as absent', () => {
    const cart = read('[{"product_id":"a","size":null,"quantity":null,"price":null}]');
    expect(cartValue(cart)).toBe(0);
    expect(cartDigest(cart)).toBe(cartDigest([{ product_id: 'a' }]));
  });

  test('keeps ids beyond 2^53 to the last digit, as texts', () => {
    expect(read('[{"product_id":9007199254740993}]')).toEqual([{ product_id: '9007199254740993' }]);
    expect(read('[{"product_id":-9007199254740993}]')).toEqual([
      { product_id: '-9007199254740993' },
    ]);
    expect(read('[{"product_id":9007199254740991}]')).toEqual([
      { product_id: 9_007_199_254_740_991 },
    ]);
  });

  test.each([
    ['cart_not_json', '[{'],
    ['cart_not_json', 'undefined'],
    ['cart_not_array', 'null'],
    ['cart_not_array', '{"product_id":"a"}'],
    ['cart_not_array', '"[]"'],
    ['cart_not_array', '7'],
    ['cart_item_invalid', '[null]'],
    ['cart_item_invalid', '[["a"]]'],
    ['cart_item_invalid', '[{}]'],
    ['cart_item_invalid', '[{"product_id":""}]'],
    ['cart_item_invalid', '[{"product_id":"a","quantity":"many"}]'],
    ['cart_item_invalid', '[{"product_id":"a","quantity":-1}]'],
    ['cart_item_invalid', '[{"product_id":"a","price":"-5"}]'],
    ['cart_item_invalid', '[{"product_id":"a","price":1e400}]'],
    ['cart_item_invalid', '[{"product_id":"a","price":1e308}]'],
    ['cart_item_invalid', `[{"product_id":"a","quantity":"${'9'.repeat(400)}"}]`],
  ])('is not understood (%s): %s', (reason, text) => {
    expect(reasonOf(text)).toBe(reason);
  });

  test.each([100, 1_000, 30_000])('nested %i deep is not understood', (deep) => {
    const nested = `${'['.repeat(deep)}${']'.repeat(deep)}`;
    expect(reasonOf(`[{"product_id":"a","x":${nested}}]`)).toBe('cart_item_invalid');
    expect(reasonOf(`[{"product_id":"a","x":${JSON.stringify(nested)}}]`)).toBeUndefined();
    expect(reasonOf(`[{"product_id":"a","x":"\\\"${nested}"}]`)).toBeUndefined();
  });

  test('says where the trouble is, not what it is', () => {
    const parsed = parseCart('[{"product_id":"a"},{"product_id":"b","quantity":"secret"}]');
    expect(parsed).toMatchObject({
      problem: { detail: expect.stringContaining('1.quantity') as string },
    });
    expect(JSON.stringify(parsed)).not.toContain('secret');
  });

  test('with a key __proto__ changes nothing else', () => {
    const [item] = read('[{"product_id":"a","__proto__":{"price":5}}]');
    expect(item?.price).toBeUndefined();
    expect(({} as { price?: number }).price).toBeUndefined();
  });
});

describe('the value of a cart', () => {
  test('is the sum of price times quantity, to the cent', () => {
    expect(cartValue([{ product_id: 'a', price: 0.1, quantity: 3 }])).toBe(0.3);
    expect(cartValue([{ product_id: 'a', price: 19.99 }, { product_id: 'b' }])).toBe(19.99);
    expect(cartValue([])).toBe(0);
  });

  test('is a number whatever is in the cart', () => {
    const most = {
      product_id: 'a',
      price: Number.MAX_SAFE_INTEGER,
      quantity: Number.MAX_SAFE_INTEGER,
    };
    const parsed = read(JSON.stringify(Array.from({ length: 500 }, () => most)));
    expect(Number.isFinite(cartValue(parsed))).toBe(true);
  });
});

const cartOf = fc.array(
  fc.record({
    product_id: fc.constantFrom('a', 'b', 'c', 1, 2),
    size: fc.constantFrom(undefined, 'M', 42),
    quantity: fc.integer({ min: 1, max: 5 }),
  }),
  { maxLength: 6 },
);

describe('the digest of a cart', () => {
  test('depends on contents alone: not on order, nor on how they are split into lines', () => {
    fc.assert(
      fc.property(cartOf, (cart) => {
        const split = cart.flatMap((item) =>
          Array.from({ length: item.quantity }, () => ({ ...item, quantity: 1 })),
        );
        expect(cartDigest(split.toReversed())).toBe(cartDigest(cart));
      }),
    );
  });

  test('shows an addition exactly when something is more than before', () => {
    const counts = (cart: Cart): Map<string, number> => {
      const found = new Map<string, number>();
      for (const { product_id, size, quantity } of cart) {
        const key = JSON.stringify([String(product_id), String(size ?? '')]);
        found.set(key, (found.get(key) ?? 0) + (quantity ?? 1));
      }
      return found;
    };
    fc.assert(
      fc.property(cartOf, cartOf, (before, now) => {
        const had = counts(before);
        const more = [...counts(now)].some(([key, quantity]) => quantity > (had.get(key) ?? 0));
        expect(digestShowsAddition(cartDigest(before), cartDigest(now))).toBe(more);
      }),
    );
  });

  test('tells sizes apart, and a product from a size', () => {
    const digests = [
      [{ product_id: 'a', size: 'M' }],
      [{ product_id: 'a', size: 'L' }],
      [{ product_id: 'a' }],
      [{ product_id: 'aM' }],
      [{ product_id: 'a', quantity: 2 }],
    ].map((cart) => cartDigest(cart));
    expect(new Set(digests).size).toBe(digests.length);
  });

  test('of an empty cart is empty', () => {
    expect(cartDigest([])).toBe('');
    expect(digestShowsAddition('', '')).toBe(false);
    expect(digestShowsAddition(cartDigest([{ product_id: 'a' }]), '')).toBe(false);
  });
});

test('the fingerprint of a cart is the same in any order, and 32 hex digits', () => {
  fc.assert(
    fc.property(cartOf, (cart) => {
      expect(cartFingerprint(cart.toReversed())).toBe(cartFingerprint(cart));
      expect(cartFingerprint(cart)).toMatch(/^[0-9a-f]{32}$/);
    }),
  );
});
