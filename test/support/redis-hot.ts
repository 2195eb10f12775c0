import { RedisAgenda } from '../../src/adapters/hot/redis/agenda.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { RedisLedgerStore } from '../../src/adapters/hot/redis/ledger-store.ts';
import { RedisSessions } from '../../src/adapters/hot/redis/sessions.ts';
import { HOT_DEFAULTS } from './hot-options.ts';
import type { Hot, HotOptions } from './hot-options.ts';
import { rawRedis } from './raw-store.ts';
import type { TestRedis } from './redis-server.ts';

/** The hot tier on a real Redis. */
export function redisHot(
  { client }: Pick<TestRedis, 'client'>,
  options: Partial<HotOptions> = {},
): Hot {
  const settings = { ...HOT_DEFAULTS, ...options };
  const keys = new Keys(settings.template, settings.prefix);
  const redis = client();
  return {
    agenda: new RedisAgenda(redis, keys, settings),
    ledgers: new RedisLedgerStore(redis, keys, settings),
    sessions: new RedisSessions(redis, keys, { ...settings, database: 0, connect: client }),
    keys,
    raw: rawRedis(redis),
  };
}
