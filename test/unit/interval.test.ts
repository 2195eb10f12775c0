import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differenceInterval, wilson } from '../../src/rescue/report/interval.ts';

describe('the interval of a difference', () => {
  /** Newcombe, Statistics in Medicine 17 (1998), table II, row of method 10. */
  test.each([
    ['(a)', 56, 70, 48, 80, 0.0524, 0.3339],
    ['(b)', 9, 10, 3, 10, 0.1705, 0.809],
    ['(c)', 6, 7, 2, 7, 0.0582, 0.8062],
    ['(d)', 5, 56, 0, 29, -0.0381, 0.1926],
    ['(e)', 0, 10, 0, 20, -0.1611, 0.2775],
    ['(f)', 0, 10, 0, 10, -0.2775, 0.2775],
    ['(g)', 10, 10, 0, 20, 0.6791, 1],
    ['(h)', 10, 10, 0, 10, 0.6075, 1],
  ])('is that of the published example %s: %i/%i - %i/%i', (_name, a, m, b, n, low, high) => {
    const interval = differenceInterval({ count: a, of: m }, { count: b, of: n });
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  const proportion = fc
    .tuple(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([of, share]) => ({ count: Math.round(share * of), of }));

  test('holds the difference, lies within -1 and 1, and is mirrored when the two change places', () => {
    fc.assert(
      fc.property(proportion, proportion, (one, other) => {
        const { low, high } = differenceInterval(one, other);
        const difference = one.count / one.of - other.count / other.of;
        expect(low).toBeLessThanOrEqual(difference + 1e-9);
        expect(high).toBeGreaterThanOrEqual(difference - 1e-9);
        expect(low).toBeGreaterThanOrEqual(-1 - 1e-9);
        expect(high).toBeLessThanOrEqual(1 + 1e-9);
        const mirrored = differenceInterval(other, one);
        expect(mirrored.low).toBeCloseTo(-high, 9);
        expect(mirrored.high).toBeCloseTo(-low, 9);
      }),
    );
  });
});

test('the interval of a proportion is that of the published examples', () => {
  // Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
  for (const [count, of, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilson({ count, of });
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  }
});
