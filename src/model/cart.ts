import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Problem } from './problem.ts';

/**
 * One line of a cart. Unknown keys are kept: a shop knows more of its goods than we do.
 * `price` is per unit, in the shop's currency.
 */
export interface CartItem {
  readonly product_id: string | number;
  readonly size?: string | number | null | undefined;
  readonly quantity?: number | undefined;
  readonly price?: number | null | undefined;
  readonly [key: string]: unknown;
}

/** What is in a cart. */
export type Cart = readonly CartItem[];

/** Bounded, so that no sum over a cart is infinite: an event could not hold it. */
const numeric = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ])
  .refine((value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER, 'absurdly large');

const cartSchema = z.array(
  z.looseObject({
    product_id: z.union([z.string().min(1), z.number()]),
    size: z.union([z.string(), z.number(), z.null()]).optional(),
    quantity: z
      .union([numeric, z.null().transform(() => undefined)])
      .refine((quantity) => quantity === undefined || quantity >= 0, 'a quantity is not negative')
      .optional(),
    price: z.union([numeric, z.null()]).optional(),
  }),
);

const LARGE_INTEGER = /\d{16}/;

/** An id above 2^53 would be rounded by JSON.parse; it is kept as the text that was written. */
function keepLargeIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    source &&
    /^-?\d+$/.test(source)
    ? source
    : value;
}

/** Some thousand levels are understood, but overflow the stack when an event is to be written. */
const DEPTH_MAX = 64;

/** More opening ones than that; hardly any cart has so many, and a regular expression counts them faster. */
const MANY_BRACKETS = /(?:[[{][^[{]*){65}/;

function nestsTooDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') inText = !inText;
    else if (inText) at += character === '\\' ? 1 : 0;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}

export type ParsedCart = { readonly items: Cart } | { readonly problem: Problem };

/** Reads a cart as other programs write it: a JSON array of items. A missing or empty text is an empty cart. */
export function parseCart(text: string | undefined): ParsedCart {
  if (text === undefined || text === '' || text === '[]') return { items: [] };
  if (MANY_BRACKETS.test(text) && nestsTooDeep(text)) {
    const detail = `the field cart is nested deeper than ${DEPTH_MAX} levels`;
    return { problem: { reason: 'cart_item_invalid', detail } };
  }
  let value: unknown;
  try {
    // A reviver costs more than the rest of the parse, and hardly any cart has a number that needs it.
    value = LARGE_INTEGER.test(text) ? JSON.parse(text, keepLargeIntegers) : JSON.parse(text);
  } catch {
    return { problem: { reason: 'cart_not_json', detail: 'the field cart is no JSON' } };
  }
  if (isPlainCart(value)) return { items: value };
  const parsed = cartSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
    return {
      problem: {
        reason: Array.isArray(value) ? 'cart_item_invalid' : 'cart_not_array',
        detail: `the field cart${where}: ${issue?.message ?? 'not understood'}`,
      },
    };
  }
  return { items: (parsed.data as Cart).filter((item) => item.quantity !== 0) };
}

/** Most carts are what the schema would make of them: they need not go through it, which took 3 % of a drain's client time. */
function isPlainCart(value: unknown): value is Cart {
  return (
    Array.isArray(value) &&
    value.every((item: Readonly<Record<string, unknown>> | null) => {
      if (typeof item !== 'object' || item === null) return false;
      const { product_id: product, size, quantity = 1, price = 0 } = item;
      return (
        (Number.isFinite(product) || (typeof product === 'string' && product !== '')) &&
        (size === undefined || typeof size === 'string') &&
        typeof quantity === 'number' &&
        quantity > 0 &&
        quantity <= Number.MAX_SAFE_INTEGER &&
        typeof price === 'number' &&
        Math.abs(price) <= Number.MAX_SAFE_INTEGER
      );
    })
  );
}

/** Sum of price × quantity; an item without a price counts nothing. */
export function cartValue(cart: Cart): number {
  let cents = 0;
  for (const item of cart) cents += Math.round((item.price ?? 0) * 100) * (item.quantity ?? 1);
  return cents / 100;
}

function itemIdentity(item: CartItem): string {
  return JSON.stringify([String(item.product_id), item.size == null ? '' : String(item.size)]);
}

/**
 * The contents of a cart, small enough to keep beside every user: for each distinct item 6 characters of its
 * hash and its quantity, sorted (`Zk3a0Q1,b81_xw2`). Two carts with the same contents have the same digest.
 */
export function cartDigest(cart: Cart): string {
  if (cart.length === 0) return '';
  const [only] = cart;
  if (only && cart.length === 1) return itemHash(only) + String(only.quantity ?? 1);
  const quantities = new Map<string, number>();
  for (const item of cart) {
    const id = itemHash(item);
    quantities.set(id, (quantities.get(id) ?? 0) + (item.quantity ?? 1));
  }
  return [...quantities]
    .map(([id, quantity]) => id + String(quantity))
    .sort()
    .join(',');
}

/** The same goods lie in many carts. */
function itemHash(item: CartItem): string {
  const identity = itemIdentity(item);
  let id = itemHashes.get(identity);
  if (id === undefined) {
    id = hash('sha1', identity, 'base64url').slice(0, 6);
    if (itemHashes.size >= HASHES_KEPT) itemHashes.clear();
    itemHashes.set(identity, id);
  }
  return id;
}

/** A bound on the memo. */
const HASHES_KEPT = 20_000;
const itemHashes = new Map<string, string>();

/** True if `now` holds an item, or more of an item, that `before` did not. */
export function digestShowsAddition(before: string, now: string): boolean {
  const quantities = new Map(
    before.split(',').map((part) => [part.slice(0, 6), Number(part.slice(6))]),
  );
  return (
    now !== '' &&
    now.split(',').some((part) => Number(part.slice(6)) > (quantities.get(part.slice(0, 6)) ?? 0))
  );
}

/** Identifies a cart's contents across programs: sha256 of product, size and quantity, sorted; 32 hex digits. */
export function cartFingerprint(cart: Cart): string {
  const lines = cart.map((item) => `${itemIdentity(item)}×${String(item.quantity ?? 1)}`).sort();
  return hash('sha256', lines.join('\n'), 'hex').slice(0, 32);
}
