import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { testRedis } from '../support/redis-server.ts';

const EVERY_MS = 250;

const redis = testRedis();
const created: BullmqJobs[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(created.splice(0).map((jobs) => jobs.stop(AbortSignal.abort())));
});

function replica(options: Partial<ConstructorParameters<typeof BullmqJobs>[0]> = {}): BullmqJobs {
  const prefix = `${redis.prefix}jobs`;
  const jobs = new BullmqJobs({ url: redis.url, prefix, log: silentLogger, ...options });
  created.push(jobs);
  return jobs;
}

async function until(condition: () => boolean | Promise<boolean>, timeout = 10_000): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error('it does not come true');
    },
    { timeout, interval: 5 },
  );
}

test('among three replicas every turn is taken once, and none overlaps another', async () => {
  let running = 0;
  let most = 0;
  const takenAt: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    const jobs = replica();
    jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => {
      takenAt.push(Date.now());
      running += 1;
      most = Math.max(most, running);
      await sleep(EVERY_MS / 5);
      running -= 1;
    });
    await jobs.start();
  }
  await until(() => takenAt.length >= 9);
  expect(most).toBe(1);
  const periods = (takenAt.at(-1)! - takenAt[0]!) / EVERY_MS;
  expect(takenAt.length).toBeLessThanOrEqual(Math.ceil(periods) + 2);
});

test('a turn that takes long holds up no other schedule', async () => {
  const gate = Promise.withResolvers<undefined>();
  let quick = 0;
  const jobs = replica();
  jobs.register({ name: 'long', everyMs: EVERY_MS }, () => gate.promise);
  jobs.register({ name: 'quick', everyMs: EVERY_MS }, async () => void (quick += 1));
  await jobs.start();
  await until(() => quick >= 4);
  gate.resolve(undefined);
});

test('turns that are done leave nothing, those that failed a bounded trace', async () => {
  let done = 0;
  let failed = 0;
  const jobs = replica();
  jobs.register({ name: 'sweep', everyMs: 20 }, async () => void (done += 1));
  jobs.register({ name: 'failing', everyMs: 20 }, async () => {
    failed += 1;
    throw new Error('not this time');
  });
  await jobs.start();
  await until(() => done > 30 && failed > 30, 15_000);
  const client = redis.client();
  const kept = await client.keys(`${redis.prefix}jobs:sweep:*repeat:turn:*`);
  expect(kept.length).toBeLessThanOrEqual(4);
  expect(await client.zcard(`${redis.prefix}jobs:failing:failed`)).toBeLessThanOrEqual(21);
});

test('after somebody emptied the Redis, revive registers the schedules anew', async () => {
  let turns = 0;
  const { log, lines } = recordingLogger('warn');
  const jobs = replica({ log });
  jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => void (turns += 1));
  await jobs.start();
  await until(() => turns >= 2);
  await redis.client().flushall();
  await sleep(2 * EVERY_MS);
  const before = turns;
  expect(await jobs.revive()).toEqual(['sweep']);
  await until(() => turns >= before + 3);
  expect(await jobs.revive()).toEqual([]);
  expect(lines().length).toBeLessThan(5);
});

test('a chain of turns that broke is mended by revive', async () => {
  let turns = 0;
  const jobs = replica();
  jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => void (turns += 1));
  await jobs.start();
  await until(() => turns >= 2);
  const client = redis.client();
  // What is left when a worker died between taking a job and adding the next one.
  await until(async () => (await client.del(`${redis.prefix}jobs:sweep:delayed`)) === 1);
  await sleep(3 * EVERY_MS);
  const before = turns;
  await until(async () => (await jobs.revive()).length === 1);
  await until(() => turns >= before + 3);
});

test('a changed period is taken over at the next start', async () => {
  let turns = 0;
  const slow = replica();
  slow.register({ name: 'sweep', everyMs: 3_600_000 }, async () => void (turns += 1));
  await slow.start();
  await until(() => turns === 1);
  await slow.stop(AbortSignal.timeout(5_000));

  const fast = replica();
  fast.register({ name: 'sweep', everyMs: EVERY_MS }, async () => void (turns += 1));
  await fast.start();
  await until(() => turns >= 4);
});

