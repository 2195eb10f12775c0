import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { expect, test, vi } from 'vitest';
import { startPrivateRedis } from '../../src/cli/private-redis.ts';
import { testRedis } from '../support/redis-server.ts';

const AOF = { appendonly: 'yes', appendfsync: 'always' };

test('a private Redis answers on loopback and leaves nothing behind', async () => {
  const server = await startPrivateRedis();
  expect(await ask(server.url, (client) => client.ping())).toBe('PONG');
  await server.stop();
  await server.stop();
  expect(await isListening(server.port)).toBe(false);
  expect(existsSync(server.directory)).toBe(false);
});

test('it takes settings of redis.conf', async () => {
  await using server = await startPrivateRedis({
    config: { 'notify-keyspace-events': 'KEA', maxmemory: '10mb' },
  });
  expect(await ask(server.url, (client) => client.config('GET', 'maxmemory'))).toEqual([
    'maxmemory',
    '10485760',
  ]);
});

test('it keeps nothing over a restart unless told to', async () => {
  await using server = await startPrivateRedis();
  await ask(server.url, (client) => client.set('a', '1'));
  await server.restart();
  expect(await ask(server.url, (client) => client.get('a'))).toBeNull();
});

test('killed and restarted, it is found at the same address with what its log holds', async () => {
  await using server = await startPrivateRedis({ config: AOF });
  const { url, pid } = server;
  await ask(url, (client) => client.set('a', '1'));
  await server.kill();
  expect(server.alive).toBe(false);
  await server.restart();
  expect(server.pid).not.toBe(pid);
  expect(server.url).toBe(url);
  expect(await ask(url, (client) => client.get('a'))).toBe('1');
});

test('many can start at once', async () => {
  const servers = await Promise.all(Array.from({ length: 8 }, () => startPrivateRedis()));
  expect(new Set(servers.map((server) => server.port)).size).toBe(8);
  await Promise.all(servers.map((server) => server.stop()));
});

test('a setting that Redis does not know is an error with the words of Redis', async () => {
  await expect(startPrivateRedis({ config: { nonsense: 'yes' } })).rejects.toThrow(/nonsense/);
});

test('a start that was given up leaves no server', async () => {
  await expect(startPrivateRedis({ signal: AbortSignal.timeout(1) })).rejects.toThrow(/timeout/i);
});

test('without a redis-server on the path it says so', async () => {
  vi.stubEnv('PATH', '/nowhere');
  try {
    await expect(startPrivateRedis()).rejects.toThrow(/not found: install it/);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('it dies with the process that started it, even by SIGKILL', async () => {
  const script = `
    import { startPrivateRedis } from './src/cli/private-redis.ts';
    const { port, directory } = await startPrivateRedis();
    console.log(JSON.stringify({ port, directory }));
  `;
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const { port, directory } = JSON.parse(line) as { port: number; directory: string };
  expect(await isListening(port)).toBe(true);
  parent.kill('SIGKILL');
  await vi.waitFor(async () => {
    expect(await isListening(port)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  }, 5_000);
});

const redis = testRedis();

test('testRedis gives each test an empty server (first writes)', async () => {
  await redis.client().set(`${redis.prefix}a`, '1');
  expect(await redis.client().dbsize()).toBe(1);
});

test('testRedis gives each test an empty server (then sees nothing)', async () => {
  expect(await redis.client().dbsize()).toBe(0);
});

test('testRedis brings a server back that a test has killed', async () => {
  await redis.server.kill();
  expect(redis.server.alive).toBe(false);
});

test('testRedis has it running again for the next test', async () => {
  expect(await redis.client().ping()).toBe('PONG');
});

async function ask<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

/** Asks the port, not the process table: a dead orphan may stay there until somebody reaps it. */
async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
