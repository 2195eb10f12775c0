import { appendTo } from '../../src/adapters/bus/redis-streams/append.ts';
import { streamKey } from '../../src/adapters/bus/redis-streams/keys.ts';
import { RedisAgenda } from '../../src/adapters/hot/redis/agenda.ts';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { RedisLedgerStore } from '../../src/adapters/hot/redis/ledger-store.ts';
import { RedisSessions } from '../../src/adapters/hot/redis/sessions.ts';
import type { AnyEvent } from '../../src/model/event.ts';
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
  const { busCap: cap, prefix } = settings;
  const bus = cap === undefined ? undefined : appendTo({ prefix, cap });
  return {
    agenda: new RedisAgenda(redis, keys, settings),
    ledgers: new RedisLedgerStore(redis, keys, { ...settings, bus }),
    sessions: new RedisSessions(redis, keys, { ...settings, database: 0, connect: client }),
    keys,
    raw: rawRedis(redis),
    told: async () => {
      const entries = await redis.xrange(streamKey(settings.prefix), '-', '+');
      return entries.map(([, fields]) => JSON.parse(fields[3] ?? '') as AnyEvent);
    },
  };
}
