import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { VirtualJobs } from '../../src/adapters/jobs/virtual/virtual-jobs.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { type JobsHarness, jobsContract } from './jobs.ts';
import { keyedJobsContract } from './keyed-jobs.ts';

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
      for (let periods = 0; !(await condition()); periods += 1) {
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
keyedJobsContract('virtual jobs', () => harness);

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

test('the next instant covers the jobs that are delayed, held up by the rate, or to be tried again', async () => {
  const clock = new VirtualClock(0);
  const jobs = new VirtualJobs(clock);
  const ran: string[] = [];
  const settings = { concurrency: 1, perSecond: undefined, attempts: 3, backoffMs: 1_000 };
  jobs.handle({ ...settings, name: 'failing' }, async (key) => {
    ran.push(`${key}@${clock.now()}`);
    throw new Error('not this time');
  });
  jobs.handle({ ...settings, name: 'slow', perSecond: 2 }, async (key) => {
    ran.push(`${key}@${clock.now()}`);
  });
  await jobs.add('failing', ['f'], 100);
  await jobs.add('slow', ['a', 'b', 'c']);
  await jobs.add('nobody handles this', ['n']);
  expect(jobs.nextAt()).toBeUndefined();
  await jobs.start();
  const counts: number[] = [];
  for (let at = jobs.nextAt(); at !== undefined; at = jobs.nextAt()) {
    clock.jumpTo(Math.max(at, clock.now()));
    counts.push(await jobs.runDue());
  }
  // Pauses without chance: the second attempt after 1 s, the third after 2 s more.
  expect(ran.join(' ')).toBe('a@0 f@100 b@500 c@1000 f@1100 f@3100');
  expect(counts).toEqual([1, 1, 1, 1, 1, 1]);
  expect(await jobs.deadLetters('failing', 1)).toEqual({
    total: 1,
    letters: [{ key: 'f', reason: 'not this time', attempts: 3, at: 3_100 }],
  });
});

test('jobs that were added by what runs are run in the same drain, and their failures are no failure of it', async () => {
  const jobs = new VirtualJobs(new VirtualClock(0));
  const settings = { concurrency: 1, perSecond: undefined, attempts: 1, backoffMs: 1_000 };
  jobs.register({ name: 'sweep', everyMs: 10 }, () => jobs.add('demote', ['a', 'b']));
  jobs.handle({ ...settings, name: 'demote' }, () => Promise.reject(new Error('no')));
  await jobs.start();
  expect(await jobs.runDue()).toBe(3);
  expect((await jobs.counts('demote')).dead).toBe(2);
});
