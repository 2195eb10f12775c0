/** What a template may say of what was learned: one of a few things, in the template's own words. */
import type { AnnouncedCart } from '../../../model/event.ts';
import type { DraftContext } from '../../../ports/drafter.ts';

/** What is on the user's mind, or that the size is theirs. */
export type Hint = 'delivery' | 'returns' | 'price' | 'fit' | 'own_size';

/** The first that fits. Only the kind of a worry comes through: whatever else stands in an insight stays where it is. */
const WORRIES: readonly (readonly [Hint, RegExp])[] = [
  ['delivery', /\b(?:deliver\w*|shipping|shipment|late parcel|arriv\w+)\b/i],
  ['returns', /\b(?:returns|return polic\w+|refund\w*|exchang\w+)\b/i],
  ['price', /\b(?:price\w*|expensive|discount\w*|cheap\w*|coupon\w*|budget)\b/i],
  ['fit', /\b(?:fits?|fitting|too (?:tight|loose|small|large|big))\b/i],
];

const SIZE = /\bsize (xxs|xs|s|m|l|xl|xxl|xxxl|\d{1,2})\b/i;

/** Undefined: nothing that was learned has to do with this cart. */
export function hintFrom(
  insights: DraftContext['insights'],
  { items = [] }: AnnouncedCart,
): Hint | undefined {
  const sizes = items.map(({ size }) => String(size ?? '').toLowerCase());
  for (const { kind, text } of insights) {
    const worry = WORRIES.find(([, words]) => words.test(text));
    if (worry) return worry[0];
    const size = kind === 'preference' || kind === 'fact' ? SIZE.exec(text)?.[1] : undefined;
    if (size !== undefined && sizes.length > 0 && sizes.every((one) => one === size.toLowerCase()))
      return 'own_size';
  }
  return undefined;
}
