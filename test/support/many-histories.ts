import fc from 'fast-check';
import { expect } from 'vitest';
import { PolicyHistory } from './policy-history.ts';
import type { Tally } from './policy-history.ts';
import { history } from './policy-steps.ts';
import type { Step } from './policy-history.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { POLICY } from './watched-user.ts';

/** Half of those that a whole run takes: two test files run side by side. `HISTORIES` sets another number for each. */
const RUNS = Number(process.env['HISTORIES'] ?? 50_000);

/** What broke once: a worker reads the last touch, sleeps until the session is gone, and may not write of it any more. */
const ASLEEP_PAST_THE_END: readonly Step[] = [
  { do: 'visit', by: 'library' },
  { do: 'expire', ms: 30 * MINUTE_MS + 1 },
  { do: 'add', by: 'foreign', item: 'shirt' },
  { do: 'outage', ms: 1 },
  { do: 'go', who: 0, calls: 7, asleep: false },
  { do: 'visit', by: 'foreign' },
  { do: 'go', who: 0, calls: 2, asleep: false },
  { do: 'outage', ms: 30 * MINUTE_MS + 1 },
];

/**
 * Runs that many random histories, prints what they were good for, and fails with the seed of the first that breaks.
 * @param half 0 or 1: other histories in each
 */
export async function manyHistories(half: 0 | 1): Promise<void> {
  const sum: Record<keyof Tally, number> = {
    announced: 0,
    cancelled: 0,
    repeated: 0,
    changed: 0,
    leaseLost: 0,
    busAway: 0,
  };
  const { seed } = fc.readConfigureGlobal();
  await fc.assert(
    fc.asyncProperty(history, fc.boolean(), async (steps, busBeside) => {
      const one = new PolicyHistory(POLICY, busBeside);
      await one.run(steps);
      await one.finish();
      for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += one.tally[name];
    }),
    {
      numRuns: RUNS,
      examples: [[ASLEEP_PAST_THE_END, false]],
      ...(seed !== undefined && { seed: seed + half }),
    },
  );
  const count = (n: number): string => n.toLocaleString('en');
  process.stdout.write(
    `histories: ${count(RUNS)} random ones; ${count(sum.announced)} announcements, ` +
      `${count(sum.cancelled)} cancellations, ${count(sum.repeated)} repeats on the wire; ` +
      `commits refused: ${count(sum.changed)} for a change, ${count(sum.leaseLost)} for the lease; ` +
      `the bus away ${count(sum.busAway)} times\n`,
  );
  // Histories in which nothing happens would prove nothing.
  expect(sum.announced).toBeGreaterThan(RUNS / 4);
  expect(sum.cancelled).toBeGreaterThan(RUNS / 10);
  for (const some of [sum.repeated, sum.changed, sum.leaseLost, sum.busAway])
    expect(some).toBeGreaterThan(RUNS / 200);
}
