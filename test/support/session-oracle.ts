/**
 * What is to come of a session that was never looked at before, told by its texts alone: written from the documents,
 * with nothing of what it judges but the digest of a cart.
 */
import { type CartItem, cartDigest } from '../../src/model/cart.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import type { ProblemReason } from '../../src/model/problem.ts';
import { POLICY_FIELDS } from '../../src/model/session.ts';
import type { HostileSession } from './hostile-session.ts';

export type Verdict =
  /** For one of these reasons. */
  | { readonly outcome: 'quarantined'; readonly reasons: ReadonlySet<ProblemReason> }
  | { readonly outcome: 'announced' }
  | { readonly outcome: 'waits'; readonly until: number }
  | { readonly outcome: 'nothing'; readonly why: string };

const FIRST_MS = 30 * MINUTE_MS;
const OVER_MS = 72 * HOUR_MS + 7 * DAY_MS;
const AHEAD_MS = 5 * MINUTE_MS;
const YEAR_9999 = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** With the stages 30m,20h,72h and the default limits. */
export function verdictOf({ user, session, ledger, optout }: HostileSession, now: number): Verdict {
  const nothing = (why: string): Verdict => ({ outcome: 'nothing', why });
  if (String(user).endsWith(':messages') && ('string' in session || 'list' in session) && !ledger)
    return nothing('the messages of another');
  const reasons = new Set<ProblemReason>();
  const id = Buffer.from(user);
  const isText = Buffer.from(id.toString()).equals(id) && !id.toString().includes('\u{FFFD}');
  if (!isText) reasons.add('user_id_not_utf8');
  if (id.length < 1 || id.length > 512) reasons.add('user_id_too_long');
  if (reasons.size > 0) return { outcome: 'quarantined', reasons };
  const fields = new Map<string, Buffer>();
  if (ledger) reasons.add('ledger_unreadable');
  if ('hash' in session)
    for (const [name, value] of session.hash) fields.set(String(name), Buffer.from(value));
  else reasons.add('wrong_key_type');
  const text = (name: string): string => fields.get(name)?.toString() ?? '';

  for (const name of POLICY_FIELDS)
    if (name !== 'cart' && (fields.get(name)?.length ?? 0) > 4_096) reasons.add('field_too_large');
  if ((fields.get('cart')?.length ?? 0) > 65_536) reasons.add('cart_too_large');
  const notes = notesOf(text('rekindle'));
  const activity = instantOf(text('last_activity'));
  if (text('last_activity') !== '' && activity === undefined) reasons.add('last_activity_invalid');
  if (!notes && activity === undefined) reasons.add('last_activity_missing');
  const order = instantOf(text('last_order_at'));
  if (text('last_order_at') !== '' && order === undefined) reasons.add('last_order_at_invalid');
  const consent = consentOf(text('consent'));
  if (consent === undefined) reasons.add('consent_invalid');
  const items = itemsOf(text('cart'));
  if (typeof items === 'string') reasons.add(items);
  if (reasons.size > 0 || typeof items === 'string') return { outcome: 'quarantined', reasons };

  if (items.length === 0) return nothing('an empty cart');
  if (consent === 'no' || optout !== undefined) return nothing('opted out');
  if (activity === undefined) return nothing('no activity yet');
  if (notes && notes.ended > 0) return nothing('ended');
  if (notes?.digest === cartDigest(items)) {
    if (notes.opened <= 0) return nothing('ordered or emptied, by its notes');
    const inItsSecond = order !== undefined && order % 1_000 === 0 ? order + 999 : (order ?? 0);
    const covered = notes.opened < (order ?? 0) && notes.added <= inItsSecond;
    if (covered) return nothing('ordered');
  } else if (order !== undefined) return nothing('ordered');

  const since = activity > now + AHEAD_MS ? now : activity;
  if (now - since < FIRST_MS) return { outcome: 'waits', until: since + FIRST_MS };
  return now - since < OVER_MS ? { outcome: 'announced' } : nothing('too long ago');
}