test('a restart does not bring the next turn forward', async () => {
  let turns = 0;
  for (let start = 0; start < 3; start += 1) {
    const jobs = replica();
    jobs.register({ name: 'sweep', everyMs: 3_600_000 }, async () => void (turns += 1));
    await jobs.start();
    await sleep(EVERY_MS);
    await jobs.stop(AbortSignal.timeout(5_000));
  }
  expect(turns).toBe(1);
});

test('a schedule that its owner no longer registers is removed; those of others stay', async () => {
  const one = replica({ owner: 'watcher' });
  one.register({ name: 'sweep', everyMs: 3_600_000 }, async () => undefined);
  one.register({ name: 'old', everyMs: 3_600_000 }, async () => undefined);
  await one.start();
  const other = replica({ owner: 'compactor' });
  other.register({ name: 'compact', everyMs: 3_600_000 }, async () => undefined);
  await other.start();
  await one.stop(AbortSignal.timeout(5_000));

  const next = replica({ owner: 'watcher' });
  next.register({ name: 'sweep', everyMs: 3_600_000 }, async () => undefined);
  await next.start();
  const client = redis.client();
  expect(await client.keys(`${redis.prefix}jobs:old:*`)).toEqual([]);
  expect(await client.zcard(`${redis.prefix}jobs:compact:repeat`)).toBe(1);
  expect(await client.hkeys(`${redis.prefix}jobs:owners`)).toEqual(['sweep', 'compact']);
});

test('a Redis that is killed and comes back empty costs turns, but no more than that', async () => {
  let turns = 0;
  const { log, lines } = recordingLogger('warn');
  const jobs = replica({ log, commandTimeoutMs: 500 });
  jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => void (turns += 1));
  jobs.register({ name: 'other', everyMs: EVERY_MS }, async () => undefined);
  await jobs.start();
  await until(() => turns >= 2);
  await redis.server.kill();
  await expect(jobs.trigger('sweep')).rejects.toThrow();
  await expect(jobs.revive()).rejects.toThrow();
  await sleep(1_500);
  await redis.server.restart();
  const before = turns;
  await until(async () => (await jobs.revive().catch(() => [])).length > 0);
  await until(() => turns >= before + 3);
  // Two schedules, seven connections, tens of attempts: one line each for what there is to know.
  expect(lines().length).toBeLessThan(8);
});

test('a stop does not wait for a Redis that is away', async () => {
  let turns = 0;
  const jobs = replica();
  jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => void (turns += 1));
  await jobs.start();
  await until(() => turns >= 1);
  await redis.server.kill();
  await sleep(100);
  const startedAt = Date.now();
  await jobs.stop(AbortSignal.timeout(1_000));
  expect(Date.now() - startedAt).toBeLessThan(3_000);
});

test('a Redis that does not answer at the start is an error in words, and leaves nothing', async () => {
  const jobs = replica({
    url: 'redis://127.0.0.1:1',
    connectTimeoutMs: 200,
    commandTimeoutMs: 200,
  });
  jobs.register({ name: 'sweep', everyMs: EVERY_MS }, async () => undefined);
  await expect(jobs.start()).rejects.toThrow(/job queues does not answer/);
});

/** A process with one replica, that prints a line for each turn. */
function replicaProcess(turn: string, then = ''): ChildProcess {
  const script = `
    import { BullmqJobs } from './src/adapters/jobs/bullmq/bullmq-jobs.ts';
    import { silentLogger } from './src/runtime/logger.ts';
    const jobs = new BullmqJobs({
      url: '${redis.url}', prefix: '${redis.prefix}jobs', log: silentLogger, lockMs: 1_000,
    });
    jobs.register({ name: 'sweep', everyMs: 3_600_000 }, async () => {
      console.log('turn');
      ${turn}
    });
    await jobs.start();
    ${then}
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

test('the turn of a process that was killed is taken over by another', async () => {
  const dying = replicaProcess('await new Promise(() => setInterval(() => undefined, 1_000));');
  await once(dying.stdout!, 'data');
  dying.kill('SIGKILL');
  await once(dying, 'exit');

  let turns = 0;
  const heir = replica({ lockMs: 1_000 });
  heir.register({ name: 'sweep', everyMs: 3_600_000 }, async () => void (turns += 1));
  await heir.start();
  await until(() => turns === 1);
});

test('a stopped replica leaves nothing that keeps its process', async () => {
  const child = replicaProcess('', 'await jobs.stop(AbortSignal.timeout(1_000));');
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
});
