import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { connectRedis } from '../../src/adapters/redis/connection.ts';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { silentLog } from '../support/log.ts';
import { testRedis } from '../support/redis-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const redis = testRedis();
const TIMEOUTS = { redisConnectTimeoutMs: 1_000, redisCommandTimeoutMs: 200 };

let proxy: TcpProxy;
let client: Redis;
beforeEach(async () => {
  proxy = await TcpProxy.to(redis.server.port);
  client = connectRedis(proxy.url, TIMEOUTS, silentLogger);
  await client.ping();
});
afterEach(async () => {
  client.disconnect();
  await proxy.close();
});

const succeeds = (write: Promise<unknown>): Promise<boolean> =>
  write.then(
    () => true,
    () => false,
  );

test('what was given up while Redis was out of reach is not done when it is back', async () => {
  await proxy.refuse();
  for (let i = 0; i < 3; i += 1) expect(await succeeds(client.set('given-up', i))).toBe(false);
  await proxy.admit();
  await expect.poll(() => succeeds(client.set('new', '1')), { timeout: 10_000 }).toBe(true);
  expect(await redis.client().keys('*')).toEqual(['new']);
});

test('what is in flight when the connection breaks fails at once, not when its time is up', async () => {
  const patient = connectRedis(
    proxy.url,
    { ...TIMEOUTS, redisCommandTimeoutMs: 3_600_000 },
    silentLogger,
  );
  await patient.ping();
  proxy.hang();
  const asked = succeeds(patient.ping());
  proxy.cut();
  expect(await asked).toBe(false);
  proxy.resume();
  expect(await patient.ping()).toBe('PONG');
  patient.disconnect();
});

describe('a connection that has gone silent for good is replaced', () => {
  test('for sessions, agenda and ledgers', async () => {
    proxy.abandon();
    expect(await succeeds(client.ping())).toBe(false);
    await expect.poll(() => succeeds(client.ping()), { timeout: 10_000 }).toBe(true);
  });

  test('for the bus', async () => {
    const bus = new RedisStreamsBus({
      connect: (settings) => connectRedis(proxy.url, TIMEOUTS, silentLogger, settings),
      prefix: redis.prefix,
      cap: 100,
      answerWithinMs: 200,
      log: silentLog,
    });
    await bus.groups();
    proxy.abandon();
    expect(await succeeds(bus.groups())).toBe(false);
    await expect.poll(() => succeeds(bus.groups()), { timeout: 10_000 }).toBe(true);
    await bus.close();
  });

  test('for the schedules', async () => {
    const jobs = new BullmqJobs({
      url: proxy.url,
      prefix: `${redis.prefix}jobs`,
      commandTimeoutMs: 200,
      log: silentLogger,
    });
    jobs.register({ name: 'turns', everyMs: 60_000 }, async () => undefined);
    await jobs.start();
    proxy.abandon();
    expect(await succeeds(jobs.revive())).toBe(false);
    await expect.poll(() => succeeds(jobs.revive()), { timeout: 10_000 }).toBe(true);
    await jobs.stop(AbortSignal.abort());
  });
});
