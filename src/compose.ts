/** Puts ports and adapters together as the settings say. The only file that imports adapters, and only those it needs. */
import type { Redis } from 'ioredis';
import { Announcer } from './abandonment/announce.ts';
import { type LookSettings, Looker } from './abandonment/look.ts';
import type { Observe } from './abandonment/observe.ts';
import { reconcile } from './abandonment/reconcile.ts';
import { createWatcher } from './abandonment/watcher.ts';
import { RedisAgenda } from './adapters/hot/redis/agenda.ts';
import { RedisClock } from './adapters/hot/redis/clock.ts';
import { connectRedis, databaseOf } from './adapters/hot/redis/connection.ts';
import { type Finding, interrogate } from './adapters/hot/redis/interrogate.ts';
import { Keys } from './adapters/hot/redis/keys.ts';
import { RedisLeaseStore } from './adapters/hot/redis/lease-store.ts';
import { RedisLedgerStore } from './adapters/hot/redis/ledger-store.ts';
import { RedisSessions } from './adapters/hot/redis/sessions.ts';
import type { Config } from './config.ts';
import { DAY_MS, SECOND_MS } from './model/duration.ts';
import { UnsuitableStoreError } from './model/errors.ts';
import type { AnyEvent } from './model/event.ts';
import type { Agenda } from './ports/agenda.ts';
import type { Bus } from './ports/bus.ts';
import type { Clock } from './ports/clock.ts';
import type { Jobs } from './ports/jobs.ts';
import type { LedgerStore } from './ports/ledger.ts';
import type { Sessions } from './ports/sessions.ts';
import { Replay, type ReplayReport } from './replay/replay.ts';
import type { ShopEvent } from './replay/shop-event.ts';
import { Health } from './runtime/health.ts';
import { HttpServer } from './runtime/http.ts';
import type { LeaseStore } from './runtime/lease.ts';
import { type Logger, createLogger, silentLogger } from './runtime/logger.ts';
import { runService } from './runtime/run.ts';
import { type Service, serviceOf } from './runtime/service.ts';
import { ServiceGroup } from './runtime/service-group.ts';
import { Telemetry, instrument } from './runtime/telemetry.ts';
import { VirtualClock } from './runtime/virtual-clock.ts';

/** A lease must have this much left for a commit: what is in flight, and what two measured clocks may differ by. */
const LEASE_MARGIN = 1 / 10;

const QUARANTINE_MAX = 10_000;

/** How long `doctor` waits for a notification of its own. */
const PROBE_TIMEOUT_MS = 2 * SECOND_MS;

/** How long a stop waits for what is in hand: below the 30 s after which Kubernetes kills. */
const STOP_DEADLINE_MS = 25 * SECOND_MS;

/** The hot tier, connected. */
export interface Hot {
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly agenda: Agenda;
  readonly ledgers: LedgerStore;
  readonly leases: LeaseStore;
  /** Brings the clock into step with the store's. */
  measureClock(): Promise<void>;
  /** Asks the store whether it suits; with `probe`, also whether notifications arrive. */
  interrogate(probe?: boolean): Promise<Finding[]>;
  close(): Promise<void>;
}

export interface HotOptions {
  readonly log?: Logger;
  /** Stands in for the store's time. */
  readonly clock?: Clock;
}

