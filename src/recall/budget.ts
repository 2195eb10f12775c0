/** Fills a budget of tokens from several tiers: each thing whole or not at all. */

/** Shares of the budget. */
export const SHARES = { hot: 0.8, warm: 0.15, cold: 0.05 } as const;

export type Tier = keyof typeof SHARES;

/** Stands above what needs it, once. */
export interface Heading {
  readonly key: string;
  readonly text: string;
}

/** Something that may be delivered. */
export interface Piece<T> {
  readonly of: T;
  readonly text: string;
  /** What has to stand above it, once for all pieces that need it. */
  readonly headings: readonly Heading[];
  /** Equal for what is the same thing: it is delivered once. */
  readonly identity?: string | undefined;
}

export interface Taken<T> {
  readonly of: T;
  /** With those headings that it is the first to need. */
  readonly tokens: number;
}

export type CountTokens = (text: string) => number;

/** After so many in a row that do not fit, the rest is left out unlooked at: counting is what costs. */
const MISSES_MAX = 20;

/** One budget that several fillings draw from. */
export class Budget {
  readonly #count: CountTokens;
  readonly #headings = new Set<string>();
  readonly #identities = new Set<string>();
  #left: number;

  /** @param tokens a whole number from 0 */
  constructor(tokens: number, count: CountTokens) {
    this.#left = tokens;
    this.#count = count;
  }

  get left(): number {
    return this.#left;
  }

  /** True if the same thing was delivered already. */
  has(identity: string | undefined): boolean {
    return identity !== undefined && this.#identities.has(identity);
  }

  /** What a piece would cost now. */
  costOf({ text, headings }: Pick<Piece<unknown>, 'text' | 'headings'>): number {
    const fresh = headings.filter(({ key }) => !this.#headings.has(key));
    return fresh.reduce((sum, heading) => sum + this.#count(heading.text), this.#count(text));
  }

  /**
   * Takes pieces in their order, as long as they fit into `atMost`: one that does not is passed over.
   * @returns those that were taken, and the rest, both in their order
   */
  fill<T>(pieces: readonly Piece<T>[], atMost: number): { taken: Taken<T>[]; rest: Piece<T>[] } {
    const taken: Taken<T>[] = [];
    const rest: Piece<T>[] = [];
    let room = Math.min(atMost, this.#left);
    let misses = 0;
    for (const piece of pieces) {
      if (this.has(piece.identity)) {
        rest.push(piece);
        continue;
      }
      const tokens = misses < MISSES_MAX ? this.costOf(piece) : Infinity;
      if (tokens > room) {
        rest.push(piece);
        misses += 1;
        continue;
      }
      misses = 0;
      room -= tokens;
      this.#left -= tokens;
      for (const { key } of piece.headings) this.#headings.add(key);
      if (piece.identity !== undefined) this.#identities.add(piece.identity);
      taken.push({ of: piece.of, tokens });
    }
    return { taken, rest };
  }
}

export interface Filled<H, W, C> {
  readonly hot: readonly Taken<H>[];
  readonly warm: readonly Taken<W>[];
  readonly cold: readonly Taken<C>[];
  /** What did not fit, or was delivered already. */
  readonly rest: {
    readonly hot: readonly Piece<H>[];
    readonly warm: readonly Piece<W>[];
    readonly cold: readonly Piece<C>[];
  };
  readonly tokens: number;
  /** Whether a thing was delivered, from whichever tier. */
  readonly isDelivered: (identity: string | undefined) => boolean;
}

/**
 * Hot has 80 % of the budget, warm 15 and what hot leaves, cold the rest; what cold leaves goes to warm, then to hot. One
 * insight comes before all else, where one fits at all.
 * @param pieces of each tier, the most wanted first
 */
export function fillBudget<H, W, C>(
  budgetTokens: number,
  pieces: {
    readonly hot: readonly Piece<H>[];
    readonly warm: readonly Piece<W>[];
    readonly cold: readonly Piece<C>[];
  },
  count: CountTokens,
): Filled<H, W, C> {
  const budget = new Budget(budgetTokens, count);
  const [firstInsight, ...laterInsights] = firstThatFits(pieces.cold, budget);
  const first = budget.fill(firstInsight ? [firstInsight] : [], budgetTokens);
  const used = budgetTokens - budget.left;
  const forCold = Math.max(0, SHARES.cold * budgetTokens - used);
  const hot = budget.fill(pieces.hot, SHARES.hot * budgetTokens);
  const warm = budget.fill(pieces.warm, budget.left - (laterInsights.length > 0 ? forCold : 0));
  const cold = budget.fill([...first.rest, ...laterInsights], budget.left);
  const moreWarm = budget.fill(warm.rest, budget.left);
  const moreHot = budget.fill(hot.rest, budget.left);
  return {
    hot: [...hot.taken, ...moreHot.taken],
    warm: [...warm.taken, ...moreWarm.taken],
    cold: [...first.taken, ...cold.taken],
    rest: { hot: moreHot.rest, warm: moreWarm.rest, cold: cold.rest },
    tokens: budgetTokens - budget.left,
    isDelivered: (identity) => budget.has(identity),
  };
}

/** The pieces, with the first that fits before the others. */
function firstThatFits<C>(pieces: readonly Piece<C>[], budget: Budget): readonly Piece<C>[] {
  const first = pieces.find((piece) => budget.costOf(piece) <= budget.left);
  return first ? [first, ...pieces.filter((piece) => piece !== first)] : pieces;
}
