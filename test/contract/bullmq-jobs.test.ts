import { setTimeout as sleep } from 'node:timers/promises';
import { vi } from 'vitest';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { testRedis } from '../support/redis-server.ts';
import { type JobsHarness, jobsContract } from './jobs.ts';
import { keyedJobsContract } from './keyed-jobs.ts';

const redis = testRedis();

const harness = (): JobsHarness => ({
  everyMs: 250,
  create: () =>
    new BullmqJobs({ url: redis.url, prefix: `${redis.prefix}jobs`, log: silentLogger }),
  now: () => Date.now(),
  pass: (ms) => sleep(ms),
  until: async (condition) => {
    await vi.waitFor(
      async () => {
        if (!(await condition())) throw new Error('it does not come true');
      },
      { timeout: 10_000, interval: 5 },
    );
  },
});

jobsContract('BullMQ jobs', harness);
keyedJobsContract('BullMQ jobs', harness);
