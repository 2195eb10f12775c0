import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { DAY_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { PolicyHistory } from '../support/policy-history.ts';
import type { Writer } from '../support/policy-history.ts';
import { manyHistories } from '../support/many-histories.ts';
import { history, shopping, wait } from '../support/policy-steps.ts';
import { POLICY } from '../support/watched-user.ts';

/** The other half of the many histories runs beside these, in a file of its own. */
vi.setConfig({ testTimeout: 600_000 });

test('whatever happens, nothing is announced that should not be, and nothing twice', () =>
  manyHistories(0));

test('the same history announces the same', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const [once, again] = [new PolicyHistory(POLICY), new PolicyHistory(POLICY)];
      await Promise.all([once.run(steps), again.run(steps)]);
      expect(again.recorded).toEqual(once.recorded);
    }),
    { numRuns: 200 },
  );
});

test('a longer threshold never announces earlier', async () => {
  const threshold = fc.integer({ min: MINUTE_MS, max: 3 * DAY_MS });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 3, arbitrary: wait }, ...shopping(fc.constant('library'))), {
        maxLength: 30,
      }),
      threshold,
      threshold,
      async (steps, one, other) => {
        const first = async (thresholdMs: number): Promise<number> => {
          const settings = { ...POLICY, stagesMs: [thresholdMs] };
          const { announced } = await new PolicyHistory(settings)
            .run(steps)
            .then((one) => one.finish());
          return announced[0]?.at ?? Number.POSITIVE_INFINITY;
        };
        expect(await first(Math.min(one, other))).toBeLessThanOrEqual(
          await first(Math.max(one, other)),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a cart that somebody filled and left is announced at each threshold to the millisecond', async () => {
  const gap = fc.integer({ min: 0, max: 30 * MINUTE_MS - 2 });
  const by = fc.constantFrom<Writer>('library', 'foreign');
  await fc.assert(
    fc.asyncProperty(by, fc.array(gap, { maxLength: 20 }), async (writer, gaps) => {
      const cart = new PolicyHistory(POLICY);
      await cart.run([{ do: 'add', by: writer, item: 'shirt' }]);
      for (const ms of gaps)
        await cart.run([
          { do: 'wait', ms },
          { do: 'visit', by: writer },
        ]);
      await cart.run([{ do: 'wait', ms: 30 * DAY_MS }]);
      const leftAt = 1_800_000_000_000 + gaps.reduce((sum, ms) => sum + ms + 1, 0);
      expect(cart.announced.map(({ at }) => at - leftAt)).toEqual(POLICY.stagesMs);
      expect(cart.recorded).toHaveLength(3);
    }),
    { numRuns: 300 },
  );
});
