/** What the hot session gives: cart, state, and what was said last. */
import { type Cart, parseCart } from '../model/cart.ts';
import type { Said } from '../model/said.ts';
import type { Recent } from '../ports/records.ts';
import { Lately } from '../runtime/lately.ts';
import type { Piece, Taken } from './budget.ts';
import { cartText, headingOf, stateText, turnText } from './context.ts';
import { messageOf, turnPieces } from './pieces.ts';
import type { Dropped, Recalled } from './recalled.ts';
import { type Turn, normalised, turnOf } from './turn.ts';

type State = Readonly<Record<string, string>>;

export type HotThing =
  | { readonly id: string; readonly turn: Turn; readonly place: number }
  | { readonly id: 'cart'; readonly cart: Cart }
  | { readonly id: 'state'; readonly state: State };

/** Fields that are told. Others' own fields may hold what no model should see. */
const STATE = [
  'topic',
  'current_intent',
  'active_channel',
  'language',
  'last_order_at',
  'order_id',
];

/** What is read of a session. */
export const HOT_FIELDS = ['cart', ...STATE];

const HEADING = [headingOf('immediate')];

/** The most wanted first: cart and state, then messages from the newest on. */
export function hotPieces(recent: Recent, dropped: Dropped[]): Piece<HotThing>[] {
  const { fields, leftOut, messages, more } = recent;
  for (const id of leftOut)
    dropped.push({ tier: 'hot', reason: 'unreadable', id, detail: 'too large to be read' });
  if (more)
    dropped.push({ tier: 'hot', reason: 'unread', detail: 'older messages, beyond a page' });
  const turns = messages.map(hotTurn);
  return [
    ...cartPieces(fields['cart'], dropped),
    ...statePieces(fields),
    ...turnPieces(turns.toReversed(), turns, 'immediate').map((piece, age) => ({
      ...piece,
      of: { id: piece.of.id, turn: piece.of, place: turns.length - age },
    })),
  ];
}

/**
 * A message that is recalled again is understood, and worded, as before: a recall of ten takes 16 us beside its round trip,
 * and else 26.
 */
const TURNS = new WeakMap<Said, Turn>();

function hotTurn(one: Said): Turn {
  const known = TURNS.get(one);
  if (known) return known;
  const turn = turnOf(normalised(one), { conversation: 'hot' });
  const worded = { ...turn, lines: turnText(turn) };
  TURNS.set(one, worded);
  return worded;
}

/** Of as many users some hundred KB; a cart is understood and worded once, too, which takes 14 us. */
const CARTS_MAX = 1_000;
const carts = new Lately<readonly Piece<HotThing>[] | { readonly detail: string }>(CARTS_MAX);

function cartPieces(text: string | undefined, dropped: Dropped[]): readonly Piece<HotThing>[] {
  if (text === undefined) return [];
  const pieces = carts.of(text, understoodCart);
  if (!('detail' in pieces)) return pieces;
  dropped.push({ tier: 'hot', reason: 'unreadable', id: 'cart', detail: pieces.detail });
  return [];
}

function understoodCart(text: string): readonly Piece<HotThing>[] | { readonly detail: string } {
  const parsed = parseCart(text);
  if ('problem' in parsed) return { detail: parsed.problem.detail };
  // Whoever is given it is given the same again.
  const cart = parsed.items.map((item) => Object.freeze(item));
  if (cart.length === 0) return [];
  return [{ of: { id: 'cart', cart }, text: cartText(cart), headings: HEADING }];
}

function statePieces(fields: State): Piece<HotThing>[] {
  const told = STATE.flatMap((name): [string, string][] => {
    const value = fields[name];
    return value === undefined || value === '' ? [] : [[name, value]];
  });
  if (told.length === 0) return [];
  const state = Object.fromEntries(told);
  return [{ of: { id: 'state', state }, text: stateText(state), headings: HEADING }];
}

/** What was taken, messages in the order in which they were said. */
export function immediateOf(taken: readonly Taken<HotThing>[]): Recalled['immediate'] {
  const things = taken.map(({ of }) => of);
  const messages = taken
    .flatMap(({ of, tokens }) => ('turn' in of ? [{ of: of.turn, tokens, place: of.place }] : []))
    .toSorted((one, other) => one.place - other.place);
  return {
    cart: things.flatMap((thing) => ('cart' in thing ? thing.cart : [])),
    state: things.find((thing) => 'state' in thing)?.state ?? {},
    messages: messages.map(messageOf),
  };
}
