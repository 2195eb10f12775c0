import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { startPrivateRedis } from '../../src/cli/private-redis.ts';
import type { PrivateRedis, PrivateRedisOptions } from '../../src/cli/private-redis.ts';

/** How long connections may linger after a test: clients close their sockets in the background. */
const LINGER_MS = 1_000;

/** The Redis of one test file. */
export interface TestRedis {
  readonly server: PrivateRedis;
  readonly url: string;
  /** A prefix no other test of the file has. */
  readonly prefix: string;
  /** A connected client, closed when the test ends. */
  client: () => Redis;
}

/**
 * Call it at the top of a test file (or of a `describe`): starts one server for it, and empties it
 * before each test, not after, so that what a failed last test wrote can still be looked at from
 * its hooks. A test that leaves connections open fails.
 */
export function testRedis(options: PrivateRedisOptions = {}): TestRedis {
  let server: PrivateRedis | undefined;
  let tests = 0;
  let before = 0;
  const clients: Redis[] = [];

  const running = (): PrivateRedis => {
    if (!server) throw new Error('testRedis() has a server only while tests and hooks run');
    return server;
  };

  beforeAll(async () => {
    server = await startPrivateRedis(options);
  });

  beforeEach(async () => {
    tests += 1;
    before = await withControl(running().url, async (control) => {
      await control.flushall();
      return countConnections(control);
    });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    // A test may have killed its server.
    if (!running().alive) return running().restart();
    await withControl(running().url, async (control) => {
      const deadline = Date.now() + LINGER_MS;
      let left = await countConnections(control);
      while (left > before && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        left = await countConnections(control);
      }
      if (left > before) throw new Error(`the test left ${left - before} Redis connections open`);
    });
  });

  afterAll(() => server?.stop());

  return {
    get server() {
      return running();
    },
    get url() {
      return running().url;
    },
    get prefix() {
      return `test${tests}:`;
    },
    client() {
      const client = new Redis(running().url);
      // A killed server is part of some tests; what matters to a test, its commands report.
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
  };
}

async function withControl<T>(url: string, work: (control: Redis) => Promise<T>): Promise<T> {
  const control = new Redis(url);
  try {
    return await work(control);
  } finally {
    control.disconnect();
  }
}

async function countConnections(control: Redis): Promise<number> {
  const list = await control.client('LIST');
  return String(list).trim().split('\n').length;
}
