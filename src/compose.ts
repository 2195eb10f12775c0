/** Puts ports and adapters together as the settings say. The only file that imports adapters, and only those it needs. */
import type { Redis } from 'ioredis';
import type { LookSettings } from './abandonment/look.ts';
import { RedisAgenda } from './adapters/hot/redis/agenda.ts';
import { RedisClock } from './adapters/hot/redis/clock.ts';
import { databaseOf } from './adapters/redis/connection.ts';
import {
  about,
  interrogate,
  interrogateBus,
  interrogateQueues,
} from './adapters/hot/redis/interrogate.ts';
import { RedisInbox } from './adapters/hot/redis/inbox.ts';
import { Keys } from './adapters/hot/redis/keys.ts';
import { RedisLeaseStore } from './adapters/hot/redis/lease-store.ts';
import { type AppendingBus, RedisLedgerStore } from './adapters/hot/redis/ledger-store.ts';
import { RedisRecords } from './adapters/hot/redis/records.ts';
import { RedisSessions } from './adapters/hot/redis/sessions.ts';
import { redisConnector, redisCredentials } from './compose-redis.ts';
import type { Config } from './config.ts';
import { maskUrl } from './config/redis-url.ts';
import { SECOND_MS } from './model/duration.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { UnsuitableStoreError, errorMessage } from './model/errors.ts';
import type { Agenda } from './ports/agenda.ts';
import type { Bus } from './ports/bus.ts';
import type { Clock } from './ports/clock.ts';
import type { Inbox } from './ports/inbox.ts';
import type { Jobs } from './ports/jobs.ts';
import type { LedgerStore } from './ports/ledger.ts';
import type { SessionRecords } from './ports/records.ts';
import type { Sessions } from './ports/sessions.ts';
import type { TimedJobs } from './replay/replay.ts';
import type { LeaseStore } from './runtime/lease.ts';
import { type Logger, silentLogger } from './runtime/logger.ts';

/** A lease must have this much left for a commit: what is in flight, and what two measured clocks may differ by. */
const LEASE_MARGIN = 1 / 10;

const QUARANTINE_MAX = 10_000;

/** How long `doctor` waits for a notification of its own. */
const PROBE_TIMEOUT_MS = 2 * SECOND_MS;

/** The hot tier, connected. */
export interface Hot {
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly records: SessionRecords;
  readonly agenda: Agenda;
  readonly ledgers: LedgerStore;
  readonly leases: LeaseStore;
  readonly inbox: Inbox;
  /** Brings the clock into step with the store's. */
  measureClock(): Promise<void>;
  /** Asks the store whether it suits; with `probe`, also whether notifications arrive. */
  interrogate(probe?: boolean): Promise<Diagnosis[]>;
  close(): Promise<void>;
}

export interface HotOptions {
  readonly log?: Logger;
  /** Stands in for the store's time. */
  readonly clock?: Clock;
}

