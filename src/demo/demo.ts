import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCold } from '../compose-cold.ts';
import { openWarm } from '../compose-warm.ts';
import { type Hot, openBus, openHot, openJobs } from '../compose.ts';
import { loadConfig } from '../config.ts';
import { openRekindle } from '../index.ts';
import type { Bus } from '../ports/bus.ts';
import { silentLogger } from '../runtime/logger.ts';
import { queueAged } from '../tiers/compactor.ts';
import { inCold } from './cold-share.ts';
import { CompactionWatch } from './compaction-watch.ts';
import { startDaemon } from './daemon-process.ts';
import type { Display } from './display.ts';
import { ForeignShop } from './foreign-shop.ts';
import { Listener } from './listener.ts';
import { livePast } from './past.ts';
import { recollect } from './recollection.ts';
import { planShoppers } from './shoppers.ts';
import { Shop } from './shop.ts';
import { RescueAtWork } from './rescue-at-work.ts';
import { unfinished } from './rescue-summary.ts';
import { demoSettings, inherited } from './settings.ts';
import { SinkWatch } from './sink-watch.ts';
import { type DemoSummary, outstanding, summarise } from './summary.ts';
import { timingFor } from './timing.ts';
import { whereabouts } from './whereabouts.ts';

export interface DemoOptions {
  readonly seed: number;
  readonly users: number;
  readonly seconds: number;
  /** Settings that lead to Redis, and to Azure where that is used. */
  readonly stores: Readonly<Record<string, string | undefined>>;
  readonly redis: 'private' | 'given';
  /** First part of every key that is written. */
  readonly keys: string;
  /** The command line's file: the daemon is started with it. */
  readonly entry: string;
  /** Shows what happens, on a terminal. */
  readonly display: Display | undefined;
  readonly signal: AbortSignal;
}

/** Past the end, how long what was due may still be on its way. */
const GRACE_MS = 5_000;

/** And how long what nobody expects may still come. */
const SETTLE_MS = 300;

/** How long the daemon may take to stop when the demo has failed or was stopped. */
const HURRIED_STOP_MS = 3_000;

/** The consumer group of the listener. */
const LISTENER_GROUP = 'demo';

const PROBE_MS = 1_000;
const POLL_MS = 50;

