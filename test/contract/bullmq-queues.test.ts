import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, expect, test, vi } from 'vitest';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { PermanentError } from '../../src/model/errors.ts';
import type { QueueSettings } from '../../src/ports/jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { testRedis } from '../support/redis-server.ts';

const LOCK_MS = 500;
const SETTINGS: QueueSettings = {
  name: 'demote',
  concurrency: 4,
  perSecond: undefined,
  attempts: 3,
  backoffMs: 20,
};

// As the queues' Redis is to be: what was acknowledged survives its death.
const redis = testRedis({ config: { save: '', appendonly: 'yes', appendfsync: 'always' } });
const created: BullmqJobs[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(created.splice(0).map((jobs) => jobs.stop(AbortSignal.abort())));
});

function replica(options: Partial<ConstructorParameters<typeof BullmqJobs>[0]> = {}): BullmqJobs {
  const prefix = `${redis.prefix}jobs`;
  const jobs = new BullmqJobs({
    url: redis.url,
    prefix,
    log: silentLogger,
    lockMs: LOCK_MS,
    ...options,
  });
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

/** A process that handles the queue; what it says comes line by line. */
function workerProcess(run: string, then = ''): { child: ChildProcess; said: string[] } {
  const script = `
    import { BullmqJobs } from './src/adapters/jobs/bullmq/bullmq-jobs.ts';
    import { silentLogger } from './src/runtime/logger.ts';
    const jobs = new BullmqJobs({
      url: '${redis.url}', prefix: '${redis.prefix}jobs', log: silentLogger, lockMs: ${LOCK_MS},
    });
    ${run && `jobs.handle(${JSON.stringify(SETTINGS)}, async (key, signal) => { ${run} });`}
    ${then || 'await jobs.start();'}
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  return { child, said };
}

const NEVER_ENDS = `console.log(key); await new Promise(() => setInterval(() => {}, 1_000));`;

/** Every text in the Redis: keys, fields, members and values. */
async function everyText(client: Redis): Promise<string[]> {
  const texts: string[] = [];
  for (const key of await client.keys('*')) {
    const read = {
      string: () => client.get(key),
      list: () => client.lrange(key, 0, -1),
      set: () => client.smembers(key),
      zset: () => client.zrange(key, '0', '-1'),
      hash: async () => Object.entries(await client.hgetall(key)),
      stream: () => client.xrange(key, '-', '+'),
    }[await client.type(key)];
    texts.push(key, JSON.stringify(await read?.()));
  }
  return texts;
}

test('whatever the replicas and the moment, after every add a run begins, and never two at once', async () => {
  let instant = 0;
  const begunAt = new Map<string, number>();
  const addedAt = new Map<string, number>();
  const running = new Set<string>();
  const wrong: string[] = [];
  const adder = replica();
  for (let count = 0; count < 3; count += 1) {
    const jobs = replica({ lockMs: 5_000 });
    jobs.handle({ ...SETTINGS, attempts: 1_000, backoffMs: 1 }, async (key) => {
      if (running.has(key)) wrong.push(key);
      running.add(key);
      const begun = (instant += 1);
      begunAt.set(key, begun);
      if (begun % 3 > 0) await sleep(begun % 3);
      running.delete(key);
      if (begun % 9 === 0) throw new Error('not this time');
    });
    await jobs.start();
  }
  const endAt = Date.now() + 3_000;
  await Promise.all(
    Array.from({ length: 5 }, async (_, lane) => {
      for (let round = 0; Date.now() < endAt; round += 1) {
        const keys = [`user ${String(lane)}`, `user ${String(round % 5)}`];
        for (const key of keys) addedAt.set(key, (instant += 1));
        await adder.add('demote', keys, round % 10 === 0 ? 1 : 0);
        await sleep(round % 4);
      }
    }),
  );
  await until(() => [...addedAt].every(([key, at]) => (begunAt.get(key) ?? 0) > at));
  await until(async () => {
    const { waiting, delayed, running: active } = await adder.counts('demote');
    return waiting + delayed + active === 0;
  });
  expect(wrong).toEqual([]);
  expect(instant).toBeGreaterThan(1_000);
});

test('the job of a worker that was killed is taken over, and what follows it is not lost', async () => {
  const adder = replica();
  const { child, said } = workerProcess(NEVER_ENDS);
  await adder.add('demote', ['a']);
  await until(() => said.length === 1);
  await adder.add('demote', ['a']);
  child.kill('SIGKILL');
  await once(child, 'exit');

  const ran: string[] = [];
  const heir = replica();
  heir.handle({ ...SETTINGS, attempts: 1 }, async (key) => void ran.push(key));
  await heir.start();
  await until(() => ran.length === 2);
  await sleep(3 * LOCK_MS);
  expect(ran).toEqual(['a', 'a']);
});

test('a job on which every worker dies is a dead letter, and may be replayed', async () => {
  const adder = replica();
  await adder.add('demote', ['poison']);
  let deaths = 0;
  const die = async (): Promise<void> => {
    const doomed = replica();
    const { promise: taken, resolve } = Promise.withResolvers<undefined>();
    doomed.handle(SETTINGS, () => {
      resolve(undefined);
      return new Promise(() => undefined);
    });
    await doomed.start();
    await taken;
    deaths += 1;
    // Its connections are cut while the job runs: for the others it is dead.
    await doomed.stop(AbortSignal.abort());
  };
  for (let round = 0; round < 4; round += 1) await die();

  let ran = 0;
  const heir = replica();
  heir.handle(SETTINGS, async () => void (ran += 1));
  await heir.start();
  await until(async () => (await adder.counts('demote')).dead === 1);
  expect([deaths, ran]).toEqual([4, 0]);
  const { letters } = await adder.deadLetters('demote', 1);
  expect(letters[0]).toMatchObject({ key: 'poison', attempts: 4 });
  expect(letters[0]!.reason).toMatch(/every worker that took it died/);
  expect(await adder.replay('demote')).toBe(1);
  await until(() => ran === 1);
  await until(async () => (await adder.counts('demote')).dead === 0);
});

test('a worker that was frozen hears that its job is gone, and changes nothing any more', async () => {
  const adder = replica();
  const frozen = workerProcess(`
    console.log('took');
    signal.addEventListener('abort', () => console.log('lost'));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    console.log('done');`);
  await adder.add('demote', ['a']);
  await until(() => frozen.said.includes('took'));
  frozen.child.kill('SIGSTOP');

  const heir = replica();
  heir.handle(SETTINGS, () => Promise.reject(new PermanentError('a later change cannot be done')));
  await heir.start();
  await until(async () => (await adder.counts('demote')).dead === 1);
  await adder.add('demote', ['a'], 60_000);
  frozen.child.kill('SIGCONT');
  await until(() => frozen.said.includes('done'));
  await sleep(LOCK_MS);
  expect(frozen.said).toContain('lost');
  expect(await adder.counts('demote')).toMatchObject({ dead: 1, delayed: 1, running: 0 });
});

test('a job that is given up by a stop goes to another replica at once, and counts as no failure', async () => {
  const adder = replica();
  const once = { ...SETTINGS, attempts: 1 };
  const leaving = replica({ lockMs: 60_000 });
  let taken = 0;
  leaving.handle(once, async (_key, signal) => {
    taken += 1;
    await new Promise<void>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(new Error('interrupted'))),
    );
  });
  await leaving.start();
  await adder.add('demote', ['a']);
  await until(() => taken === 1);
  await adder.add('demote', ['a']);
  await leaving.stop(AbortSignal.abort());
  expect(await adder.counts('demote')).toMatchObject({ waiting: 1, running: 0, dead: 0 });

  const ran: string[] = [];
  const heir = replica({ lockMs: 60_000 });
  heir.handle(once, async (key) => void ran.push(key));
  await heir.start();
  await until(() => ran.length === 1);
  await sleep(100);
  // The run that was given up is made up for by one: it serves for what was added meanwhile, too.
  expect(ran).toEqual(['a']);
  expect((await adder.counts('demote')).dead).toBe(0);
});

test('a Redis that is killed and comes back costs no job, and nobody need do anything', async () => {
  const { log, lines } = recordingLogger('warn');
  const ran = new Set<string>();
  const gate = Promise.withResolvers<undefined>();
  const jobs = replica({ log, commandTimeoutMs: 500 });
  jobs.handle(SETTINGS, async (key) => {
    if (key === 'long') await gate.promise;
    ran.add(key);
  });
  await jobs.start();
  const keys = Array.from({ length: 50 }, (_, index) => `user ${String(index)}`);
  await jobs.add('demote', keys, 1_500);
  await jobs.add('demote', ['long']);
  await until(async () => (await jobs.counts('demote')).running === 1);

  await redis.server.kill();
  await expect(jobs.add('demote', ['never acknowledged'])).rejects.toThrow();
  await expect(jobs.counts('demote')).rejects.toThrow();
  await expect(jobs.forget('demote', 'a')).rejects.toThrow();
  // What is done while the Redis is away is reported when it is back.
  gate.resolve(undefined);
  await sleep(1_000);
  await redis.server.restart();

  await until(() => ran.size >= keys.length + 1, 15_000);
  await jobs.add('demote', ['after']);
  await until(() => ran.has('after'));
  await until(async () => {
    const { waiting, delayed, running } = await jobs.counts('demote');
    return waiting + delayed + running === 0;
  });
  expect([...keys, 'long'].filter((key) => !ran.has(key))).toEqual([]);
  expect(lines().length).toBeLessThan(8);
});

test('a stop does not wait for a Redis that is away, and the job in hand is done by another', async () => {
  const gate = Promise.withResolvers<undefined>();
  const leaving = replica();
  let taken = 0;
  leaving.handle(SETTINGS, async () => {
    taken += 1;
    await gate.promise;
  });
  await leaving.start();
  const adder = replica({ commandTimeoutMs: 500 });
  await adder.add('demote', ['a']);
  await until(() => taken === 1);
  await redis.server.kill();
  gate.resolve(undefined);
  const startedAt = Date.now();
  await Promise.all([leaving, adder].map((jobs) => jobs.stop(AbortSignal.timeout(500))));
  expect(Date.now() - startedAt).toBeLessThan(2_000);

  await redis.server.restart();
  let ran = 0;
  const heir = replica();
  heir.handle(SETTINGS, async () => void (ran += 1));
  await heir.start();
  await until(() => ran === 1);
});

test('after somebody emptied the Redis, what is added is done', async () => {
  const ran: string[] = [];
  const gate = Promise.withResolvers<undefined>();
  const jobs = replica();
  jobs.handle(SETTINGS, async (key) => {
    ran.push(key);
    if (key === 'runs') await gate.promise;
  });
  await jobs.start();
  await jobs.add('demote', ['runs']);
  await until(() => ran.length === 1);
  await jobs.add('demote', ['runs']);
  await redis.client().flushall();
  gate.resolve(undefined);
  await sleep(100);
  await jobs.add('demote', ['runs', 'b']);
  await until(() => ran.length === 3);
  expect(ran).toEqual(['runs', 'runs', 'b']);
});

test('what is forgotten leaves no trace, in whatever state it was', async () => {
  const client = redis.client();
  const jobs = replica();
  const gate = Promise.withResolvers<undefined>();
  const ran: string[] = [];
  let fails = true;
  jobs.handle({ ...SETTINGS, attempts: 2, backoffMs: 600_000 }, async (key) => {
    ran.push(key);
    if (key.includes('running')) await gate.promise;
    if (key.includes('dead')) throw new PermanentError(`cannot demote ${key}`);
    if (key.includes('retried') && fails) throw new Error(`not yet for ${key}`);
  });
  await jobs.start();
  const states = ['done', 'dead', 'retried', 'delayed', 'running'].map(
    (state) => `erased ${state}`,
  );
  await jobs.add('demote', ['erased delayed'], 60_000);
  await jobs.add('demote', [...states, 'stays retried', 'stays dead', 'stays running']);
  await jobs.add('unhandled', [...states, 'stays']);
  await until(async () => (await jobs.counts('demote')).dead === 2);
  await until(() => ran.includes('erased running') && ran.includes('stays retried'));
  await jobs.add('demote', ['erased running', 'stays running']);
  expect((await everyText(client)).join()).toContain('erased');

  const removed = Object.fromEntries(
    await Promise.all(states.map(async (key) => [key, await jobs.forget('demote', key)] as const)),
  );
  expect(removed).toEqual({
    'erased done': 0,
    'erased dead': 1,
    'erased retried': 1,
    'erased delayed': 1,
    'erased running': 1,
  });
  for (const key of states) expect(await jobs.forget('unhandled', key)).toBe(1);
  // The running one is all that is left, and leaves nothing when it is done.
  gate.resolve(undefined);
  await until(async () => (await jobs.counts('demote')).running === 0);
  expect((await everyText(client)).filter((text) => text.includes('erased'))).toEqual([]);
  // Others lost nothing.
  await until(() => ran.filter((key) => key === 'stays running').length === 2);
  expect(ran.filter((key) => key === 'erased running')).toHaveLength(1);
  fails = false;
  expect(await jobs.counts('demote')).toMatchObject({ waiting: 0, delayed: 1, dead: 1 });
  expect(await jobs.counts('unhandled')).toMatchObject({ waiting: 1 });
});

test('jobs that are done leave nothing, whoever failed on the way', async () => {
  const client = redis.client();
  const jobs = replica();
  let ran = 0;
  jobs.handle({ ...SETTINGS, concurrency: 50, attempts: 10, backoffMs: 1 }, async () => {
    ran += 1;
    if (ran % 3 === 0) throw new Error('not this time');
  });
  await jobs.start();
  await jobs.add(
    'demote',
    Array.from({ length: 2_000 }, (_, index) => `user ${String(index)}`),
  );
  await until(async () => {
    const { waiting, delayed, running } = await jobs.counts('demote');
    return waiting + delayed + running === 0;
  });
  const queue = `${redis.prefix}jobs:queue:demote:`;
  const left = (await client.keys(`${queue}*`)).map((key) => key.slice(queue.length)).sort();
  const fixed = ['events', 'id', 'marker', 'meta', 'stalled-check'];
  expect(left.filter((key) => !fixed.includes(key))).toEqual([]);
  expect(await client.xlen(`${queue}events`)).toBeLessThan(500);
});

test('the newest 10,000 dead letters are kept, for 90 days', async () => {
  const client = redis.client();
  const { log, lines } = recordingLogger('error');
  const queue = `${redis.prefix}jobs:queue:demote:`;
  const now = Date.now();
  const text = JSON.stringify({ reason: 'long ago', attempts: 1, at: 0 });
  const pipeline = client.pipeline();
  for (let index = 0; index < 10_000; index += 1) {
    const at = index < 5 ? now - 91 * DAY_MS : now - 10_000 + index;
    pipeline.hset(`${queue}dead`, `user ${String(index)}`, text);
    pipeline.zadd(`${queue}dead:at`, at, `user ${String(index)}`);
  }
  await pipeline.exec();

  const jobs = replica({ log });
  jobs.handle(SETTINGS, () => Promise.reject(new PermanentError('never')));
  await jobs.start();
  await jobs.add('demote', ['first']);
  await until(async () => (await jobs.counts('demote')).dead === 9_996);
  await jobs.add('demote', ['a', 'b', 'c', 'd', 'e', 'f']);
  await until(async () => (await jobs.deadLetters('demote', 7)).letters.length === 7);
  await until(async () => (await jobs.counts('demote')).running === 0);
  const { total, letters } = await jobs.deadLetters('demote', 7);
  expect(total).toBe(10_000);
  expect(letters.map(({ key }) => key).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'first']);
  expect(await client.hlen(`${queue}dead`)).toBe(10_000);
  expect(await client.hexists(`${queue}dead`, 'user 6')).toBe(0);
  expect(await client.hexists(`${queue}dead`, 'user 7')).toBe(1);
  expect(lines().filter((line) => JSON.stringify(line).includes('were removed'))).toHaveLength(3);
});

test('a process that only adds, and one that drains, leave nothing that keeps them, and no schedule', async () => {
  const daemon = replica();
  daemon.register({ name: 'sweep', everyMs: 3_600_000 }, async () => undefined);
  await daemon.start();

  const adding = workerProcess(
    '',
    `await jobs.add('demote', ['a', 'b']);
     console.log(JSON.stringify(await jobs.counts('demote')));
     await jobs.stop(AbortSignal.timeout(1_000));`,
  );
  expect(await once(adding.child, 'exit')).toEqual([0, null]);
  expect(JSON.parse(adding.said[0]!)).toMatchObject({ waiting: 2, running: 0 });

  const ran: string[] = [];
  const draining = replica({ owner: 'drain' });
  draining.handle(SETTINGS, async (key) => void ran.push(key));
  await draining.start();
  await until(() => ran.length === 2);
  await draining.stop(AbortSignal.timeout(1_000));
  expect(await daemon.revive()).toEqual([]);
});

test('a Redis that does not answer is an error in words, and the next call tries again', async () => {
  const jobs = replica({ connectTimeoutMs: 200, commandTimeoutMs: 200 });
  await redis.server.kill();
  await expect(jobs.add('demote', ['a'])).rejects.toThrow(/job queues does not answer/);
  await redis.server.restart();
  await until(async () => {
    await jobs.add('demote', ['a']);
    return true;
  });
  expect((await jobs.counts('demote')).waiting).toBe(1);
});

test('several jobs of a process run at once, as many as were set', async () => {
  let running = 0;
  let most = 0;
  const jobs = replica();
  jobs.handle({ ...SETTINGS, concurrency: 3 }, async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(50);
    running -= 1;
  });
  await jobs.start();
  await jobs.add('demote', ['a', 'b', 'c', 'd', 'e', 'f']);
  await until(async () => (await jobs.counts('demote')).running === 3);
  await until(async () => (await jobs.counts('demote')).running === 0);
  expect(most).toBe(3);
});
