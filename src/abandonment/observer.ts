import { SECOND_MS } from '../model/duration.ts';
import type { Health } from '../runtime/health.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import type { Observe, Observations } from './observe.ts';

export interface ObserverTools {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly health: Health;
  readonly stagesMs: readonly number[];
  /** Rejects while the bus cannot be reached. */
  readonly askBus: () => Promise<unknown>;
}

/** Lateness is promised in tens of milliseconds, and told apart up to an outage's length. */
const LATENESS_BUCKETS_S = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3_600];

const DEAF = 'do not arrive: what other programs write is noticed by reconcile alone';

type Listeners = { readonly [K in keyof Observations]: (observation: Observations[K]) => void };

/** Turns what happens into metrics, health and log lines. */
export function observer({ log, telemetry, health, stagesMs, askBus }: ObserverTools): Observe {
  const looks = telemetry.counter({ name: 'rekindle_looks_total', help: 'Looks at users.' });
  const repeated = telemetry.counter({
    name: 'rekindle_looks_repeated_total',
    help: 'Looks that found the session changed.',
  });
  const leasesLost = telemetry.counter({
    name: 'rekindle_leases_lost_total',
    help: 'Looks that came too late for their lease.',
  });
  const announced = telemetry.counter({
    name: 'rekindle_announced_total',
    help: 'Announcements durable on the bus.',
    labels: ['stage'],
  });
  const cancelled = telemetry.counter({
    name: 'rekindle_cancelled_total',
    help: 'Cancellations durable on the bus.',
    labels: ['reason'],
  });
  const late = telemetry.histogram(
    {
      name: 'rekindle_announcement_lateness_seconds',
      help: 'From the instant a stage was due to its announcement being durable on the bus.',
    },
    LATENESS_BUCKETS_S,
  );
  const busFailures = telemetry.counter({
    name: 'rekindle_bus_failures_total',
    help: 'Attempts to publish that the bus did not take.',
  });
  const refused = telemetry.counter({
    name: 'rekindle_refused_total',
    help: 'Events that the bus refused while it took others.',
  });
  const quarantined = telemetry.counter({
    name: 'rekindle_quarantined_total',
    help: 'Sessions put into quarantine.',
    labels: ['reason'],
  });
  const demotionsQueued = telemetry.counter({
    name: 'rekindle_demotions_queued_total',
    help: 'Demotions that looks have queued.',
  });
  const queueFailures = telemetry.counter({
    name: 'rekindle_demotion_queue_failures_total',
    help: 'Attempts to queue demotions that the queue did not take.',
  });
  const touched = telemetry.counter({
    name: 'rekindle_touched_total',
    help: 'Users armed by notifications.',
  });
  const notifications = telemetry.gauge({
    name: 'rekindle_notifications_arrive',
    help: '1 while keyspace notifications arrive.',
  });
  const reconciled = telemetry.gauge({
    name: 'rekindle_reconcile_seconds',
    help: 'How long the last reconcile took.',
  });
  let busFailure: string | undefined;
  let queueFailure: string | undefined;
  let arriving: boolean | undefined;

  // However the bus fails, detection goes on.
  health.register(
    'bus',
    async () => {
      if (busFailure !== undefined) return { status: 'degraded', detail: busFailure };
      await askBus();
      return { status: 'ok', detail: 'takes events' };
    },
    'degraded',
  );
  health.register('notifications', () =>
    arriving === false
      ? { status: 'degraded', detail: DEAF }
      : { status: 'ok', detail: arriving ? 'arrive' : 'another replica listens, or nobody yet' },
  );

  const listeners: Listeners = {
    looked: ({ users, changed, leaseLost }) => {
      looks.inc(users);
      repeated.inc(changed);
      leasesLost.inc(leaseLost);
      if (leaseLost > 0)
        log.warn({ users: leaseLost }, 'leases ran out before the look was done; others take over');
    },
    published: ({ event, at }) => {
      if (event.type === 'cart.rescue_cancelled') {
        cancelled.inc({ reason: event.data.reason });
        return;
      }
      if (event.type !== 'cart.abandoned') return;
      const { stage, last_activity } = event.data;
      announced.inc({ stage: String(stage) });
      const dueAt = Date.parse(last_activity) + (stagesMs[stage] ?? 0);
      late.observe(Math.max(0, at - dueAt) / SECOND_MS);
    },
    refused: ({ event, reason }) => {
      refused.inc();
      log.warn(
        { id: event.id, type: event.type, reason },
        'the bus refused an event; it is offered again',
      );
    },
    busAway: ({ reason, group, retryAt }) => {
      busFailures.inc();
      if (busFailure === undefined)
        log.warn({ reason, group, retryAt }, 'the bus takes no events; they wait in the ledgers');
      busFailure = reason;
    },
    busBack: () => {
      if (busFailure !== undefined) log.info({}, 'the bus takes events again');
      busFailure = undefined;
    },
    quarantined: ({ reason, key, detail }) => {
      quarantined.inc({ reason });
      log.warn({ key, reason, detail }, 'a session cannot be understood; it is in quarantine');
    },
    mended: ({ user }) => {
      log.info({ user }, 'a session is understood again');
    },
    demotionsQueued: ({ users }) => {
      demotionsQueued.inc(users);
      queueFailure = undefined;
    },
    queueAway: ({ reason }) => {
      queueFailures.inc();
      if (queueFailure === undefined)
        log.warn({ reason }, 'demotions cannot be queued; it is tried again');
      queueFailure = reason;
    },
    touched: ({ users }) => {
      touched.inc(users);
    },
    notifications: ({ arrive }) => {
      notifications.set(arrive ? 1 : 0);
      if (arrive === arriving) return;
      arriving = arrive;
      if (arrive) log.info({}, 'keyspace notifications arrive');
      else if (arrive === false) log.warn({}, `keyspace notifications ${DEAF}`);
    },
    reconciled: ({ users, armed, tookMs }) => {
      reconciled.set(tookMs / SECOND_MS);
      log.debug({ users, armed, tookMs }, 'reconciled');
    },
  };
  return (what, observation) => {
    listeners[what](observation);
  };
}
