import fc from 'fast-check';
import { expect, vi } from 'vitest';
import { HOUR_MS } from '../../src/model/duration.ts';
import { live, type RescueTally } from './rescue-history.ts';
import { type RescueStory, story } from './rescue-steps.ts';
import type { Places } from './rescue-world.ts';

/** What broke once: a member sleeps until another has sent, and takes an outage of the bus for leave to send, too. */
const ASLEEP_UNTIL_ANOTHER_SENT: RescueStory = {
  startAt: '2026-10-24T20:20:00.001Z',
  members: 2,
  steps: [
    { do: 'arrive', user: 'ann', channel: 'whatsapp', zone: 'Asia/Kolkata', consent: 'yes' },
    { do: 'halt', who: 1, calls: 5, place: 'before' },
    { do: 'wait', ms: 9 * HOUR_MS, asleep: false },
    { do: 'add', user: 'dan', item: 'shirt' },
    { do: 'resume' },
    { do: 'fault', port: 'bus', times: 1, effective: false },
    { do: 'repeat', nth: 0 },
    { do: 'wait', ms: 1, asleep: false },
    { do: 'visit', user: 'ann' },
  ],
};

const EXAMPLES: readonly RescueStory[] = [ASLEEP_UNTIL_ANOTHER_SENT];

/**
 * Lives that many random stories, prints what they were good for, and fails with the seed of the first that breaks a
 * promise, and with the shortest like it.
 * @param half other stories in each
 */
export async function manyRescues(
  runs: number,
  half: 0 | 1 | 2,
  open: (startAt: number) => Promise<Places> | Places,
): Promise<void> {
  const sum: RescueTally = {
    announced: 0,
    touched: 0,
    cancelled: 0,
    direct: 0,
    assisted: 0,
    organic: 0,
    crashes: 0,
    repeats: 0,
    overtaken: 0,
    deferred: 0,
    again: 0,
    lost: 0,
    buried: 0,
  };
  // Memories are recalled at once here, and a timer for each that they are not would cost more than a history.
  vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal);
  const { seed } = fc.readConfigureGlobal();
  await fc.assert(
    fc.asyncProperty(story, async (one) => {
      const tally = await live(one, await open(Date.parse(one.startAt)));
      for (const name of Object.keys(sum) as (keyof RescueTally)[]) sum[name] += tally[name];
    }),
    {
      numRuns: runs,
      examples: EXAMPLES.map((one) => [one]),
      ...(seed !== undefined && { seed: seed + half }),
    },
  );
  const count = (n: number): string => n.toLocaleString('en');
  process.stdout.write(
    `rescues: ${count(runs)} histories; ${count(sum.announced)} announcements, ${count(sum.touched)} touches, ` +
      `${count(sum.cancelled)} cancellations; recovered: ${count(sum.direct)} direct, ${count(sum.assisted)} assisted, ` +
      `${count(sum.organic)} organic; ${count(sum.crashes)} crashes, ${count(sum.repeats)} repeats on the wire, ` +
      `${count(sum.again)} known to the inbox; ${count(sum.overtaken)} overtaken, ${count(sum.deferred)} deferred, ` +
      `${count(sum.lost)} lost to others, ${count(sum.buried)} dead letters\n`,
  );
  // Histories in which nothing happens would prove nothing.
  for (const often of [sum.announced, sum.touched]) expect(often).toBeGreaterThan(runs / 4);
  for (const some of [sum.cancelled, sum.crashes, sum.repeats, sum.deferred, sum.again])
    expect(some).toBeGreaterThan(runs / 20);
  for (const few of [sum.direct, sum.assisted, sum.organic, sum.overtaken, sum.lost, sum.buried])
    expect(few).toBeGreaterThan(runs / 400);
}
