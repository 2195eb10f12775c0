/**
 * The compactor: at its hours it looks for owners with aged conversations and queues them, a job for each; so one user is
 * compacted by one process at a time, however many there are. A job is named by its user, and reads all else afresh.
 */
import { HOUR_MS, MINUTE_MS } from '../model/duration.ts';
import type { Jobs } from '../ports/jobs.ts';
import { PAGE_MAX } from '../ports/warm.ts';
import type { Health } from '../runtime/health.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Service, serviceOf } from '../runtime/service.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import { type CompactPorts, type CompactSettings, type Compaction, Compactor } from './compact.ts';

/** The queue of users whose conversations have aged. */
export const COMPACTION = 'compaction';

export interface CompactorPorts extends CompactPorts {
  readonly jobs: Jobs;
}

export interface CompactorSettings extends CompactSettings {
  /** Users that this process takes at once. */
  readonly compactConcurrency: number;
  /** When aged conversations are looked for, in UTC. */
  readonly compactCron: string;
}

export interface CompactorTools {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly health: Health;
  /** Told of each user that was taken. */
  readonly onCompacted?: (user: string, compaction: Compaction) => void;
  /** Told of each run that failed. */
  readonly onFailed?: (user: string, error: unknown) => void;
}

/** With pauses that double up to five minutes, an hour; then the next round queues the user again. */
const ATTEMPTS = 18;
const BACKOFF_MS = MINUTE_MS / 6;

const HOUSEKEEPING_EVERY_MS = HOUR_MS;

/** Works on the queue, once the jobs are started. */
export function handleCompactions(
  ports: CompactorPorts,
  settings: CompactorSettings,
  tools: Omit<CompactorTools, 'health'>,
): void {
  const { jobs } = ports;
  const compactor = new Compactor(ports, settings);
  const { conversations, failures } = metricsOf(jobs, tools.telemetry);
  jobs.handle(
    {
      name: COMPACTION,
      concurrency: settings.compactConcurrency,
      perSecond: undefined,
      attempts: ATTEMPTS,
      backoffMs: BACKOFF_MS,
    },
    async (user, signal) => {
      try {
        const compaction = await compactor.compact(user, signal);
        conversations.inc({}, compaction.conversations);
        tools.onCompacted?.(user, compaction);
      } catch (error) {
        failures.inc({});
        tools.onFailed?.(user, error);
        throw error;
      }
    },
  );
}

/** Builds the compactor: its queue is worked on, and its hours come round, once the jobs are started. */
export function createCompactor(
  ports: CompactorPorts,
  settings: CompactorSettings,
  tools: CompactorTools,
): Service {
  const { jobs, cold } = ports;
  handleCompactions(ports, settings, tools);
  jobs.register(
    { name: 'compaction-round', cron: settings.compactCron, timezone: 'UTC' },
    async (signal) => {
      const users = await queueAged(ports, settings, signal);
      tools.log.info({ users }, 'queued users with aged conversations');
    },
  );
  jobs.register({ name: 'cold-housekeeping', everyMs: HOUSEKEEPING_EVERY_MS }, async (signal) => {
    while (!signal.aborted && (await cold.sweep()) > 0);
  });
  tools.health.register(
    'cold',
    async () => {
      await cold.count('rekindle');
      return { status: 'ok', detail: 'answers' };
    },
    // What cannot be compacted stays in warm.
    'degraded',
  );
  return serviceOf('compactor', {});
}

/** Queues every user with conversations that may be ripe. @returns how many */
export async function queueAged(
  {
    warm,
    clock,
    jobs,
  }: Pick<CompactorPorts, 'warm' | 'clock'> & { readonly jobs: Pick<Jobs, 'add'> },
  { warmAgeMs }: Pick<CompactorSettings, 'warmAgeMs'>,
  signal?: AbortSignal,
): Promise<number> {
  const before = clock.now() - warmAgeMs;
  let users = 0;
  let cursor: string | undefined;
  do {
    signal?.throwIfAborted();
    const page = await warm.aged('segment', before, { limit: PAGE_MAX, cursor });
    const owners = page.items.map(({ agentId }) => agentId);
    if (owners.length > 0) await jobs.add(COMPACTION, owners);
    users += owners.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return users;
}

function metricsOf(
  jobs: Jobs,
  telemetry: Telemetry,
): Record<'conversations' | 'failures', ReturnType<Telemetry['counter']>> {
  telemetry.gauge(
    {
      name: 'rekindle_compaction_jobs',
      help: 'Users in the queue of compactions, by their state; dead ones failed for good.',
      labels: ['state'],
    },
    async (gauge) => {
      const { waiting, delayed, running, dead } = await jobs.counts(COMPACTION);
      for (const [state, jobsInIt] of Object.entries({ waiting, delayed, running, dead }))
        gauge.set({ state }, jobsInIt);
    },
  );
  return {
    conversations: telemetry.counter({
      name: 'rekindle_compactions_total',
      help: 'Conversations that were taken from warm to cold.',
    }),
    failures: telemetry.counter({
      name: 'rekindle_compaction_failures_total',
      help: 'Runs of the compactor that failed; what they were about stays in warm.',
    }),
  };
}
