/** Works a queue off, and stops: for a command, beside daemons or without any. */
import { DEMOTION } from './abandonment/demotion.ts';
import { openCold, openSummarizer } from './compose-cold.ts';
import { openWarm } from './compose-warm.ts';
import { type Hot, openHot, openJobs, refuseUnsuitable } from './compose.ts';
import type { Config } from './config.ts';
import { SECOND_MS } from './model/duration.ts';
import type { Jobs } from './ports/jobs.ts';
import type { WarmStore } from './ports/warm.ts';
import { Health } from './runtime/health.ts';
import { type Logger, createLogger } from './runtime/logger.ts';
import { Telemetry } from './runtime/telemetry.ts';
import { COMPACTION, handleCompactions, queueAged } from './tiers/compactor.ts';
import { createDemoter } from './tiers/demoter.ts';

/** How long a stop waits for what is in hand. */
const STOP_DEADLINE_MS = 25 * SECOND_MS;

/** How often the queue is asked whether it is empty. */
const ASK_MS = 100;

interface Drained {
  /** Users whose last attempt failed; their jobs wait for the next one, or are dead. */
  readonly failed: number;
  readonly dead: number;
}

export interface DrainedDemotions extends Drained {
  readonly copied: number;
  readonly sunk: number;
  readonly nothing: number;
  /** Messages that warm did not have before. */
  readonly messages: number;
}

/**
 * Works on the queue of demotions until nothing in it could run now, or `signal` aborts.
 * @param replay those that failed for good, too
 */
export async function drainDemotions(
  config: Config,
  signal: AbortSignal,
  replay: boolean,
): Promise<DrainedDemotions> {
  const done = { copied: 0, sunk: 0, nothing: 0, messages: 0 };
  const failed = new Set<string>();
  await using opened = await open(config);
  const { hot, warm, jobs, log } = opened;
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
  const dead = await drained(jobs, DEMOTION, hot, signal);
  return { ...done, failed: failed.size, dead };
}

export interface DrainedCompactions extends Drained {
  /** Users with conversations that may be ripe. */
  readonly users: number;
  readonly conversations: number;
  readonly messages: number;
}

/**
 * Queues all users with aged conversations, and works on that queue until nothing in it could run now, or `signal` aborts.
 * @param onProgress told now and then how many users are done
 */
export async function compactOnce(
  config: Config,
  signal: AbortSignal,
  onProgress: (users: number, of: number) => void,
): Promise<DrainedCompactions> {
  const done = { conversations: 0, messages: 0 };
  const settled = new Set<string>();
  const failed = new Set<string>();
  await using opened = await open(config);
  const { hot, warm, jobs, log } = opened;
  await using more = new AsyncDisposableStack();
  const cold = await openCold(config, hot.clock);
  more.defer(() => cold.close());
  const ports = { ...hot, warm, cold, jobs, summarizer: await openSummarizer(config) };
  handleCompactions(ports, config, {
    log,
    telemetry: new Telemetry(),
    onCompacted: (user, { conversations, messages }) => {
      failed.delete(user);
      settled.add(user);
      done.conversations += conversations;
      done.messages += messages;
    },
    onFailed: (user) => {
      failed.add(user);
    },
  });
  const users = await queueAged(ports, config, signal);
  const dead = await drained(jobs, COMPACTION, hot, signal, () => {
    onProgress(Math.min(users, settled.size), users);
  });
  return { ...done, users, failed: failed.size, dead };
}

interface Opened extends AsyncDisposable {
  readonly hot: Hot;
  readonly warm: WarmStore;
  readonly jobs: Jobs;
  readonly log: Logger;
}

async function open(config: Config): Promise<Opened> {
  const log = createLogger({ level: config.logLevel });
  await using opening = new AsyncDisposableStack();
  const hot = await openHot(config, { log });
  opening.defer(() => hot.close());
  await refuseUnsuitable(hot, log);
  const warm = await openWarm(config, hot.clock);
  opening.defer(() => warm.close());
  // An owner of its own, or the start would remove the schedules of daemons.
  const jobs = await openJobs(config, log, 'rekindle-once');
  opening.defer(() => jobs.stop(AbortSignal.timeout(STOP_DEADLINE_MS)));
  const opened = opening.move();
  return { hot, warm, jobs, log, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** @returns how many jobs are dead then */
async function drained(
  jobs: Jobs,
  queue: string,
  { clock }: Pick<Hot, 'clock'>,
  signal: AbortSignal,
  onAsked?: () => void,
): Promise<number> {
  await jobs.start();
  for (;;) {
    const { waiting, running, dead } = await jobs.counts(queue);
    onAsked?.();
    if ((waiting === 0 && running === 0) || signal.aborted) return dead;
    await clock.sleep(ASK_MS, signal);
  }
}
