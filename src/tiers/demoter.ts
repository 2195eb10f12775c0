/**
 * The demoter: takes to warm the sessions that the watcher's looks have queued, so many at a time. A job is named by its
 * user, and reads all else afresh: one that comes late, or twice, finds nothing to do.
 */
import { DEMOTION } from '../abandonment/demotion.ts';
import { MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { Health } from '../runtime/health.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Service, serviceOf } from '../runtime/service.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import { type DemotePorts, type DemoteSettings, Demoter } from './demote.ts';

export interface DemoterPorts extends DemotePorts {
  readonly jobs: Jobs;
}

export interface DemoterSettings extends DemoteSettings {
  /** Sessions that this process takes to warm at once. */
  readonly demoteConcurrency: number;
  /** Sessions that all processes together take to warm in a second; undefined: as many as they can. */
  readonly demotePerSecond: number | undefined;
  readonly tombstoneTtlMs: number;
}

export interface DemoterTools {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly health: Health;
  /** Told of each session that was taken to warm. */
  readonly onDemoted?: (user: string, demotion: Demotion) => void;
  /** Told of each run that failed. */
  readonly onFailed?: (user: string, error: unknown) => void;
}

type Demotion = Awaited<ReturnType<Demoter['demote']>>;

/** With pauses that double up to five minutes, two hours: then somebody should look; hot stands for the grace meanwhile. */
const ATTEMPTS = 30;
const BACKOFF_MS = SECOND_MS;

const HOUSEKEEPING_EVERY_MS = MINUTE_MS;

/** Builds the demoter: its queue is worked on once the jobs are started. */
export function createDemoter(
  ports: DemoterPorts,
  settings: DemoterSettings,
  tools: DemoterTools,
): Service {
  const { jobs, warm, records, clock } = ports;
  const demoter = new Demoter(ports, settings);
  const { count, headroom } = metricsOf(jobs, tools.telemetry, clock.now.bind(clock));
  jobs.handle(
    {
      name: DEMOTION,
      concurrency: settings.demoteConcurrency,
      perSecond: settings.demotePerSecond,
      attempts: ATTEMPTS,
      backoffMs: BACKOFF_MS,
    },
    async (user, signal) => {
      try {
        const demotion = await demoter.demote(user, signal);
        count.inc({ outcome: demotion.outcome });
        headroom(demotion.leftMs);
        tools.onDemoted?.(user, demotion);
      } catch (error) {
        count.inc({ outcome: 'failed' });
        tools.onFailed?.(user, error);
        throw error;
      }
    },
  );
  jobs.register({ name: 'warm-housekeeping', everyMs: HOUSEKEEPING_EVERY_MS }, async (signal) => {
    await records.sweepTombstones(clock.now() - settings.tombstoneTtlMs);
    while (!signal.aborted && (await warm.sweep()) > 0);
  });
  tools.health.register(
    'warm',
    async () => {
      await warm.count('rekindle');
      return { status: 'ok', detail: 'answers' };
    },
    // What cannot be demoted stays in hot.
    'degraded',
  );
  return serviceOf('demoter', {});
}

function metricsOf(
  jobs: Jobs,
  telemetry: Telemetry,
  now: () => number,
): {
  readonly count: ReturnType<Telemetry['counter']>;
  readonly headroom: (leftMs: number | undefined) => void;
} {
  const count = telemetry.counter({
    name: 'rekindle_demotions_total',
    help: 'Sessions taken to warm, by what became of them.',
    labels: ['outcome'],
  });
  telemetry.gauge(
    {
      name: 'rekindle_demotion_jobs',
      help: 'Demotions in the queue, by their state; dead ones failed for good.',
      labels: ['state'],
    },
    async (gauge) => {
      const { waiting, delayed, running, dead } = await jobs.counts(DEMOTION);
      for (const [state, jobsInIt] of Object.entries({ waiting, delayed, running, dead }))
        gauge.set({ state }, jobsInIt);
    },
  );
  telemetry.gauge(
    {
      name: 'rekindle_demotion_lag_seconds',
      help: 'For how long the next demotion in line has been waiting.',
    },
    async (gauge) => {
      const { oldestAt } = await jobs.counts(DEMOTION);
      gauge.set(oldestAt === undefined ? 0 : Math.max(0, now() - oldestAt) / SECOND_MS);
    },
  );
  let smallest = Infinity;
  telemetry.gauge(
    {
      name: 'rekindle_demotion_ttl_headroom_seconds',
      help: 'Smallest time that a session had left to live when it was taken to warm, since the last scrape.',
    },
    (gauge) => {
      gauge.set(smallest / SECOND_MS);
      smallest = Infinity;
    },
  );
  return {
    count,
    headroom: (leftMs = Infinity) => {
      smallest = Math.min(smallest, leftMs);
    },
  };
}
