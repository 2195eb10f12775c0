/**
 * The watcher: everything that notices a quiet cart, as one service. From top to bottom, what a replica runs:
 *
 *   listen     one replica at a time: other programs' touches ─▶ agenda
 *   looks      all replicas: claim, read, decide, commit, announce, settle
 *   full pass  after a subscription was made or lost: reconcile without pauses
 *   jobs       among all replicas: reconcile in the background, housekeeping
 */
import { SECOND_MS } from '../model/duration.ts';
import type { Bus } from '../ports/bus.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { Health } from '../runtime/health.ts';
import { Lease, type LeaseStore } from '../runtime/lease.ts';
import type { Logger } from '../runtime/logger.ts';
import { Loop, type RunResult } from '../runtime/loop.ts';
import { type Service, serviceOf } from '../runtime/service.ts';
import { ServiceGroup } from '../runtime/service-group.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import { monotonicTime } from '../runtime/time.ts';
import { Announcer } from './announce.ts';
import { LOOK_BATCH, Looker, type LookPorts, type LookSettings } from './look.ts';
import { type Observe, quietly } from './observe.ts';
import { observer } from './observer.ts';
import { reconcile } from './reconcile.ts';
import { watchTouches } from './watch.ts';

export interface WatcherPorts extends LookPorts {
  readonly bus: Bus;
  readonly jobs: Jobs;
  readonly leases: LeaseStore;
}

export interface WatcherSettings extends LookSettings {
  readonly reconcileEveryMs: number;
}

export interface WatcherTools {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly health: Health;
  /** Told of everything that happens, beside metrics and logs. */
  readonly observe?: Observe;
}

/**
 * A look that failed is tried again after this at the most: as soon as a lost connection, so that nobody waits for longer
 * than the outage lasts.
 */
const LOOK_RETRY_MS = 2 * SECOND_MS;

/** Loops that look whenever somebody is due. Two, so that one that waits for a slow bus leaves another. */
const WATCHING_LOOPS = 2;

/**
 * Loops that look while there is somebody due at each look. At 5,000 due a second two loops announced with a p99 of 26 to
 * 38 ms, for what came due in the middle of a look waited for its end; four with 18 to 27.
 */
const BUSY_LOOPS = 4;

/**
 * Batches in hand at once while more are due than those take: some wait for Redis or the bus while another is judged.
 * Draining 60,000 users, 2 loops of 250 users made 22,000 announcements a second and 8 of 64 made 28,000; on a slower
 * and busier machine 16 of 64 took 85 to 96 µs a user where 8 took 96 to 122.
 */
export const LOOK_LOOPS = 16;

/** Looks due within this time are taken together: at 5,000 due a second a batch is 25 users instead of one. */
const GATHER_MS = 5;

/** A look that was armed for now by another process is noticed this late at the most. Idle cost: 4 claims a second and loop. */
const IDLE_MS = 250;

const HOUSEKEEPING_EVERY_MS = 10 * SECOND_MS;
const LISTENER_LEASE_MS = 10 * SECOND_MS;

