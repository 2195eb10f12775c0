import { MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import { errorMessage } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { Sessions } from '../ports/sessions.ts';
import { DEMOTION } from './demotion.ts';
import type { Observe } from './observe.ts';

/** Touches of one user within this time are armed once: a foreign writer is noticed well within a second. */
const COALESCE_MS = 50;

/** Users armed by one script: 250 take Redis 0.7 ms. */
const ARM_BATCH = 250;

/** How often a write of ours checks that notifications still arrive, and how long it waits for its own. */
const PROBE_EVERY_MS = MINUTE_MS;
const PROBE_TIMEOUT_MS = 2 * SECOND_MS;

/**
 * Where they did arrive, and then so many times in a row not, the connection may be dead without a word: another one
 * tells. Once may be a burst of touches ahead of ours.
 */
const DEAF_AFTER = 2;

/**
 * How long after others' messages changed they are taken to warm, with all that came meanwhile: their program may trim them
 * at any time, and one that trims more than this can hold loses what nobody saw.
 */
const CAPTURE_AFTER_MS = SECOND_MS;

export interface WatchPorts {
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** Where demotions are queued. */
  readonly jobs: Pick<Jobs, 'add'>;
}

export interface WatchHooks {
  /** What happened before is unknown: somebody should reconcile. */
  readonly onSubscribed: () => void;
  readonly observe: Observe;
}

/**
 * Listens to what other programs write and arms their users, until `signal` aborts or the connection is lost (then it
 * rejects). One replica at a time does it, for all.
 *
 * Memory is one entry a user touched and not yet armed, however often it is touched: behind a burst it falls behind
 * and loses nobody.
 */
export async function watchTouches(
  ports: WatchPorts,
  { onSubscribed, observe }: WatchHooks,
  signal: AbortSignal,
): Promise<void> {
  const { sessions, clock } = ports;
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const touched = new Map<string, boolean>();
  const listening = Promise.withResolvers<undefined>();
  const watching = sessions
    .watch(
      (user, messages) => touched.set(user, messages || touched.get(user) === true),
      until,
      () => {
        listening.resolve(undefined);
      },
    )
    .finally(() => {
      ended.abort();
      listening.resolve(undefined);
    });
  const probing = listening.promise.then(async () => {
    if (!until.aborted) onSubscribed();
    await probe(sessions, clock, observe, until);
  });
  const arming = armAsTheyCome(ports, touched, observe, until);
  try {
    // Who cannot arm must not go on listening: it would keep the lease, and nobody would be armed.
    await Promise.all([watching, arming, probing]);
  } finally {
    ended.abort();
    await Promise.allSettled([watching, arming, probing]);
    observe('notifications', { arrive: undefined });
  }
}

async function armAsTheyCome(
  ports: WatchPorts,
  touched: Map<string, boolean>,
  observe: Observe,
  signal: AbortSignal,
): Promise<void> {
  const { sessions, clock } = ports;
  while (!signal.aborted || touched.size > 0) {
    if (touched.size === 0) {
      await clock.sleep(COALESCE_MS, signal);
      continue;
    }
    const batch = new Map(touched.entries().take(ARM_BATCH));
    // Taken out before they are armed: a touch that comes meanwhile counts again.
    for (const user of batch.keys()) touched.delete(user);
    const others = await sessions.armTouched([...batch.keys()], clock.now());
    observe('touched', { users: batch.size });
    await capture(
      ports,
      others.filter((user) => batch.get(user)),
      observe,
    );
    if (touched.size < ARM_BATCH && !signal.aborted) await clock.sleep(COALESCE_MS, signal);
  }
}

/** While the queue is away others' messages wait for a look, as they do without notifications. */
async function capture(
  { jobs }: WatchPorts,
  users: readonly string[],
  observe: Observe,
): Promise<void> {
  if (users.length === 0) return;
  try {
    await jobs.add(DEMOTION, users, CAPTURE_AFTER_MS);
    observe('demotionsQueued', { users: users.length });
  } catch (error) {
    observe('queueAway', { reason: errorMessage(error) });
  }
}

async function probe(
  sessions: Sessions,
  clock: Clock,
  observe: Observe,
  signal: AbortSignal,
): Promise<void> {
  let arrived = false;
  for (let missed = 0; !signal.aborted; ) {
    const arrive = await sessions.probeNotifications(PROBE_TIMEOUT_MS);
    observe('notifications', { arrive });
    arrived ||= arrive;
    missed = arrive ? 0 : missed + 1;
    if (arrived && missed === DEAF_AFTER)
      throw new Error('notifications arrive no more on this connection');
    await clock.sleep(PROBE_EVERY_MS, signal);
  }
}
