/**
 * What a user can be known to want or be, as a statement about a slot. Its sentence is always the same, so that two
 * conversations that say the same give one insight; and it can be read back, so that a newer one knows what it replaces.
 */
export interface Statement {
  readonly slot: Slot;
  readonly value: string;
  /** False: it is this that the user does not want. */
  readonly positive: boolean;
}

export type Slot = keyof typeof SLOTS;

interface SlotForm {
  readonly kind: 'preference' | 'fact';
  /** With `X` for the value. */
  readonly positive: string;
  readonly negative?: string;
  /** Values of one group exclude each other; undefined: a user may want several. */
  readonly group?: (value: string) => string;
}

const one = (): string => '';

const SLOTS = {
  size: {
    kind: 'preference',
    positive: 'The user wears size X.',
    negative: 'Size X does not fit the user.',
    group: sizeGroup,
  },
  colour: {
    kind: 'preference',
    positive: 'The user likes the colour X.',
    negative: 'The user does not like the colour X.',
  },
  channel: {
    kind: 'preference',
    positive: 'The user wants to be contacted by X.',
    negative: 'The user does not want to be contacted by X.',
    group: one,
  },
  language: { kind: 'preference', positive: 'The user wants to talk in X.', group: one },
  payment: {
    kind: 'preference',
    positive: 'The user prefers to pay by X.',
    negative: 'The user does not want to pay by X.',
    group: one,
  },
  budget: { kind: 'preference', positive: 'The user wants to spend at most X.', group: one },
  name: { kind: 'fact', positive: 'The user is called X.', group: one },
  city: { kind: 'fact', positive: 'The user lives in X.', group: one },
  relation: { kind: 'fact', positive: 'The user shops for a relative: X.' },
  diet: { kind: 'fact', positive: 'The user is X.', group: one },
  // The widest patterns come last: they would read those above, too.
  like: {
    kind: 'preference',
    positive: 'The user likes X.',
    negative: 'The user does not like X.',
  },
} as const satisfies Record<string, SlotForm>;

const forms = Object.entries(SLOTS) as [Slot, SlotForm][];

export function kindOf({ slot }: Statement): 'preference' | 'fact' {
  return SLOTS[slot].kind;
}

/** The sentence; undefined where a denial of this slot says nothing. */
export function sentenceOf({ slot, value, positive }: Statement): string | undefined {
  const form: SlotForm = SLOTS[slot];
  return (positive ? form.positive : form.negative)?.replace('X', () => value);
}

/** Reads a sentence that `sentenceOf` made; undefined for any other. */
export function statementOf(sentence: string): Statement | undefined {
  for (const [slot, form] of forms) {
    for (const [text, positive] of [
      [form.positive, true],
      [form.negative, false],
    ] as const) {
      const [before = '', after = ''] = text?.split('X') ?? [];
      if (text === undefined || !sentence.startsWith(before) || !sentence.endsWith(after)) continue;
      const value = sentence.slice(before.length, sentence.length - after.length);
      if (value !== '') return { slot, value, positive };
    }
  }
  return undefined;
}

/** Both cannot hold: the same is wanted and not wanted, or the slot takes one value and there are two. */
export function contradicts(one: Statement, other: Statement): boolean {
  if (one.slot !== other.slot) return false;
  if (one.value.toLowerCase() === other.value.toLowerCase()) return one.positive !== other.positive;
  const { group }: SlotForm = SLOTS[one.slot];
  return (
    group !== undefined && one.positive && other.positive && group(one.value) === group(other.value)
  );
}

/** Above it, numbers are sizes of clothes, up to it of shoes. */
const SHOE_SIZE_MAX = 15;

/** `M` for shirts, `9` for shoes and `32` for trousers are sizes of one user at a time. */
function sizeGroup(size: string): string {
  if (!/^\d/.test(size)) return 'letters';
  return Number.parseFloat(size) <= SHOE_SIZE_MAX ? 'small numbers' : 'large numbers';
}
