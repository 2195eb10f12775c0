/**
 * What an application that uses the library would do for each event of a visitor: its idea of the cart, and the writes
 * it would make. Shared by backtest and replay, so that the two can only differ in what lies behind a write.
 *
 *   addtocart        the item is in the cart; one that was in it already is there once more (its quantity grows)
 *   removefromcart   the item is out, however many of it
 *   purchase         an order; the item is out, if it was in at all
 *   view, fav, message   nothing happens to the cart
 *
 * Each of them is activity.
 */
import { type Cart, type CartItem, cartDigest } from '../model/cart.ts';
import { formatInstant } from '../model/instant.ts';
import type { SessionWrite } from '../ports/sessions.ts';
import type { ShopEvent } from './shop-event.ts';

/** `added`: the cart holds more than before. `changed`: no more than before. `ordered`: an order was placed. */
export type CartChange = 'added' | 'changed' | 'ordered';

/** A visitor's cart, as the application keeps it. */
export class VisitorCart {
  readonly #items = new Map<string, CartItem>();
  #json: string | undefined;
  #digest: string | undefined;

  get isEmpty(): boolean {
    return this.#items.size === 0;
  }

  /** @returns what happened to the cart; undefined: nothing that an application would write */
  apply({ kind, item, price }: ShopEvent): CartChange | undefined {
    switch (kind) {
      case 'addtocart':
        if (item === undefined) return undefined;
        this.#add(item, price);
        return 'added';
      case 'removefromcart':
        this.#take(item);
        return 'changed';
      case 'purchase':
        this.#take(item);
        return 'ordered';
      case 'view':
      case 'fav':
      case 'message':
        return undefined;
    }
  }

  toCart(): Cart {
    return [...this.#items.values()];
  }

  /** As the session's field `cart` holds it. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.toCart()));
  }

  get digest(): string {
    return (this.#digest ??= cartDigest(this.toCart()));
  }

  #add(item: string, price: number | undefined): void {
    const before = this.#items.get(item);
    const latestPrice = price ?? before?.price;
    this.#items.set(item, {
      product_id: item,
      quantity: (before?.quantity ?? 0) + 1,
      ...(latestPrice !== undefined && { price: latestPrice }),
    });
    this.#forgetTexts();
  }

  #take(item: string | undefined): void {
    if (item !== undefined && this.#items.delete(item)) this.#forgetTexts();
  }

  #forgetTexts(): void {
    this.#json = this.#digest = undefined;
  }
}

/**
 * The write that an application makes when `event` has done `change` to `cart`.
 * @param id of the message that tells of the event
 * @param profile fields that the application knows of the visitor
 */
export function sessionWrite(
  event: ShopEvent,
  change: CartChange | undefined,
  cart: VisitorCart,
  id: string,
  profile?: Readonly<Record<string, string>>,
): SessionWrite {
  const { kind, item, at } = event;
  const content = item === undefined ? kind : `${kind} ${item}`;
  return {
    user: event.user,
    at: event.at,
    activity: true,
    messages: [JSON.stringify({ role: kind === 'message' ? 'user' : 'event', content, id, at })],
    ...(change && { cart: { json: cart.json, digest: cart.digest } }),
    ...(profile && { fields: profile }),
    ...(change === 'ordered' && {
      ordered: true,
      fields: { ...profile, last_order_at: formatInstant(event.at) },
    }),
  };
}