/** Connects to the hot tier. */
export async function openHot(config: Config, { log = silentLogger, clock }: HotOptions = {}): Promise<Hot> {
  const connect = (): Redis => connectRedis(config.redisUrl, config, log);
  const redis = connect();
  const keys = new Keys(config.sessionKey, config.prefix);
  const storeClock = new RedisClock(redis);
  try {
    await storeClock.measure();
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  const sessions = new RedisSessions(redis, keys, {
    thresholdMs: config.stagesMs[0] ?? 0,
    ttlMs: config.hotTtlMs + config.hotGraceMs,
    window: config.windowMessages,
    demoteLeadMs: config.demoteLeadMs,
    keptMs: config.hotGraceMs,
    manage: config.foreign === 'manage',
    database: databaseOf(redis),
    connect,
  });
  return {
    clock: clock ?? storeClock,
    sessions,
    agenda: new RedisAgenda(redis, keys, { leaseMs: config.leaseMs }),
    ledgers: new RedisLedgerStore(redis, keys, {
      ledgerTtlMs: config.ledgerTtlMs,
      maxCart: config.maxCartBytes,
      leaseMarginMs: config.leaseMs * LEASE_MARGIN,
      maxQuarantined: QUARANTINE_MAX,
    }),
    leases: new RedisLeaseStore(redis, keys),
    measureClock: () => storeClock.measure(),
    interrogate: async (probe = false) => {
      const findings = await interrogate(redis);
      return probe ? [...findings, await probeNotifications(sessions)] : findings;
    },
    close: async () => {
      await redis.quit().catch(() => undefined);
      redis.disconnect();
    },
  };
}

async function probeNotifications(sessions: Sessions): Promise<Finding> {
  const over = new AbortController();
  const watching = sessions.watch(() => undefined, over.signal);
  const arrive = await sessions.probeNotifications(PROBE_TIMEOUT_MS).finally(() => {
    over.abort();
  });
  await watching;
  return arrive
    ? { level: 'ok', what: 'notifications arrive' }
    : { level: 'warn', what: 'notifications do not arrive: what other programs write is noticed by reconcile alone' };
}

/** Connects to the event bus. */
export async function openBus(config: Config, log: Logger = silentLogger): Promise<OpenBus> {
  const { RedisStreamsBus } = await import('./adapters/bus/redis-streams/redis-streams-bus.ts');
  const redis = connectRedis(config.redisUrl, config, log);
  const bus = new RedisStreamsBus({ redis, prefix: config.prefix, cap: config.busCapEvents, log });
  return {
    bus,
    close: async () => {
      await bus.close();
      redis.disconnect();
    },
  };
}

export interface OpenBus {
  readonly bus: Bus;
  close(): Promise<void>;
}

async function openJobs(config: Config, log: Logger): Promise<Jobs> {
  const { BullmqJobs } = await import('./adapters/jobs/bullmq/bullmq-jobs.ts');
  return new BullmqJobs({ url: config.queueRedisUrl, prefix: `${config.prefix}:jobs`, log });
}

/** The settings of policy and events. */
export function lookSettings(config: Config, hot: Pick<Hot, 'sessions'>): LookSettings {
  return {
    stagesMs: config.stagesMs,
    cooldownMs: config.cooldownMs,
    minCartValue: config.minCartValue,
    demoteLeadMs: config.demoteLeadMs,
    quietHours: config.quietHours,
    timezone: config.timezone,
    prefix: config.prefix,
    sessionKey: (user) => hot.sessions.keyOf(user),
    manageTtlMs: config.foreign === 'manage' ? config.hotTtlMs + config.hotGraceMs : undefined,
  };
}

export interface WatcherOptions {
  readonly log: Logger;
  readonly observe?: Observe;
}

/**
 * Connects and puts the watcher together.
 * @throws UnsuitableStoreError when the Redis would lose what must not be lost
 */
export async function composeWatcher(config: Config, { log, observe }: WatcherOptions): Promise<Service> {
  const telemetry = new Telemetry({ processMetrics: true });
  const health = new Health();
  const hot = await openHot(config, { log });
  try {
    await refuseUnsuitable(hot, log);
    const { bus, close: closeBus } = await openBus(config, log);
    const jobs = await openJobs(config, log);
    const watcher = createWatcher(
      {
        clock: hot.clock,
        sessions: instrument(hot.sessions, 'sessions', telemetry),
        agenda: instrument(hot.agenda, 'agenda', telemetry),
        ledgers: instrument(hot.ledgers, 'ledgers', telemetry),
        bus: instrument(bus, 'bus', telemetry),
        jobs,
        leases: hot.leases,
        measureClock: () => hot.measureClock(),
      },
      { ...lookSettings(config, hot), reconcileEveryMs: config.reconcileEveryMs },
      { log, telemetry, health, ...(observe && { observe }) },
    );
    const connections = serviceOf('connections', {
      stop: async () => {
        await closeBus();
        await hot.close();
      },
    });
    const running = new ServiceGroup('daemon', [connections, watcher]);
    if (config.http === undefined) return running;
    const { died } = watcher;
    const http = new HttpServer({ address: config.http, setting: 'REKINDLE_HTTP', health, telemetry, died });
    return new ServiceGroup('daemon', [http, running]);
  } catch (error) {
    await hot.close();
    throw error;
  }
}

/** A replay, connected; see `Replay`. */
export interface OpenReplay {
  run(events: AsyncIterable<ShopEvent>, onEvent: (event: AnyEvent) => void): Promise<ReplayReport>;
  close(): Promise<void>;
}

/** How often a replay reconciles, in virtual time: often enough to be seen, seldom enough for a month in seconds. */
const REPLAY_RECONCILE_EVERY_MS = DAY_MS;

/** Puts the real pipeline together in virtual time. */
export async function composeReplay(config: Config): Promise<OpenReplay> {
  const { VirtualJobs } = await import('./adapters/jobs/virtual/virtual-jobs.ts');
  const clock = new VirtualClock();
  const hot = await openHot(config, { clock });
  const { bus, close: closeBus } = await openBus(config);
  let published = 0;
  const observe: Observe = (what) => {
    if (what === 'published') published += 1;
  };
  const settings = lookSettings(config, hot);
  const jobs = new VirtualJobs(clock);
  jobs.register({ name: 'reconcile', everyMs: REPLAY_RECONCILE_EVERY_MS }, async (signal) => {
    await reconcile(hot, settings, observe, { fullSpeed: true, signal });
  });
  jobs.register({ name: 'housekeeping', everyMs: DAY_MS }, async () => {
    await bus.trim();
  });
  const fail = (user: string, error: unknown): never => {
    throw new Error(`the session of ${user} could not be judged`, { cause: error });
  };
  const looker = new Looker(hot, new Announcer(bus, hot.ledgers, clock, observe), settings, observe, fail);
  const { sessions } = hot;
  return {
    run: (events, onEvent) =>
      new Replay({ sessions, bus, looker, jobs, clock }, () => published, onEvent).run(events),
    close: async () => {
      await closeBus();
      await hot.close();
    },
  };
}

/** Runs the watcher until it is told to stop. @returns the exit code */
export async function runWatcher(config: Config): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  return runService(await composeWatcher(config, { log }), { stopDeadlineMs: STOP_DEADLINE_MS, log });
}

async function refuseUnsuitable(hot: Hot, log: Logger): Promise<void> {
  const findings = await hot.interrogate();
  for (const { level, what, change } of findings) {
    if (level === 'warn') log.warn({ change }, what);
  }
  const refused = findings.filter(({ level }) => level === 'refuse');
  if (refused.length === 0) return;
  throw new UnsuitableStoreError(refused.map(({ what, change }) => `${what}; ${change ?? ''}`).join('\n'));
}
