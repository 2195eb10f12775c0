import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { composeDaemon } from '../../src/compose-daemon.ts';
import { openWarm } from '../../src/compose-warm.ts';
import { openHot } from '../../src/compose.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { parseSegment } from '../../src/model/conversation.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { testRedis } from '../support/redis-server.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });
let folder: string;
let config: Config;
let daemon: Service;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-capture-'));
  config = loadConfig({ REDIS_URL: redis.url, REKINDLE_DATA_DIR: folder, REKINDLE_HTTP: 'off' });
  daemon = await composeDaemon(config, { log: silentLogger });
  await daemon.start();
});

afterEach(async () => {
  await daemon.stop(AbortSignal.timeout(10_000));
  rmSync(folder, { recursive: true });
});

async function inWarm(user: string): Promise<string[]> {
  const hot = await openHot(config);
  const warm = await openWarm(config, hot.clock);
  try {
    const { items } = await warm.find(user, { memoryType: 'segment' }, 'step', { limit: 100 });
    return items.flatMap(({ entry }) => parseSegment(entry).messages.map(({ raw }) => raw));
  } finally {
    await warm.close();
    await hot.close();
  }
}

test('what others push and then trim is in warm though no look was due', {
  timeout: 60_000,
}, async () => {
  const shop = redis.client();
  const said = Array.from({ length: 12 }, (_none, n) => `{"role":"user","content":"${n}"}`);
  await shop.hset('session:ann', 'last_activity', String(Math.floor(Date.now() / 1_000)));
  // Subscribed: the daemon hears of it.
  await expect
    .poll(async () => shop.zscore('rekindle:agenda:0', 'ann'), { timeout: 20_000 })
    .not.toBeNull();
  for (let from = 0; from < said.length; from += 4) {
    await shop.rpush('session:ann:messages', ...said.slice(from, from + 4));
    await shop.ltrim('session:ann:messages', -4, -1);
    await expect.poll(() => inWarm('ann'), { timeout: 20_000 }).toEqual(said.slice(0, from + 4));
  }
  expect(await shop.lrange('session:ann:messages', 0, -1)).toEqual(said.slice(-4));
});
