import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { PrivateRedis } from '../../src/cli/private-redis.ts';
import type { HealthStatus } from '../../src/runtime/health.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** What a fault does its harm to. */
export interface Victim {
  readonly redis: PrivateRedis;
  /** Between the daemon and that Redis. */
  readonly proxy: TcpProxy;
  /** Straight to that Redis. */
  readonly control: Redis;
}

/** How a Redis fails beside a daemon. */
export interface Fault {
  /** What that Redis is. */
  readonly name: string;
  /** Whose Redis: the bus then has one of its own. */
  readonly of: 'sessions' | 'bus';
  /** Settings of the Redis that fails. */
  readonly config: Readonly<Record<string, string>>;
  /** @returns what ends it */
  readonly begin: (victim: Victim) => Promise<() => Promise<unknown>>;
  /** The checks of /ready that are not ok meanwhile. */
  readonly shows: Readonly<Record<string, HealthStatus>>;
  /** All that is due is told meanwhile. */
  readonly worksOn?: true;
  /** Where each failure is one of its own, and told as such. */
  readonly logLinesPerSecond?: number;
  /** Another program can write sessions meanwhile. */
  readonly shopWrites: boolean;
  /** What was on the bus is gone afterwards. */
  readonly forgets?: true;
  /** A turn of a schedule cannot be ended meanwhile: another takes it over when its lock has ended, up to a minute later. */
  readonly keepsTurns?: true;
}

const ALWAYS = { appendonly: 'yes', appendfsync: 'always' };
const AWAY = { redis: 'failed', work: 'failed', bus: 'degraded' } as const;
const BUS_AWAY = { bus: 'degraded' } as const;

/** Keys that a restart loads slowly, beside those of the test. */
const FILLER_KEYS = 300;

const sessions = { of: 'sessions', config: ALWAYS } as const;
const bus = { of: 'bus', config: ALWAYS, shows: BUS_AWAY, shopWrites: true } as const;

export const REDIS_FAULTS: readonly Fault[] = [
  // First, for it takes longest: a worker of the schedules gives a silent connection up after 20 s.
  {
    ...sessions,
    name: 'gone without a word, and another in its place',
    begin: vanished,
    shows: AWAY,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'restarted in good order, and writes its file every second',
    config: { appendonly: 'yes', appendfsync: 'everysec' },
    begin: async ({ redis }) => {
      process.kill(redis.pid, 'SIGTERM');
      while (redis.alive) await sleep(10);
      return () => redis.restart();
    },
    shows: AWAY,
    shopWrites: false,
  },
  {
    ...sessions,
    name: 'killed and restarted',
    begin: killed,
    shows: AWAY,
    shopWrites: false,
  },
  {
    ...sessions,
    name: 'out of reach, and refuses',
    begin: async ({ proxy }) => {
      await proxy.refuse();
      return () => proxy.admit();
    },
    shows: AWAY,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'out of reach, and what was sent to it comes late',
    begin: async ({ proxy }) => {
      proxy.hang();
      return async () => proxy.resume();
    },
    shows: AWAY,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'slow: 100 ms a reply',
    begin: async ({ proxy }) => {
      proxy.delay(100);
      return async () => proxy.delay(0);
    },
    shows: {},
    worksOn: true,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'at its memory limit',
    begin: async ({ control }) => {
      await control.config('SET', 'maxmemory', '1mb');
      return () => control.config('SET', 'maxmemory', '0');
    },
    shows: { work: 'failed' },
    shopWrites: false,
    keepsTurns: true,
  },
  {
    ...sessions,
    name: 'without its scripts, 50 times a second',
    begin: async ({ control }) => repeatedly(20, () => control.script('FLUSH')),
    shows: {},
    worksOn: true,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'ending every connection, twice a second',
    begin: async ({ control }) =>
      repeatedly(500, async () => {
        for (const type of ['normal', 'pubsub'])
          await control.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      }),
    // Nobody listens for long.
    shows: { work: 'degraded' },
    logLinesPerSecond: 6,
    shopWrites: true,
  },
  {
    ...sessions,
    name: 'restarted, and takes its time to load',
    config: {
      ...ALWAYS,
      // 50 ms a key, and a look at the network after each.
      'key-load-delay': '50000',
      'loading-process-events-interval-bytes': '1024',
    },
    begin: async ({ redis, control }) => {
      for (let i = 0; i < FILLER_KEYS; i += 1) await control.set(`filler:${i}`, 'x'.repeat(1_100));
      // Of the file only its part in the format of snapshots is loaded key by key.
      await control.bgrewriteaof();
      while ((await control.info('persistence')).includes('aof_rewrite_in_progress:1'))
        await sleep(10);
      const loaded = redis.restart();
      loaded.catch(() => undefined);
      return async () => {
        const impatient = new Redis(redis.url, { enableReadyCheck: false });
        await impatient.config('SET', 'key-load-delay', '0');
        impatient.disconnect();
        await loaded;
      };
    },
    shows: AWAY,
    shopWrites: false,
  },
  { ...bus, name: 'killed and restarted', begin: killed },
  {
    ...bus,
    name: 'gone without a word, and another in its place',
    begin: vanished,
  },
  {
    ...bus,
    name: 'killed, and comes back empty',
    config: { appendonly: 'no' },
    begin: killed,
    forgets: true,
  },
];

async function killed({ redis }: Victim): Promise<() => Promise<unknown>> {
  await redis.kill();
  return () => redis.restart();
}

async function vanished({ proxy }: Victim): Promise<() => Promise<unknown>> {
  proxy.hang();
  return async () => proxy.abandon();
}

/** Does it again and again, until it is told to stop. */
function repeatedly(everyMs: number, work: () => Promise<unknown>): () => Promise<unknown> {
  const stop = new AbortController();
  const working = (async () => {
    while (!stop.signal.aborted) {
      await work();
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  working.catch(() => undefined);
  return () => {
    stop.abort();
    return working;
  };
}
