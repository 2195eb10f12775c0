import { expect, test } from 'vitest';
import { cartDigest, parseCart } from '../../src/model/cart.ts';
import type { ShopEvent } from '../../src/replay/shop-event.ts';
import { VisitorCart, sessionWrite } from '../../src/replay/visitor.ts';

const AT = 1_659_304_800_025;

const doing = (kind: ShopEvent['kind'], item?: string, price?: number): ShopEvent => ({
  at: AT,
  user: 'ann',
  kind,
  item,
  price,
});

test('a cart holds what was added and neither removed nor bought since', () => {
  const cart = new VisitorCart();
  expect(cart.apply(doing('addtocart', 'shoe', 20))).toBe('added');
  expect(cart.apply(doing('addtocart', 'hat'))).toBe('added');
  expect(cart.apply(doing('addtocart', 'sock', 3.5))).toBe('added');
  expect(cart.apply(doing('removefromcart', 'hat'))).toBe('changed');
  expect(cart.apply(doing('purchase', 'sock'))).toBe('ordered');
  expect(cart.toCart()).toEqual([{ product_id: 'shoe', quantity: 1, price: 20 }]);
});

test('an item that is added again is there once more, at its latest price, and is taken out whole', () => {
  const cart = new VisitorCart();
  cart.apply(doing('addtocart', 'shoe', 20));
  expect(cart.apply(doing('addtocart', 'shoe', 18))).toBe('added');
  cart.apply(doing('addtocart', 'shoe'));
  expect(cart.toCart()).toEqual([{ product_id: 'shoe', quantity: 3, price: 18 }]);
  cart.apply(doing('removefromcart', 'shoe'));
  expect(cart.isEmpty).toBe(true);
  expect(cart.digest).toBe('');
});

test('looking around does nothing to the cart', () => {
  const cart = new VisitorCart();
  for (const kind of ['view', 'fav', 'message'] as const) {
    expect(cart.apply(doing(kind, 'shoe'))).toBeUndefined();
  }
  expect(cart.isEmpty).toBe(true);
});

test('a purchase is an order even of what was not in the cart', () => {
  const cart = new VisitorCart();
  cart.apply(doing('addtocart', 'shoe'));
  expect(cart.apply(doing('purchase', 'hat'))).toBe('ordered');
  expect(cart.isEmpty).toBe(false);
});

test('its texts are those of the cart as it is', () => {
  const cart = new VisitorCart();
  const agrees = (): void => {
    expect(parseCart(cart.json)).toEqual({ items: cart.toCart() });
    expect(cart.digest).toBe(cartDigest(cart.toCart()));
  };
  agrees();
  for (const kind of ['addtocart', 'addtocart', 'view', 'removefromcart', 'purchase'] as const) {
    cart.apply(doing(kind, 'shoe', 1));
    agrees();
  }
});

test('each event is one write of the application: activity and what tells of it, the cart when it changed, and orders', () => {
  const cart = new VisitorCart();
  const write = (event: ShopEvent) => sessionWrite(event, cart.apply(event), cart, '1');
  const told = (content: string, role = 'event'): string[] => [
    JSON.stringify({ role, content, id: '1', at: AT }),
  ];
  expect(write(doing('view', 'shoe'))).toEqual({
    user: 'ann',
    at: AT,
    activity: true,
    messages: told('view shoe'),
  });
  expect(write(doing('message'))).toMatchObject({ messages: told('message', 'user') });
  expect(write(doing('addtocart', 'shoe'))).toEqual({
    user: 'ann',
    at: AT,
    activity: true,
    messages: told('addtocart shoe'),
    cart: { json: '[{"product_id":"shoe","quantity":1}]', digest: cart.digest },
  });
  expect(write(doing('purchase', 'shoe'))).toEqual({
    user: 'ann',
    at: AT,
    activity: true,
    messages: told('purchase shoe'),
    ordered: true,
    fields: { last_order_at: '1659304800.025' },
    cart: { json: '[]', digest: '' },
  });
});
