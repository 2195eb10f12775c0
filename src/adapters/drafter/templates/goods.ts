/** What of a cart can be named in a message. */
import type { AnnouncedCart } from '../../../model/event.ts';
import type { CartItem } from '../../../model/cart.ts';

/** Keys under which shops keep what a person calls a thing; `product_id` is no name. */
const NAME_KEYS = ['name', 'title', 'product_name'];

const NAME_MAX = 40;

/** Addresses, marks-up and handles: a name that has them is no name, whoever put it there. */
const SUSPICIOUS = /:\/\/|www\.|[\p{L}\p{N}]\.[a-z]{2,}\b|[@<>{}[\]\\`]/iu;

/** Controls, and what changes the direction of the text around it. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]+/gu;

/** The names of up to `most` things, and how many things are not named. */
export function goodsIn(
  { items = [], count }: AnnouncedCart,
  most: number,
): { readonly named: readonly string[]; readonly others: number } {
  const all = items.map(nameOf).filter((name) => name !== undefined);
  const named = [...new Set(all)].slice(0, most);
  const meant = all.filter((name) => named.includes(name)).length;
  return { named, others: Math.max(0, count - meant) };
}

function nameOf(item: CartItem): string | undefined {
  const written = NAME_KEYS.map((key) => item[key]).find((value) => typeof value === 'string');
  if (written === undefined || SUSPICIOUS.test(written)) return undefined;
  const name = written.replace(UNSEEN, ' ').replace(/\s+/g, ' ').trim();
  if (name === '') return undefined;
  const letters = [...new Intl.Segmenter().segment(name.slice(0, NAME_MAX * 8))];
  if (letters.length <= NAME_MAX) return name.length > NAME_MAX * 8 ? undefined : name;
  const kept = letters.slice(0, NAME_MAX - 1).map(({ segment }) => segment);
  return `${kept.join('').trimEnd()}…`;
}
