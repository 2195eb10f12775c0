import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { PolicyHistory } from '../support/policy-history.ts';
import type { Step, Writer } from '../support/policy-history.ts';
import { POLICY } from '../support/watched-user.ts';

/** What matters happens around thresholds and expiries, so most waits end near one. */
const span = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, SECOND_MS, 29 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS) },
  { weight: 2, arbitrary: fc.constantFrom(20 * HOUR_MS, 72 * HOUR_MS) },
  { weight: 1, arbitrary: fc.constantFrom(7 * DAY_MS, 8 * DAY_MS, 11 * DAY_MS) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 * DAY_MS }) },
);

const item = fc.constantFrom('shirt', 'shoes', 'hat');

function shopping(by: fc.Arbitrary<Writer>): fc.Arbitrary<Step>[] {
  return [
    fc.record({ do: fc.constantFrom('visit', 'visit', 'empty', 'order'), by }),
    fc.record({ do: fc.constantFrom('add', 'add', 'add', 'remove'), by, item }),
    fc.record({ do: fc.constantFrom('optOut', 'end') }),
  ];
}

const wait = fc.record({ do: fc.constant('wait'), ms: span });

/** Who writes: the library, or another program, of which notifications tell or do not. */
const anybody = fc.constantFrom<Writer>('library', 'foreign', 'unheard');

const rarely: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant('outage'), ms: span }),
  fc.record({ do: fc.constant('crash'), after: fc.constantFrom('claim', 'commit') }),
  fc.record({ do: fc.constant('expire'), ms: span.map((ms) => ms + 1) }),
  fc.record({ do: fc.constantFrom('vanish', 'reconcile', 'spoil', 'future') }),
  fc.record({
    do: fc.constant('consent'),
    by: anybody,
    status: fc.constantFrom('yes', 'no', 'unknown'),
  }),
];

const everything = fc.oneof(
  { weight: 4, arbitrary: wait },
  { weight: 4, arbitrary: fc.oneof(...shopping(anybody)) },
  { weight: 3, arbitrary: fc.oneof(...rarely) },
);

const history = fc.array(everything, { minLength: 5, maxLength: 40, size: 'max' });

const AFTERWARDS: readonly Step[] = [{ do: 'reconcile' }, { do: 'wait', ms: 30 * DAY_MS }];

/** Thousands of histories take seconds, and this machine may have other things to do. */
vi.setConfig({ testTimeout: 60_000 });

test('whatever happens, nothing is announced that should not be, and nothing twice', async () => {
  let announced = 0;
  let cancelled = 0;
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const { announced: some, recorded } = await new PolicyHistory(POLICY).run([
        ...steps,
        ...AFTERWARDS,
      ]);
      announced += some.length;
      cancelled += recorded.length - some.length;
    }),
    { numRuns: 3_000 },
  );
  // A property over histories in which nothing happens would prove nothing.
  expect(announced).toBeGreaterThan(1_000);
  expect(cancelled).toBeGreaterThan(500);
});

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
          const { announced } = await new PolicyHistory(settings).run([...steps, ...AFTERWARDS]);
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
