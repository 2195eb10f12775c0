import type { Cart } from '../../src/model/cart.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { LookWorld } from './look-world.ts';
import { partsOf } from './race-truth.ts';
import type { Deed, Truth, Write } from './race-truth.ts';

/** Does to the session what a write says, and tells the truth of it. */
export async function happen(
  world: LookWorld,
  truth: Truth,
  user: string,
  write: Write,
  at: number,
): Promise<void> {
  const [by, deed] = partsOf(write);
  const cart = cartAfter(deed, truth);
  truth.happened(write, cart, at);
  await (by === 'library' ? byLibrary : byAnother)(world, user, deed, cart, at);
}

/**
 * An order takes the first item, and leaves what else there is. What is added was never there before: of what other
 * programs write, only that shows as an addition.
 */
function cartAfter(deed: Deed, { cart, writes }: Truth): Cart {
  if (deed === 'orders') return cart.slice(1);
  if (deed !== 'adds' && deed !== 'slips in') return cart;
  const some = cart.length === 0 ? ['a', 'b'] : ['a'];
  const added = some.map((one) => ({ product_id: `${writes} ${one}`, quantity: 1, price: 5 }));
  return [...cart, ...added];
}

async function byLibrary(
  { library }: LookWorld,
  user: string,
  deed: Deed,
  cart: Cart,
  at: number,
): Promise<void> {
  if (deed === 'views') await library.recordActivity(user, { at });
  else if (deed === 'adds') await library.updateCart(user, cart, { at });
  else if (deed === 'orders') await library.placeOrder(user, { at, cart });
  else throw new Error(`the library never ${deed}`);
}

async function byAnother(
  { hot: { raw, keys } }: LookWorld,
  user: string,
  deed: Deed,
  items: Cart,
  at: number,
): Promise<void> {
  const key = keys.session(user);
  const last_activity = formatInstant(at);
  const cart = JSON.stringify(items);
  if (deed === 'deletes') return raw.del(key);
  const fields: Record<Exclude<Deed, 'deletes'>, Record<string, string>> = {
    views: { last_activity },
    adds: { last_activity, cart },
    orders: { last_activity, cart, last_order_at: last_activity },
    'notes order': { last_order_at: last_activity },
    'slips in': { cart },
    chats: { language: `language ${at}` },
  };
  return raw.hset(key, fields[deed]);
}