/** Builds the watcher; `start` begins. */
export function createWatcher(
  ports: WatcherPorts,
  settings: WatcherSettings,
  tools: WatcherTools,
): Service {
  const { log, telemetry, health } = tools;
  const { clock, bus, jobs } = ports;
  const record = observer({
    log,
    telemetry,
    health,
    stagesMs: settings.stagesMs,
    askBus: () => bus.groups(),
  });
  const observe = quietly(
    (what, observation) => {
      record(what, observation);
      tools.observe?.(what, observation);
    },
    (error) => {
      log.error({ err: error }, 'an observer failed');
    },
  );

  addGauges(ports, telemetry);

  const announcer = new Announcer(bus, clock, observe);
  const looker = new Looker(ports, announcer, settings, observe, (user, error) => {
    log.error({ user, err: error }, 'a user could not be judged; it is tried again in a minute');
  });
  const looks: readonly Loop[] = Array.from(
    { length: LOOK_LOOPS },
    (_none, index) =>
      new Loop({
        name: `look-${String(index)}`,
        time: clock,
        log,
        backoff: { capMs: LOOK_RETRY_MS },
        runOnce: async (signal): Promise<RunResult> => {
          const { users, nextDueAt } = await looker.lookOnce(signal);
          if (users === LOOK_BATCH) {
            looks[index + 1]?.wake();
            return { sleepMs: 0 };
          }
          const isHelper = index >= WATCHING_LOOPS;
          if (users > 0 && !isHelper) looks[index + WATCHING_LOOPS]?.wake();
          if (isHelper && (users === 0 || index >= BUSY_LOOPS)) return { sleepMs: Infinity };
          const untilNextMs = (nextDueAt ?? Infinity) - clock.now();
          return { sleepMs: Math.min(IDLE_MS, Math.max(GATHER_MS, untilNextMs)) };
        },
      }),
  );

  const watching = looks.slice(0, WATCHING_LOOPS);

  // A pass can be broken off at any point, and may take minutes: nobody waits for it to end.
  const quieting = new AbortController();
  const pass = (fullSpeed: boolean, signal: AbortSignal): Promise<unknown> =>
    reconcile(ports, settings, observe, {
      fullSpeed,
      signal: AbortSignal.any([signal, quieting.signal]),
    });

  let passWanted = false;
  const fullPass = new Loop({
    name: 'full-pass',
    time: clock,
    log,
    runOnce: async (signal): Promise<RunResult> => {
      if (passWanted) {
        passWanted = false;
        try {
          await pass(true, signal);
        } catch (error) {
          passWanted = true;
          throw error;
        }
      }
      return { sleepMs: Infinity };
    },
  });

  const listener = new Lease({
    name: 'listener',
    ttlMs: LISTENER_LEASE_MS,
    store: ports.leases,
    time: monotonicTime,
    log,
    whileHeld: (signal) =>
      watchTouches(
        ports,
        {
          onSubscribed: () => {
            passWanted = true;
            fullPass.wake();
          },
          observe: (what, observation) => {
            observe(what, observation);
            if (what === 'touched') for (const loop of watching) loop.wake();
          },
        },
        signal,
      ),
  });

  jobs.register({ name: 'reconcile', everyMs: settings.reconcileEveryMs }, async (signal) => {
    await pass(false, signal);
  });
  jobs.register({ name: 'housekeeping', everyMs: HOUSEKEEPING_EVERY_MS }, async () => {
    await bus.trim();
  });

  health.register('work', () => {
    const failing = [...looks, listener, fullPass].filter(({ trouble }) => trouble);
    if (failing.length === 0) return { status: 'ok', detail: 'goes on' };
    const nobodyLooks = watching.every(({ trouble }) => trouble !== undefined);
    return {
      status: nobodyLooks ? 'failed' : 'degraded',
      detail: failing.map(({ name, trouble }) => `${name}: ${trouble}`).join('; '),
    };
  });

  const passes = serviceOf('passes', {
    quiet: async () => {
      quieting.abort();
    },
    stop: async () => {
      quieting.abort();
    },
  });
  return new ServiceGroup('watcher', [fullPass, passes, listener, ...looks]);
}

/** Asked for at each scrape, and not otherwise. */
function addGauges({ agenda, ledgers, bus, clock }: WatcherPorts, telemetry: Telemetry): void {
  const counted = {
    armed: 'wait for a look',
    due: 'have a look due',
    leased: 'are being looked at',
  } as const;
  for (const [which, what] of Object.entries(counted)) {
    telemetry.gauge(
      { name: `rekindle_${which}_users`, help: `Users who ${what}.` },
      async (gauge) => {
        gauge.set((await agenda.counts(clock.now()))[which as keyof typeof counted]);
      },
    );
  }
  telemetry.gauge(
    { name: 'rekindle_quarantined_users', help: 'Users in quarantine.' },
    async (gauge) => {
      gauge.set((await ledgers.quarantined(1)).total);
    },
  );
  telemetry.gauge(
    {
      name: 'rekindle_bus_behind_events',
      help: 'Events that a group has not settled.',
      labels: ['group'],
    },
    async (gauge) => {
      gauge.reset();
      for (const { group, behind } of await bus.groups()) gauge.set({ group }, behind);
    },
  );
}
