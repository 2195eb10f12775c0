/** Puts the watcher together and runs it. */
import type { Observe } from './abandonment/observe.ts';
import { type WatcherPorts, createWatcher } from './abandonment/watcher.ts';
import { type Hot, lookSettings, openBus, openHot, openJobs } from './compose.ts';
import type { Config } from './config.ts';
import { SECOND_MS } from './model/duration.ts';
import { UnsuitableStoreError } from './model/errors.ts';
import { Health } from './runtime/health.ts';
import { HttpServer } from './runtime/http.ts';
import { type Logger, createLogger } from './runtime/logger.ts';
import { runService } from './runtime/run.ts';
import { ServiceGroup } from './runtime/service-group.ts';
import { type Service, serviceOf } from './runtime/service.ts';
import { Telemetry, instrument } from './runtime/telemetry.ts';

export interface WatcherOptions {
  readonly log: Logger;
  readonly observe?: Observe;
  /** Wraps the ports once more, around their metrics: for faults. */
  readonly decorate?: (ports: WatcherPorts) => WatcherPorts;
}

/**
 * Connects and puts the watcher together.
 * @throws UnsuitableStoreError when the Redis would lose what must not be lost
 */
export async function composeWatcher(
  config: Config,
  { log, observe, decorate }: WatcherOptions,
): Promise<Service> {
  const telemetry = new Telemetry({ processMetrics: true });
  const health = new Health();
  await using opened = new AsyncDisposableStack();
  const hot = await openHot(config, { log });
  opened.defer(() => hot.close());
  await refuseUnsuitable(hot, log);
  const bus = await openBus(config, log);
  opened.defer(() => bus.close());
  const ports: WatcherPorts = {
    clock: hot.clock,
    sessions: instrument(hot.sessions, 'sessions', telemetry),
    agenda: instrument(hot.agenda, 'agenda', telemetry),
    ledgers: instrument(hot.ledgers, 'ledgers', telemetry),
    bus: instrument(bus, 'bus', telemetry),
    jobs: await openJobs(config, log),
    leases: hot.leases,
    measureClock: () => hot.measureClock(),
  };
  const watcher = createWatcher(
    decorate ? decorate(ports) : ports,
    { ...lookSettings(config, hot), reconcileEveryMs: config.reconcileEveryMs },
    { log, telemetry, health, ...(observe && { observe }) },
  );
  // From here on the service closes what was opened.
  const connections = opened.move();
  const services: Service[] = [
    serviceOf('connections', { stop: () => connections.disposeAsync() }),
  ];
  if (config.http !== undefined) {
    const { died } = watcher;
    services.push(
      new HttpServer({ address: config.http, setting: 'REKINDLE_HTTP', health, telemetry, died }),
    );
  }
  services.push(watcher);
  return new ServiceGroup('daemon', services);
}

/** How long a stop waits for what is in hand: below the 30 s after which Kubernetes kills. */
const STOP_DEADLINE_MS = 25 * SECOND_MS;

/** Runs the watcher until it is told to stop. @returns the exit code */
export async function runWatcher(config: Config): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  return runService(await composeWatcher(config, { log }), {
    stopDeadlineMs: STOP_DEADLINE_MS,
    log,
  });
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
