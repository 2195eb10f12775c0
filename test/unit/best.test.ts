import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Best } from '../../src/runtime/best.ts';

test('the best of what was offered are those that sorting would put first, the later of equals before', () => {
  const offers = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 40 });
  fc.assert(
    fc.property(offers, fc.integer({ min: 1, max: 12 }), (scores, limit) => {
      const best = new Best<number>(limit);
      for (const [index, score] of scores.entries()) best.offer(index, score);
      const sorted = scores
        .map((score, index) => ({ score, index }))
        .toSorted((one, other) => other.score - one.score || other.index - one.index);
      expect(best.all()).toEqual(sorted.slice(0, limit).map(({ index }) => index));
    }),
  );
});
