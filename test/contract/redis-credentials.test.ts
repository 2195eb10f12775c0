import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RedisCredentials, connectRedis } from '../../src/adapters/redis/connection.ts';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { testRedis } from '../support/redis-server.ts';

const redis = testRedis();
const TIMEOUTS = { redisConnectTimeoutMs: 1_000, redisCommandTimeoutMs: 1_000 };
const USER = 'daemon';

/** Passwords that a test replaces, as an identity service or a vault does. */
class Passwords implements RedisCredentials {
  readonly #listeners = new Set<() => void>();
  #password = 'first';

  get listeners(): number {
    return this.#listeners.size;
  }

  current(): ReturnType<RedisCredentials['current']> {
    return { username: USER, password: this.#password };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  replace(password: string): void {
    this.#password = password;
    for (const listener of this.#listeners) listener();
  }
}

let passwords: Passwords;
let client: Redis;

beforeEach(async () => {
  passwords = new Passwords();
  await allow('first');
  client = connectRedis(redis.url, TIMEOUTS, silentLogger, {}, passwords);
});

afterEach(async () => {
  client.disconnect();
  await redis.client().call('ACL', 'DELUSER', USER);
});

/** These passwords, and no others. */
async function allow(...all: readonly string[]): Promise<void> {
  const rules = ['on', 'resetpass', '~*', '&*', '+@all', ...all.map((one) => `>${one}`)];
  await redis.client().call('ACL', 'SETUSER', USER, ...rules);
}

/** How often somebody has logged in on a connection that stood. */
async function logins(): Promise<number> {
  const stats = await redis.client().info('commandstats');
  return Number(/cmdstat_auth:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

async function names(): Promise<string[]> {
  const list = String(await redis.client().client('LIST'));
  return list
    .trim()
    .split('\n')
    .map((line) => /user=(\S+)/.exec(line)?.[1] ?? '')
    .filter((user) => user === USER);
}

test('a connection is made with what holds, whatever the URL says', async () => {
  client.disconnect();
  const url = redis.url.replace('redis://', 'redis://somebody:else@');
  client = connectRedis(url, TIMEOUTS, silentLogger, {}, passwords);
  expect(await client.call('ACL', 'WHOAMI')).toBe(USER);
});

test('a connection that stands shows a new password at once, and the next one is made with it', async () => {
  await client.ping();
  const before = await logins();
  await allow('first', 'second');
  passwords.replace('second');
  await expect.poll(logins).toBe(before + 1);
  await allow('second');
  await redis.client().call('CLIENT', 'KILL', 'USER', USER);
  await expect.poll(() => client.ping().catch(() => '')).toBe('PONG');
  expect(await client.call('ACL', 'WHOAMI')).toBe(USER);
});

test('a connection that hears messages shows it as well, and hears on', async () => {
  const heard: string[] = [];
  client.on('message', (_channel, message) => heard.push(message));
  await client.subscribe('news');
  const before = await logins();
  await allow('second');
  passwords.replace('second');
  await expect.poll(logins).toBe(before + 1);
  await redis.client().publish('news', 'one');
  await expect.poll(() => heard).toEqual(['one']);
});

test('what is refused is tried on new connections until it is allowed', async () => {
  await client.ping();
  passwords.replace('second');
  await expect.poll(() => client.ping().catch(() => 'refused')).toBe('refused');
  await allow('second');
  await expect.poll(() => client.ping().catch(() => ''), { timeout: 10_000 }).toBe('PONG');
});

test('what changes while Redis is away counts when it is back', async () => {
  await client.ping();
  await redis.server.kill();
  passwords.replace('second');
  await redis.server.restart();
  await allow('second');
  await expect.poll(() => client.ping().catch(() => ''), { timeout: 10_000 }).toBe('PONG');
});

test('copies show it too, those of the job queues among them, and none is told once it has ended', async () => {
  const copy = client.duplicate();
  await copy.ping();
  const jobs = new BullmqJobs({
    ...{ url: redis.url, prefix: `${redis.prefix}jobs`, log: silentLogger, credentials: passwords },
  });
  jobs.register({ name: 'turns', everyMs: 60_000 }, async () => undefined);
  await jobs.start();
  const open = (await names()).length;
  expect(open).toBeGreaterThan(3);
  expect(passwords.listeners).toBe(open);
  const before = await logins();
  await allow('first', 'second');
  passwords.replace('second');
  await expect.poll(logins, { timeout: 15_000 }).toBe(before + open);
  await jobs.stop(AbortSignal.abort());
  copy.disconnect();
  client.disconnect();
  await expect.poll(() => passwords.listeners).toBe(0);
});

test('one that is given up between two attempts to connect is told of nothing any more', async () => {
  await client.ping();
  await redis.server.kill();
  await expect.poll(() => client.status, { interval: 1 }).toBe('reconnecting');
  client.disconnect();
  expect(passwords.listeners).toBe(0);
  await redis.server.restart();
});

test('what is replaced during the handshake is shown once that is over', async () => {
  await client.ping();
  const before = await logins();
  await allow('first', 'second');
  const connecting = client.duplicate();
  connecting.once('connect', () => passwords.replace('second'));
  await connecting.ping();
  // By the one that stood, and by the one that was being let in with the first.
  await expect.poll(logins).toBe(before + 2);
  connecting.disconnect();
});