/** Connects to the hot tier. */
export async function openHot(
  config: Config,
  { log = silentLogger, clock }: HotOptions = {},
): Promise<Hot> {
  const connect = await redisConnector(config, 'redisUrl', log);
  const redis = connect();
  const keys = new Keys(config.sessionKey, config.prefix);
  const storeClock = new RedisClock(redis);
  try {
    await answered(redis, config.redisUrl, 'REDIS_URL', storeClock.measure());
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  const sessions = new RedisSessions(redis, keys, {
    thresholdMs: config.stagesMs[0] ?? 0,
    ttlMs: config.hotTtlMs + config.hotGraceMs,
    window: config.windowMessages,
    demoteLeadMs: config.demoteLeadMs,
    manage: config.foreign === 'manage',
    database: databaseOf(redis),
    connect: () => connect(),
  });
  return {
    clock: clock ?? storeClock,
    sessions,
    records: new RedisRecords(redis, keys, {
      maxCart: config.maxCartBytes,
      window: config.windowMessages,
      ttlMs: config.hotTtlMs + config.hotGraceMs,
    }),
    agenda: new RedisAgenda(redis, keys, { leaseMs: config.leaseMs }),
    ledgers: new RedisLedgerStore(redis, keys, {
      maxCart: config.maxCartBytes,
      leaseMarginMs: config.leaseMs * LEASE_MARGIN,
      contactWindowMs: config.frequencyCap?.windowMs ?? 0,
      maxQuarantined: QUARANTINE_MAX,
      bus: await busBeside(config),
    }),
    leases: new RedisLeaseStore(redis, keys),
    // A ledger repeats what it holds for as long as it lives.
    inbox: new RedisInbox(redis, keys, { retentionMs: config.ledgerTtlMs }),
    measureClock: () => storeClock.measure(),
    interrogate: async (probe = false) => {
      const findings = [
        ...(await interrogate(redis)),
        ...(await askQueues(config, log)),
        ...(await askBus(config, log)),
      ];
      return probe ? [...findings, await probeNotifications(sessions)] : findings;
    },
    close: async () => {
      await redis.quit().catch(() => {
        redis.disconnect();
      });
    },
  };
}

async function askQueues(config: Config, log: Logger): Promise<Diagnosis[]> {
  const { redisUrl, queueRedisUrl: url } = config;
  if (url === redisUrl) return [];
  const redis = (await redisConnector(config, 'queueRedisUrl', log.child({ redis: 'queues' })))();
  try {
    return await answered(redis, url, 'REKINDLE_QUEUE_REDIS_URL', interrogateQueues(redis));
  } finally {
    redis.disconnect();
  }
}

/** A bus that is away holds up no start: detection goes on, and events wait in the ledgers. */
async function askBus(config: Config, log: Logger): Promise<Diagnosis[]> {
  const { redisUrl, busRedisUrl: url, bus } = config;
  if (url === redisUrl || bus !== 'redis-streams') return [];
  const redis = (await redisConnector(config, 'busRedisUrl', log.child({ redis: 'bus' })))();
  try {
    return await answered(redis, url, 'REKINDLE_BUS_REDIS_URL', interrogateBus(redis));
  } catch (error) {
    const what = `${errorMessage(error)}: until it answers, events wait in the ledgers`;
    return about('event bus', [{ level: 'warn', what }]);
  } finally {
    redis.disconnect();
  }
}

/** Waits for an answer. @throws in words that name the Redis and its setting */
async function answered<T>(
  redis: Redis,
  url: string,
  setting: string,
  answer: Promise<T>,
): Promise<T> {
  let trouble: unknown;
  const remember = (error: unknown): void => {
    trouble = error;
  };
  redis.on('error', remember);
  try {
    return await answer;
  } catch (error) {
    // Why the connection failed says more than that the command was given up.
    const cause = trouble ?? error;
    throw new Error(`Redis at ${maskUrl(url)} (${setting}): ${errorMessage(cause)}`, { cause });
  } finally {
    redis.off('error', remember);
  }
}

async function probeNotifications(sessions: Sessions): Promise<Diagnosis> {
  const over = new AbortController();
  const listening = Promise.withResolvers<undefined>();
  const watching = sessions.watch(
    () => undefined,
    over.signal,
    () => {
      listening.resolve(undefined);
    },
  );
  await Promise.race([listening.promise, watching]);
  const arrive = await sessions.probeNotifications(PROBE_TIMEOUT_MS).finally(() => {
    over.abort();
  });
  await watching;
  return arrive
    ? { level: 'ok', what: 'notifications arrive' }
    : {
        level: 'warn',
        what: 'notifications do not arrive: what other programs write is noticed by reconcile alone',
      };
}

/** How a look announces in the step in which it commits, where sessions and bus share a Redis. */
async function busBeside({
  bus,
  redisUrl,
  busRedisUrl,
  prefix,
  busCapEvents,
}: Config): Promise<AppendingBus | undefined> {
  if (bus !== 'redis-streams' || busRedisUrl !== redisUrl) return undefined;
  const { appendTo } = await import('./adapters/bus/redis-streams/append.ts');
  return appendTo({ prefix, cap: busCapEvents });
}

/** Opens the event bus; its connections are made when they are first needed. */
export async function openBus(config: Config, log: Logger = silentLogger): Promise<Bus> {
  if (config.bus === 'service-bus')
    return (await import('./compose-azure.ts')).openServiceBus(config, log);
  const { RedisStreamsBus } = await import('./adapters/bus/redis-streams/redis-streams-bus.ts');
  return new RedisStreamsBus({
    connect: await redisConnector(config, 'busRedisUrl', log.child({ redis: 'bus' })),
    prefix: config.prefix,
    cap: config.busCapEvents,
    answerWithinMs: config.redisCommandTimeoutMs,
    log,
  });
}

/**
 * Opens the queues of the work that comes round and of what is asked for.
 * @param owner who registers schedules: those that it no longer does are removed
 */
export async function openJobs(config: Config, log: Logger, owner = 'library'): Promise<Jobs> {
  const { BullmqJobs } = await import('./adapters/jobs/bullmq/bullmq-jobs.ts');
  return new BullmqJobs({
    url: config.queueRedisUrl,
    credentials: await redisCredentials(config, 'queueRedisUrl', log),
    prefix: `${config.prefix}:jobs`,
    owner,
    connectTimeoutMs: config.redisConnectTimeoutMs,
    commandTimeoutMs: config.redisCommandTimeoutMs,
    log,
  });
}

/** Schedules that run by a clock which somebody else moves. */
export async function openVirtualJobs(clock: Pick<Clock, 'now'>): Promise<Jobs & TimedJobs> {
  const { VirtualJobs } = await import('./adapters/jobs/virtual/virtual-jobs.ts');
  return new VirtualJobs(clock);
}

/** Says whether the bus of the settings suits, where it is not in Redis. */
export async function examineBus(config: Config): Promise<Diagnosis[]> {
  if (config.bus !== 'service-bus') return [];
  return (await import('./compose-azure.ts')).examineServiceBus(config);
}

/** The settings of policy and events. */
export function lookSettings(config: Config, hot: Pick<Hot, 'sessions'>): LookSettings {
  return {
    stagesMs: config.stagesMs,
    cooldownMs: config.cooldownMs,
    minCartValue: config.minCartValue,
    hotTtlMs: config.hotTtlMs,
    demoteLeadMs: config.demoteLeadMs,
    ledgerTtlMs: config.ledgerTtlMs,
    attribution: config.attributionMs,
    quietHours: config.quietHours,
    timezone: config.timezone,
    frequencyCap: config.frequencyCap,
    holdout: config.holdout,
    holdoutSalt: config.holdoutSalt,
    prefix: config.prefix,
    sessionKey: (ref) => hot.sessions.keyOf(ref),
    nameOf: (ref) => hot.sessions.names.nameOf(ref),
    manageTtlMs: config.foreign === 'manage' ? config.hotTtlMs + config.hotGraceMs : undefined,
  };
}

/** Warns of what does not suit, and refuses what would lose something. @throws UnsuitableStoreError */
export async function refuseUnsuitable(hot: Pick<Hot, 'interrogate'>, log: Logger): Promise<void> {
  const findings = await hot.interrogate();
  for (const { level, what, change } of findings) {
    if (level === 'warn') log.warn({ change }, what);
  }
  const refused = findings.filter(({ level }) => level === 'refuse');
  if (refused.length === 0) return;
  throw new UnsuitableStoreError(
    refused.map(({ what, change }) => `${what}; ${change ?? ''}`).join('\n'),
  );
}