function instantOf(text: string): number | undefined {
  const parts = text.trim().split('.');
  const [whole = '', fraction] = parts;
  const isDigits = (part: string): boolean =>
    part !== '' && Array.from(part).every((one) => one >= '0' && one <= '9');
  if (parts.length > 2 || !isDigits(whole) || whole.length > 16) return undefined;
  if (fraction !== undefined && !isDigits(fraction)) return undefined;
  const value = Number(text);
  // Before the year 2000 in milliseconds: then it is seconds.
  const at = Math.round(value < Date.UTC(2000, 0) ? value * 1_000 : value);
  return at > 0 && !Number.isNaN(new Date(at).getTime()) ? at : undefined;
}

function notesOf(
  text: string,
): { ended: number; opened: number; added: number; digest: string } | undefined {
  const [epoch = '', ended = '', opened = '', added = '', ...digest] = text.split(';');
  const numbers = [epoch, ended, opened, added];
  if (
    digest.length === 0 ||
    numbers.some((part, at) => !(at === 2 ? /^-?\d+$/ : /^\d+$/).test(part))
  )
    return undefined;
  if (numbers.some((part) => Math.abs(Number(part)) > YEAR_9999)) return undefined;
  return {
    ended: Number(ended),
    opened: Number(opened),
    added: Number(added),
    digest: digest.join(';'),
  };
}

function consentOf(text: string): 'yes' | 'no' | 'unknown' | undefined {
  if (text === '') return 'unknown';
  if (text === 'yes' || text === 'no' || text === 'unknown') return text;
  const value = jsonOf(text);
  if (!isObject(value)) return undefined;
  const { status, basis, scope, at } = value;
  const right =
    (status === 'yes' || status === 'no' || status === 'unknown') &&
    (basis == null || typeof basis === 'string') &&
    (scope == null || (Array.isArray(scope) && scope.every((one) => typeof one === 'string'))) &&
    (at == null || typeof at === 'string' || Number.isFinite(at));
  return right ? status : undefined;
}

/** The items of a cart, or what is wrong with it. */
export function itemsOf(
  text: string,
): CartItem[] | 'cart_not_json' | 'cart_not_array' | 'cart_item_invalid' {
  if (text === '') return [];
  if (depthOf(text) > 64) return 'cart_item_invalid';
  const value = jsonOf(text);
  if (value === undefined) return 'cart_not_json';
  if (!Array.isArray(value)) return 'cart_not_array';
  const items = value.map(itemOf);
  if (items.includes(undefined)) return 'cart_item_invalid';
  return items.filter((item) => item !== undefined && item.quantity !== 0) as CartItem[];
}

function itemOf(item: unknown): CartItem | undefined {
  if (!isObject(item)) return undefined;
  const { product_id: product, size, quantity, price } = item;
  const isNumber = (value: unknown): boolean =>
    (typeof value === 'number' || (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value))) &&
    Math.abs(Number(value)) <= Number.MAX_SAFE_INTEGER;
  const right =
    (Number.isFinite(product) || (typeof product === 'string' && product !== '')) &&
    (size == null || typeof size === 'string' || Number.isFinite(size)) &&
    (quantity == null || (isNumber(quantity) && Number(quantity) >= 0)) &&
    (price == null || isNumber(price));
  if (!right) return undefined;
  return {
    product_id: product as string | number,
    size: size as string | number | null | undefined,
    quantity: quantity == null ? undefined : Math.abs(Number(quantity)),
  };
}

/** How deep its brackets nest, those within texts apart. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const bracket of text.replaceAll(/"(?:[^"\\]|\\.)*("|$)/gs, '')) {
    if (bracket === '[' || bracket === '{') deepest = Math.max(deepest, (depth += 1));
    else if (bracket === ']' || bracket === '}') depth -= 1;
  }
  return deepest;
}

function jsonOf(text: string): unknown {
  try {
    // Nothing that JSON can say is undefined. Whole numbers beyond 2^53 stay the texts that they were.
    return JSON.parse(text, (_key, value: unknown, { source = '' }: { source?: string } = {}) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
        ? source
        : value,
    ) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
