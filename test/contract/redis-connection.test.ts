import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRedis } from '../../src/adapters/hot/redis/connection.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
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
