import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { groupKeys, streamKey } from '../../src/adapters/bus/redis-streams/keys.ts';
import { RedisInbox } from '../../src/adapters/hot/redis/inbox.ts';
import { RedisRecords } from '../../src/adapters/hot/redis/records.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import type { Bus, Delivery } from '../../src/ports/bus.ts';
import { erase } from '../../src/tiers/erase.ts';
import { HOT_DEFAULTS } from './hot-options.ts';
import { silentLog } from './log.ts';
import { redisHot } from './redis-hot.ts';
import type { TestRedis } from './redis-server.ts';
import { replacing } from './replacing.ts';
import { StandingClock } from './rescue-process.ts';
import { RESCUE_SETTINGS } from './rescue-settings.ts';
import { GROUP, type Places } from './rescue-world.ts';

/**
 * The time of a server cannot be moved; what waits for it can. Everything held, and every delivery that is out, is moved
 * so much closer. A claim that somebody has in hand is told by its instant, so it counts as lost after that, as it would
 * with a server that was slow.
 */
const CLOSER = `
local ms = tonumber(ARGV[2])
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do redis.call('ZINCRBY', KEYS[2], -ms, id) end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)
if pending.err then return end
for _, one in ipairs(pending) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], one[2], 0, one[1], 'IDLE', one[3] + ms, 'RETRYCOUNT', one[4], 'JUSTID')
end`;

/** How far the clocks of this process have been moved on. */
let movedMs = 0;
const monotonic = performance.now.bind(performance);
performance.now = () => monotonic() + movedMs;

/** Hot tier, inbox and bus on a real Redis; each call begins with keys that nobody wrote to. */
export function redisPlaces(
  server: TestRedis,
  client: Redis,
  nth: number,
  startAt: number,
): Places {
  const clock = new StandingClock(startAt);
  const { stagesMs, demoteLeadMs, frequencyCap, holdout: _none, ...settings } = RESCUE_SETTINGS;
  const prefix = `rekindle${nth}`;
  const hot = redisHot(
    { client: () => client },
    {
      thresholdMs: stagesMs[0]!,
      demoteLeadMs,
      contactWindowMs: frequencyCap.windowMs,
      prefix,
      template: `${prefix}:session:<user_id>`,
    },
  );
  const { stream, held } = groupKeys(streamKey(prefix), GROUP);
  const { maxCart, window, ttlMs } = HOT_DEFAULTS;
  const records = new RedisRecords(client, hot.keys, { maxCart, window, ttlMs });
  const nothing = { erase: async () => 0, count: async () => 0 } as never;
  let owedMs = 0;
  let moving: Promise<unknown> = Promise.resolve();
  // Nobody goes ahead while another has begun to move it.
  const move = (): Promise<unknown> => {
    const ms = owedMs;
    owedMs = 0;
    if (ms > 0) moving = moving.then(() => client.eval(CLOSER, 2, stream, held, GROUP, ms));
    return moving;
  };
  return {
    clock,
    hot,
    inbox: new RedisInbox(client, hot.keys, { retentionMs: 90 * DAY_MS }),
    openBus: () =>
      afterMoving(
        new RedisStreamsBus({
          connect: (options) => new Redis(server.url, options),
          prefix,
          cap: 10_000,
          log: silentLog,
        }),
        move,
      ),
    erase: async (user, bus) => {
      await erase(
        user,
        {
          clock,
          records,
          warm: nothing,
          cold: nothing,
          jobs: { forget: async () => 0 },
          bus,
        },
        { tombstoneTtlMs: 90 * DAY_MS, queues: [], prefix: settings.prefix },
      );
    },
    settled: async (busy) => {
      // Between the answer to one call and the next call there may be a few turns.
      for (let quiet = 0; quiet < 4; quiet += 1) {
        await nextTurn();
        if (busy() > 0) quiet = 0;
      }
    },
    onMoved: async (ms) => {
      movedMs += ms;
      owedMs += ms;
    },
    close: async () => undefined,
  };
}

/** The bus, with time moved on before each call that goes by it. */
function afterMoving(bus: Bus, move: () => Promise<unknown>): Bus {
  const after = async <T>(call: () => Promise<T>): Promise<T> => {
    await move();
    return call();
  };
  const delivery = (own: Delivery): Delivery =>
    replacing(own, {
      done: () => after(() => own.done()),
      retry: (...args) => after(() => own.retry(...args)),
      defer: (...args) => after(() => own.defer(...args)),
      deadLetter: (...args) => after(() => own.deadLetter(...args)),
      renew: () => after(() => own.renew()),
    });
  return replacing(bus, {
    subscribe: async (options) => {
      const own = await bus.subscribe(options);
      return replacing(own, {
        receive: async (...args) => (await after(() => own.receive(...args))).map(delivery),
      });
    },
  });
}
