/** Puts the workers together, in one process or each in its own, and runs them. */
import { DEMOTION } from './abandonment/demotion.ts';
import type { Observe } from './abandonment/observe.ts';
import { type WatcherPorts, createWatcher } from './abandonment/watcher.ts';
import { type Hot, lookSettings, openBus, openHot, openJobs, openWarm } from './compose.ts';
import type { Config } from './config.ts';
import { SECOND_MS } from './model/duration.ts';
import { UnsuitableStoreError } from './model/errors.ts';
import type { Jobs } from './ports/jobs.ts';
import { Health } from './runtime/health.ts';
import { HttpServer } from './runtime/http.ts';
import { type Logger, createLogger } from './runtime/logger.ts';
import { Loop, type RunResult } from './runtime/loop.ts';
import { runService } from './runtime/run.ts';
import { ServiceGroup } from './runtime/service-group.ts';
import { type Service, serviceOf } from './runtime/service.ts';
import { Telemetry, instrument } from './runtime/telemetry.ts';
import { createDemoter } from './tiers/demoter.ts';

/** What a process does. */
export type WorkerName = 'watcher' | 'demoter';

const ALL_WORKERS: readonly WorkerName[] = ['watcher', 'demoter'];

export interface DaemonOptions {
  readonly log: Logger;
  readonly workers?: readonly WorkerName[];
  readonly observe?: Observe;
  /** Wraps the watcher's ports once more, around their metrics: for faults. */
  readonly decorate?: (ports: WatcherPorts) => WatcherPorts;
}

/** How often the clock is measured, and schedules that stopped are looked for. */
const PULSE_MS = 10 * SECOND_MS;

/**
 * Connects and puts the workers together.
 * @throws UnsuitableStoreError when the Redis would lose what must not be lost, or the warm tier cannot be used
 */
export async function composeDaemon(
  config: Config,
  { log, workers = ALL_WORKERS, observe, decorate }: DaemonOptions,
): Promise<Service> {
  const telemetry = new Telemetry({ processMetrics: true });
  const health = new Health();
  await using opened = new AsyncDisposableStack();
  const hot = await openHot(config, { log });
  opened.defer(() => hot.close());
  await refuseUnsuitable(hot, log);
  const { clock } = hot;
  const jobs = await openJobs(config, log, `rekindle-${workers.join('-')}`);
  const tools = { log, telemetry, health };
  const agenda = instrument(hot.agenda, 'agenda', telemetry);
  const working: Service[] = [];

  if (workers.includes('demoter')) {
    const warm = await openWarm(config, clock);
    opened.defer(() => warm.close());
    const ports = {
      clock,
      agenda,
      records: instrument(hot.records, 'records', telemetry),
      warm: instrument(warm, 'warm', telemetry),
      jobs,
    };
    working.push(createDemoter(ports, config, tools));
  }
  if (workers.includes('watcher')) {
    const bus = await openBus(config, log);
    opened.defer(() => bus.close());
    const ports: WatcherPorts = {
      clock,
      agenda,
      jobs,
      sessions: instrument(hot.sessions, 'sessions', telemetry),
      ledgers: instrument(hot.ledgers, 'ledgers', telemetry),
      bus: instrument(bus, 'bus', telemetry),
      leases: hot.leases,
    };
    const settings = { ...lookSettings(config, hot), reconcileEveryMs: config.reconcileEveryMs };
    const watcher = createWatcher(decorate ? decorate(ports) : ports, settings, {
      ...tools,
      ...(observe && { observe }),
    });
    working.push(watcher);
  }

  health.register('redis', async () => {
    await hot.measureClock();
    return { status: 'ok', detail: 'answers' };
  });
  const beat = pulse(hot, jobs, log);
  health.register('pulse', () =>
    beat.trouble === undefined
      ? { status: 'ok', detail: 'goes on' }
      : { status: 'degraded', detail: `of clock and schedules: ${beat.trouble}` },
  );
  // From here on the service closes what was opened.
  const connections = opened.move();
  const worker = new ServiceGroup('worker', [
    serviceOf('jobs', { start: () => jobs.start(), stop: (signal) => jobs.stop(signal) }),
    beat,
    ...working,
  ]);
  const services = [serviceOf('connections', { stop: () => connections.disposeAsync() }), worker];
  if (config.http !== undefined) {
    const { died } = worker;
    const address = { address: config.http, setting: 'REKINDLE_HTTP' };
    services.splice(1, 0, new HttpServer({ ...address, health, telemetry, died }));
  }
  return new ServiceGroup('daemon', services);
}

/** Each replica: the clock, and schedules that stopped. */
function pulse(hot: Hot, jobs: Jobs, log: Logger): Loop {
  return new Loop({
    name: 'pulse',
    time: hot.clock,
    log,
    runOnce: async (): Promise<RunResult> => {
      await hot.measureClock();
      for (const name of await jobs.revive())
        log.warn({ schedule: name }, 'a schedule had stopped; registered anew');
      return { sleepMs: PULSE_MS };
    },
  });
}

/** How long a stop waits for what is in hand: below the 30 s after which Kubernetes kills. */
const STOP_DEADLINE_MS = 25 * SECOND_MS;

/** Runs workers until they are told to stop. @returns the exit code */
export async function runDaemon(config: Config, workers = ALL_WORKERS): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  return runService(await composeDaemon(config, { log, workers }), {
    stopDeadlineMs: STOP_DEADLINE_MS,
    log,
  });
}

export interface Drained {
  readonly copied: number;
  readonly sunk: number;
  readonly nothing: number;
  /** Messages that warm did not have before. */
  readonly messages: number;
  /** Users whose last attempt failed; their jobs wait for the next one, or are dead. */
  readonly failed: number;
  readonly dead: number;
}

/** How often the queue is asked whether it is empty. */
const ASK_MS = 100;

/**
 * Works on the queue of demotions until nothing in it could run now, or `signal` aborts.
 * @param replay those that failed for good, too
 */
export async function drainDemotions(
  config: Config,
  signal: AbortSignal,
  replay: boolean,
): Promise<Drained> {
  const log = createLogger({ level: config.logLevel });
  const done = { copied: 0, sunk: 0, nothing: 0, messages: 0 };
  const failed = new Set<string>();
  await using opened = new AsyncDisposableStack();
  const hot = await openHot(config, { log });
  opened.defer(() => hot.close());
  await refuseUnsuitable(hot, log);
  const warm = await openWarm(config, hot.clock);
  opened.defer(() => warm.close());
  // An owner of its own, or the start would remove the schedules of daemons.
  const jobs = await openJobs(config, log, 'rekindle-once');
  opened.defer(() => jobs.stop(AbortSignal.timeout(STOP_DEADLINE_MS)));
  createDemoter({ ...hot, warm, jobs }, config, {
    log,
    telemetry: new Telemetry(),
    health: new Health(),
    onDemoted: (user, { outcome, messages }) => {
      failed.delete(user);
      done[outcome] += 1;
      done.messages += messages;
    },
    onFailed: (user) => {
      failed.add(user);
    },
  });
  if (replay) await jobs.replay(DEMOTION);
  await jobs.start();
  for (;;) {
    const { waiting, running, dead } = await jobs.counts(DEMOTION);
    if ((waiting === 0 && running === 0) || signal.aborted)
      return { ...done, failed: failed.size, dead };
    await hot.clock.sleep(ASK_MS, signal);
  }
}

async function refuseUnsuitable(hot: Hot, log: Logger): Promise<void> {
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