/** Everything set up, and taken down again in the opposite order. */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const { seed, users, seconds, redis, keys, entry, display, signal } = options;
  const timing = timingFor(seconds);
  const { stagesMs, spanMs, sureMs, hotLifeMs, reviewMs } = timing;
  // A look follows a return within milliseconds; but where another program wrote it less than the first threshold before
  // the next stage is due, nobody can tell it from a touch of an active user, and that stage's look sees it.
  const terms = { stagesMs, sureMs, noticeMs: stagesMs[0] };
  await using closing = new AsyncDisposableStack();

  const folder = await mkdtemp(join(tmpdir(), 'rekindle-demo-'));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  const env = { ...options.stores, ...demoSettings(keys, timing), REKINDLE_DATA_DIR: folder };
  const config = loadConfig(env);
  const hot = await openHot(config);
  closing.defer(() => hot.close());
  const { clock, sessions } = hot;
  const foreign = new ForeignShop(config.redisUrl, (user) => sessions.keyOf(user));
  closing.defer(async () => {
    if (redis === 'given') await foreign.removeAll(`${keys}:`);
    foreign.close();
  });
  const foreigners = await notificationsArrive(sessions);
  const rekindle = await openRekindle({ env });
  closing.defer(() => rekindle.close());

  const warm = await openWarm(config, clock);
  closing.defer(() => warm.close());
  const cold = await openCold(config, clock);
  closing.defer(() => cold.close());
  const tiers = { records: hot.records, warm, cold };
  const jobs = await openJobs(config, silentLogger, 'rekindle-demo');
  closing.defer(() => jobs.stop(AbortSignal.abort()));

  // Nobody can wait for the daemon's cron, which comes once a minute at the most: its round is begun from here, and the
  // daemon's own compactor works on what it queues.
  const compacting = new CompactionWatch(tiers, () => queueAged({ warm, clock, jobs }, config));
  let endAt = Infinity;
  const rescue = await RescueAtWork.open(rekindle, config, clock, {
    reviewMs,
    endsAt: () => endAt,
  });
  closing.defer(() => rescue.close());
  const { desk } = rescue;
  const shop = new Shop(
    planShoppers({ seed, users, foreigners, pasts: true }, timing),
    rekindle,
    foreign,
    clock,
    {
      hotLifeMs,
      awayMs: hotLifeMs - config.demoteLeadMs,
      windowMessages: config.windowMessages,
      resume: (user, at) => rekindle.resume(user, { at }),
      mayCome: (user) => compacting.isCompacted(user),
      recall: (user, question, at) => recollect(rekindle, user, question, at),
    },
    {
      latestTo: (user) => desk.latestTo(user),
      recordReply: (event, at) => rekindle.recordReply(event, { at }),
    },
  );
  await livePast(shop.visits, rekindle, clock.now(), config.windowMessages);

  const listener = new Listener(stagesMs);
  const bus = await openBus(config);
  closing.defer(() => bus.close());
  const subscription = await bus.subscribe({ group: LISTENER_GROUP });
  const daemon = await startDaemon({ entry, env: { ...inherited(), ...env }, folder, signal });
  closing.defer(async () => {
    // Only where something failed before: nothing of worth is lost.
    await daemon.stop(HURRIED_STOP_MS);
  });

  const failed = new AbortController();
  const given = AbortSignal.any([signal, daemon.died, failed.signal]);
  const over = new AbortController();
  const listening = listener
    .listen(subscription, clock, AbortSignal.any([given, over.signal]))
    .catch((error: unknown) => failed.abort(error));
  closing.defer(async () => {
    over.abort();
    await listening;
    await subscription.close();
  });

  const sinking = new SinkWatch(tiers, hotLifeMs);
  const whileOpen = AbortSignal.any([given, over.signal]);
  const watching = [
    sinking.watch(shop, clock, whileOpen),
    compacting.watch(shop.visits, clock, whileOpen),
  ].map((one) => one.catch((error: unknown) => failed.abort(error)));
  closing.defer(async () => {
    over.abort();
    await Promise.all(watching);
  });
  const startAt = clock.now();
  endAt = startAt + spanMs;
  display?.show({
    shop,
    listener,
    sinking,
    compacting,
    desk,
    stagesMs,
    startAt,
    endAt,
    now: () => clock.now(),
  });
  await shop.open(startAt, endAt, given);
  await clock.sleep(Math.max(0, endAt - clock.now()), given);
  const waitWhile = async (isOpen: () => boolean): Promise<void> => {
    while (clock.now() < endAt + GRACE_MS && isOpen()) {
      given.throwIfAborted();
      await sleep(POLL_MS);
    }
  };
  const rescueTerms = { answeredUntil: endAt, orderedUntil: endAt - terms.noticeMs };
  await waitWhile(
    () =>
      outstanding(shop, listener, terms, endAt) > 0 ||
      unfinished(shop.visits, listener, desk, rescueTerms) > 0,
  );
  // What is announced from now on nobody answers; what was sent is to be told.
  await rescue.close();
  await clock.sleep(SETTLE_MS, given);
  await waitWhile(() => listener.touched.length < desk.written.length);
  given.throwIfAborted();

  const ended = await daemon.stop();
  if (ended) throw ended;
  await waitFor(bus, LISTENER_GROUP);
  await sinking.look(shop.visits, clock.now());
  // Nothing moves any more.
  const found = await whereabouts(tiers, shop.visits);
  const about = { seed, seconds, redis, terms, hotLifeMs, until: endAt };
  const compacted = await inCold(cold, shop.visits);
  const seen = await rescue.seen(bus, startAt, clock.now());
  const tiersSeen = { sunk: sinking.sunk.length, found, compacted };
  return summarise(shop, listener, tiersSeen, { ...seen, ...rescueTerms }, about);
}

/** Until a group has settled all that is on the bus; when nothing more comes. */
async function waitFor(bus: Bus, name: string): Promise<void> {
  const giveUpAt = performance.now() + GRACE_MS;
  const isBehind = async (): Promise<boolean> =>
    (await bus.groups()).some(({ group, behind }) => group === name && behind > 0);
  while ((await isBehind()) && performance.now() < giveUpAt) await sleep(POLL_MS);
}

/** Without them a foreign session is noticed whenever a pass over all keys comes by it: nothing for 20 seconds. */
async function notificationsArrive(sessions: Hot['sessions']): Promise<boolean> {
  const over = new AbortController();
  const listening = Promise.withResolvers<undefined>();
  const watching = sessions.watch(
    () => undefined,
    over.signal,
    () => listening.resolve(undefined),
  );
  try {
    await Promise.race([listening.promise, watching]);
    return await sessions.probeNotifications(PROBE_MS);
  } finally {
    over.abort();
    await watching;
  }
}
