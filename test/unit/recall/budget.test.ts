import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Piece, fillBudget } from '../../../src/recall/budget.ts';

/** One token a character. */
function count(text: string): number {
  return text.length;
}

function piece(name: string, size: number, more: Partial<Piece<string>> = {}): Piece<string> {
  return { of: name, text: 'x'.repeat(size), headings: [], ...more };
}

function names(taken: readonly { readonly of: string }[]): string[] {
  return taken.map(({ of }) => of);
}

describe('the budget', () => {
  test('has 80 % for hot, 15 for warm and 5 for cold, where each could fill it alone', () => {
    const many = (tier: string): Piece<string>[] =>
      Array.from({ length: 100 }, (_none, place) => piece(`${tier} ${place}`, 1));
    const filled = fillBudget(100, { hot: many('h'), warm: many('w'), cold: many('c') }, count);
    expect([filled.hot.length, filled.warm.length, filled.cold.length]).toEqual([80, 15, 5]);
  });

  test('gives what one tier leaves to the next, and what the last leaves back', () => {
    const many = Array.from({ length: 100 }, (_none, place) => piece(String(place), 1));
    const warm = fillBudget(100, { hot: [piece('h', 10)], warm: many, cold: [] }, count);
    expect([warm.hot.length, warm.warm.length]).toEqual([1, 90]);
    const hot = fillBudget(100, { hot: many, warm: [], cold: [] }, count);
    expect(hot.hot).toHaveLength(100);
  });

  test('takes one insight first, though it is larger than the share of its tier', () => {
    const hot = Array.from({ length: 100 }, (_none, place) => piece(String(place), 1));
    const filled = fillBudget(100, { hot, warm: [], cold: [piece('insight', 30)] }, count);
    expect(names(filled.cold)).toEqual(['insight']);
    expect(filled.tokens).toBe(100);
  });

  test('passes over what is too large, and takes what comes after it', () => {
    const hot = [piece('small', 10), piece('giant', 1_000), piece('older', 10)];
    const filled = fillBudget(100, { hot, warm: [], cold: [] }, count);
    expect(names(filled.hot)).toEqual(['small', 'older']);
    expect(filled.rest.hot.map(({ of }) => of)).toEqual(['giant']);
  });

  test('counts a heading once', () => {
    const heading = { key: 'day', text: '12345' };
    const pieces = [
      piece('one', 1, { headings: [heading] }),
      piece('two', 1, { headings: [heading] }),
    ];
    const filled = fillBudget(100, { hot: [], warm: pieces, cold: [] }, count);
    expect(filled.warm.map(({ tokens }) => tokens)).toEqual([6, 1]);
  });

  test('delivers the same thing once, from the tier that comes first', () => {
    const same = { identity: 'same' };
    const filled = fillBudget(
      100,
      { hot: [piece('hot', 1, same)], warm: [piece('warm', 1, same)], cold: [] },
      count,
    );
    expect([names(filled.hot), names(filled.warm)]).toEqual([['hot'], []]);
    expect(filled.isDelivered('same')).toBe(true);
  });

  test('is never exceeded; every piece is taken whole, or left; an insight that fits is among them', () => {
    const pieces = (tier: string): fc.Arbitrary<Piece<string>[]> =>
      fc
        .array(
          fc.record({
            size: fc.integer({ min: 0, max: 60 }),
            heading: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
            identity: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
          }),
          { maxLength: 30 },
        )
        .map((all) =>
          all.map(({ size, heading, identity }, place) =>
            piece(`${tier} ${place}`, size, {
              headings:
                heading === undefined ? [] : [{ key: String(heading), text: 'h'.repeat(heading) }],
              identity: identity === undefined || tier === 'cold' ? undefined : String(identity),
            }),
          ),
        );
    fc.assert(
      fc.property(
        fc.nat({ max: 300 }),
        fc.record({ hot: pieces('hot'), warm: pieces('warm'), cold: pieces('cold') }),
        (tokens, given) => {
          const filled = fillBudget(tokens, given, count);
          expect(filled.tokens).toBeLessThanOrEqual(tokens);
          const taken = [filled.hot, filled.warm, filled.cold];
          const sum = taken.flat().reduce((total, one) => total + one.tokens, 0);
          expect(sum).toBe(filled.tokens);
          for (const tier of ['hot', 'warm', 'cold'] as const)
            expect([...names(filled[tier]), ...names(filled.rest[tier])].toSorted()).toEqual(
              names(given[tier]).toSorted(),
            );
          const sizeOf = ({ text, headings }: Piece<string>): number =>
            text.length + headings.reduce((total, heading) => total + heading.text.length, 0);
          const fits = given.cold.some((insight) => sizeOf(insight) <= tokens);
          expect(filled.cold.length > 0).toBe(fits);
        },
      ),
    );
  });
});
