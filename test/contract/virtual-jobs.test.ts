import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { VirtualJobs } from '../../src/adapters/jobs/virtual/virtual-jobs.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { type JobsHarness, jobsContract } from './jobs.ts';

function virtualHarness(): JobsHarness {
  const clock = new VirtualClock(1_000_000);
  const created: VirtualJobs[] = [];
  const run = async (): Promise<void> => {
    // Not awaited: a turn may wait for what the test does next. Its failure is the test's own.
    for (const jobs of created) jobs.runDue().catch(() => undefined);
    for (let turn = 0; turn < 5; turn += 1) await yieldToOthers();
  };
  const pass = async (ms: number): Promise<void> => {
    const end = clock.now() + ms;
    await run();
    while (clock.now() < end) {
      const nextAt = Math.min(end, ...created.map((jobs) => jobs.nextAt() ?? end));
      clock.jumpTo(Math.max(nextAt, clock.now() + 1_000));
      await run();
    }
  };
  return {
    everyMs: 60_000,
    create: () => {
      const jobs = new VirtualJobs(clock);
      created.push(jobs);
      return jobs;
    },
    now: () => clock.now(),
    pass,
    until: async (condition) => {
      await run();
      for (let periods = 0; !condition(); periods += 1) {
        if (periods > 100) throw new Error('it does not come true');
        await pass(60_000);
      }
    },
  };
}

let harness: JobsHarness;
beforeEach(() => {
  harness = virtualHarness();
});

jobsContract('virtual jobs', () => harness);

test('turns that are due run in the order of time, then of registration', async () => {
  const clock = new VirtualClock(0);
  const jobs = new VirtualJobs(clock);
  const ran: string[] = [];
  for (const [name, everyMs] of [
    ['b', 20],
    ['a', 20],
    ['c', 15],
  ] as const) {
    jobs.register({ name, everyMs }, async () => void ran.push(`${name}@${clock.now()}`));
  }
  await jobs.start();
  for (let at = jobs.nextAt(); at !== undefined && at <= 40; at = jobs.nextAt()) {
    clock.jumpTo(at);
    await jobs.runDue();
  }
  expect(ran.join(' ')).toBe('b@0 a@0 c@0 c@15 b@20 a@20 c@30 b@40 a@40');
  expect(jobs.nextAt()).toBe(45);
});

test('turns that were missed are not made up for', async () => {
  const clock = new VirtualClock(0);
  const jobs = new VirtualJobs(clock);
  jobs.register({ name: 'sweep', everyMs: 10 }, async () => undefined);
  await jobs.start();
  clock.jumpTo(95);
  expect(await jobs.runDue()).toBe(1);
  expect(jobs.nextAt()).toBe(100);
  expect(await jobs.runDue()).toBe(0);
});

test('a failure is told to whoever drains, after the others have run', async () => {
  const jobs = new VirtualJobs(new VirtualClock(0));
  let ran = false;
  jobs.register({ name: 'failing', everyMs: 10 }, () => Promise.reject(new Error('not this time')));
  jobs.register({ name: 'other', everyMs: 10 }, async () => void (ran = true));
  await jobs.start();
  await expect(jobs.runDue()).rejects.toThrow('not this time');
  expect(ran).toBe(true);
});
