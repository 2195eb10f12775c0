import { afterEach, expect, test, vi } from 'vitest';
import { openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { testRedis } from '../support/redis-server.ts';
import { WatcherProcess } from '../support/watcher-process.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

let watcher: WatcherProcess | undefined;
afterEach(() => watcher?.end('SIGKILL'));

const WITHIN = { timeout: 60_000, interval: 100 };
const WRITES_AT_ONCE = 2_000;

/** Long ids, so that what the sockets hold is full soon. */
const userOf = (index: number): string => `${String(index).padStart(8, '0')}${'x'.repeat(400)}`;

test('whom Redis cut off from its notifications is found by reconcile', async () => {
  const client = redis.client();
  // The default is 32 MB, or 8 MB for a minute.
  await client.config('SET', 'client-output-buffer-limit', 'pubsub 65536 0 0');
  const settings = { REDIS_URL: redis.url };
  watcher = new WatcherProcess({ settings });
  await watcher.go();
  await watcher.running();
  const listeners = async (): Promise<number> =>
    String(await client.client('LIST', 'TYPE', 'PUBSUB')).match(/ psub=[1-9]/g)?.length ?? 0;
  await vi.waitFor(async () => expect(await listeners()).toBe(1), WITHIN);

  watcher.signal('SIGSTOP');
  let users = 0;
  while ((await listeners()) > 0) {
    const writes = client.pipeline();
    for (const end = users + WRITES_AT_ONCE; users < end; users += 1) {
      const now = String(Date.now() / 1_000);
      const cart = '[{"product_id":"p1","price":5}]';
      writes.hset(`session:${userOf(users)}`, 'last_activity', now, 'cart', cart);
    }
    await writes.exec();
  }
  watcher.signal('SIGCONT');

  const hot = await openHot(loadConfig(settings));
  await vi.waitFor(async () => {
    expect(await hot.agenda.counts(hot.clock.now())).toEqual({ armed: users, due: 0, leased: 0 });
  }, WITHIN);
  await hot.close();
  process.stdout.write(`listener cut: ${users.toLocaleString('en')} users written meanwhile\n`);
});
