/** Puts the workers together, in one process or each in its own, and runs them. */
import type { Observe } from './abandonment/observe.ts';
import { type WatcherPorts, createWatcher } from './abandonment/watcher.ts';
import { openCold, openSummarizer } from './compose-cold.ts';
import { openReport } from './compose-report.ts';
import { openWarm } from './compose-warm.ts';
import { type Hot, lookSettings, openBus, openHot, openJobs, refuseUnsuitable } from './compose.ts';
import type { Config } from './config.ts';
import { SECOND_MS } from './model/duration.ts';
import type { Jobs } from './ports/jobs.ts';
import { createReporter } from './rescue/report/reporter.ts';
import { Health } from './runtime/health.ts';
import { HttpServer } from './runtime/http.ts';
import { type Logger, createLogger } from './runtime/logger.ts';
import { Loop, type RunResult } from './runtime/loop.ts';
import { runService } from './runtime/run.ts';
import { ServiceGroup } from './runtime/service-group.ts';
import { type Service, serviceOf } from './runtime/service.ts';
import { Telemetry, instrument } from './runtime/telemetry.ts';
import { createCompactor } from './tiers/compactor.ts';
import { createDemoter } from './tiers/demoter.ts';

/** What a process does. */
export type WorkerName = (typeof ALL_WORKERS)[number];

const ALL_WORKERS = ['watcher', 'demoter', 'compactor', 'reporter'] as const;

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
 * @throws UnsuitableStoreError when the Redis would lose what must not be lost, or a file of ours cannot be used
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

  if (workers.includes('demoter') || workers.includes('compactor')) {
    const warmStore = await openWarm(config, clock, telemetry);
    opened.defer(() => warmStore.close());
    const records = instrument(hot.records, 'records', telemetry);
    const warm = instrument(warmStore, 'warm', telemetry);
    const ports = { clock, agenda, records, warm, jobs };
    if (workers.includes('demoter')) working.push(createDemoter(ports, config, tools));
    if (workers.includes('compactor')) {
      const coldStore = await openCold(config, clock);
      opened.defer(() => coldStore.close());
      const cold = instrument(coldStore, 'cold', telemetry);
      const summarizer = await openSummarizer(config);
      working.push(createCompactor({ ...ports, cold, summarizer }, config, tools));
    }
  }
  if (workers.includes('reporter')) {
    const bus = await openBus(config, log);
    opened.defer(() => bus.close());
    const report = await openReport(config);
    opened.defer(() => report.close());
    const ports = { clock, bus, jobs, log: instrument(report, 'report', telemetry) };
    working.push(createReporter(ports, config, tools));
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
export async function runDaemon(
  config: Config,
  workers: readonly WorkerName[] = ALL_WORKERS,
): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  return runService(await composeDaemon(config, { log, workers }), {
    stopDeadlineMs: STOP_DEADLINE_MS,
    log,
  });
}
