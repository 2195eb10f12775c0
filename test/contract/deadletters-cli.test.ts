import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEMOTION } from '../../src/abandonment/demotion.ts';
import { openBus, openJobs } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { abandonedEvents } from '../support/sample-events.ts';
import { testRedis } from '../support/redis-server.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const redis = testRedis();
const GROUP = 'rescue:mail';

let bus: Bus;
beforeEach(async () => {
  bus = await openBus(loadConfig({ REDIS_URL: redis.url }));
});
afterEach(() => bus.close());

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, 'deadletters', ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { PATH: process.env['PATH'], REDIS_URL: redis.url },
  });
}

async function deadEvents(count: number): Promise<void> {
  const member = await bus.subscribe({ group: GROUP });
  await bus.publish(abandonedEvents(count));
  for (let put = 0; put < count; ) {
    for (const delivery of await member.receive(count, 5_000)) {
      await delivery.deadLetter('no such product');
      put += 1;
    }
  }
  await member.close();
}

async function deadJob(user: string): Promise<void> {
  const jobs = await openJobs(loadConfig({ REDIS_URL: redis.url }), silentLogger);
  const queue = {
    ...{ name: DEMOTION, concurrency: 1, perSecond: undefined },
    ...{ attempts: 1, backoffMs: 10 },
  };
  jobs.handle(queue, () => Promise.reject(new Error('the entry is no segment')));
  await jobs.start();
  await jobs.add(DEMOTION, [user]);
  await expect.poll(async () => (await jobs.inspect(DEMOTION, user)).dead).toBeDefined();
  await jobs.stop(AbortSignal.timeout(5_000));
}

interface Listed {
  readonly letters: readonly Readonly<Record<string, unknown>>[];
}

function listed(): Listed['letters'] {
  return (JSON.parse(run('list', '--json').stdout) as Listed).letters;
}

test('dead letters of groups and queues are listed, shown, tried again and removed', {
  timeout: 120_000,
}, async () => {
  expect(run('list')).toMatchObject({ status: 0, stdout: 'no dead letters\n' });
  await deadEvents(3);
  await deadJob('ann:1');
  const [event] = abandonedEvents(1);
  const letters = listed();
  expect(letters).toMatchObject([
    { subject: event!.subject, attempts: 1, reason: 'no such product' },
    {},
    {},
    { id: 'jobs:demotion:ann:1', subject: 'ann:1', reason: 'the entry is no segment' },
  ]);
  const [first, second] = letters.map(({ id }) => String(id));
  expect(first).toMatch(/^events:rescue:mail:\d+-\d+$/);
  expect(run('list', '--limit', '1').stdout).toMatch(
    /no such product\n.*1 attempt .*no segment\n$/,
  );

  const shown = JSON.parse(run('show', first!).stdout) as { event: unknown };
  expect(shown).toMatchObject({ id: first, reason: 'no such product', event });
  expect(JSON.parse(run('show', 'jobs:demotion:ann:1').stdout)).toMatchObject({
    reason: 'the entry is no segment',
    attempts: 1,
  });
  expect(run('show', 'events:rescue:mail:1-0')).toMatchObject({ status: 1, stdout: '' });

  expect(run('drop', first!).stdout).toBe('1 dropped\n');
  expect(run('drop', first!)).toMatchObject({ status: 1, stdout: '0 dropped, 1 not found\n' });
  expect(run('replay', second!, 'jobs:demotion:ann:1').stdout).toBe('2 replayed\n');
  expect(JSON.parse(run('replay', '--json').stdout)).toEqual({ replayed: 1 });
  expect(listed()).toEqual([]);
  const member = await bus.subscribe({ group: GROUP });
  const again = await member.receive(10, 5_000);
  expect(again.length).toBeGreaterThan(0);
  expect(again[0]).toMatchObject({ attempt: 1 });
});
