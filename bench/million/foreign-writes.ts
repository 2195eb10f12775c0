import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { SECOND_MS } from '../../src/model/duration.ts';
import { parseInstant } from '../../src/model/instant.ts';
import { type Sample, assertDone, inFlight, percentile } from '../harness.ts';
import type { WatcherProcess } from '../watcher-process.ts';
import { type ForeignLoad, foreignUsers } from './foreign-load.ts';
import { type World, announcedUsers, foreignLoad } from './world.ts';

const WRITER = fileURLToPath(new URL('foreign-writer.ts', import.meta.url));

const SAMPLE_EVERY_MS = 250;

/** Whoever was written to and is not found within this time after the last write is lost. */
const FOUND_WITHIN_MS = 120 * SECOND_MS;

export interface ForeignWrites {
  readonly writesPerSecond: Sample;
  readonly listeners: Sample;
  /** Below one: touches of a user that come close together are armed once. */
  readonly armedPerWrite: Sample;
  /** From a write to its user being armed, in milliseconds. */
  readonly armedAfterMs: Sample;
  readonly lost: Sample;
}

/**
 * Another program writes to 50,000 users, some of them new, while two replicas run. One of them must listen for both.
 */
export async function writeForeign(
  world: World,
  replicas: readonly WatcherProcess[],
): Promise<ForeignWrites> {
  const { bench } = world;
  const load = foreignLoad(bench);
  const before = await Promise.all(replicas.map(touchesOf));
  const over = new AbortController();
  const sampling = sampleListeners(bench.redis, over.signal);
  const probing = probe(world, over.signal);
  const writer = spawn(process.execPath, [WRITER, JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const written = await resultOf(writer);
  const endedAt = performance.now();
  over.abort();
  const [listeners, lags] = await Promise.all([sampling, probing]);
  assertDone(written.writes, load.perSecond * load.seconds, 'writes were made');
  const lost = await untilFound(world, load);
  const foundAfterS = ((performance.now() - endedAt) / SECOND_MS).toFixed(1);

  const after = await Promise.all(replicas.map(touchesOf));
  const armed = after.map((count, index) => count - (before[index] ?? 0));
  const cut = replicas.flatMap((replica) => replica.lines(isConnectionLost)).length;
  const megabytes = (listeners.bufferBytes / 2 ** 20).toFixed(1);
  return {
    writesPerSecond: {
      value: (written.writes / written.tookMs) * SECOND_MS,
      note: `at most ${megabytes} MB waited in Redis for the listener; its connection was cut ${cut} times`,
    },
    listeners: { value: listeners.most },
    armedPerWrite: {
      value: armed.reduce((sum, count) => sum + count, 0) / written.writes,
      note: `${armed.join(' and ')} by each replica, for ${written.writes} writes`,
    },
    armedAfterMs: {
      value: percentile(lags, 0.99),
      note: `p99 of ${lags.length} new users; half within ${percentile(lags, 0.5)} ms`,
    },
    lost: {
      value: lost,
      note: `of ${load.known.count + load.fresh} users; all were found within ${foundAfterS} s of the last write`,
    },
  };
}

async function resultOf(writer: ChildProcess): Promise<{ writes: number; tookMs: number }> {
  const [printed, [code]] = await Promise.all([
    text(writer.stdout as NodeJS.ReadableStream),
    once(writer, 'exit') as Promise<[number | null]>,
  ]);
  if (code !== 0) throw new Error(`the writer ended with ${code ?? 'a signal'}`);
  return JSON.parse(printed) as { writes: number; tookMs: number };
}

function touchesOf(replica: WatcherProcess): Promise<number> {
  return replica.metric('rekindle_touched_total');
}

function isConnectionLost(line: Readonly<Record<string, unknown>>): boolean {
  return JSON.stringify(line).includes('the connection that listens for notifications was lost');
}

/** How many listen at once, and how much waits for them in Redis, at most. */
async function sampleListeners(redis: Redis, over: AbortSignal) {
  let most = 0;
  let bufferBytes = 0;
  while (!over.aborted) {
    const list = String(await redis.client('LIST', 'TYPE', 'PUBSUB'));
    const listeners = list.split('\n').filter((line) => / psub=[1-9]/.test(line));
    most = Math.max(most, listeners.length);
    for (const line of listeners)
      bufferBytes = Math.max(bufferBytes, Number(/ omem=(\d+)/.exec(line)?.[1]));
    await sleep(SAMPLE_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
  }
  return { most, bufferBytes };
}

/** Writes to users of its own now and then. @returns how long it took until each was armed */
async function probe({ bench, pipeline }: World, over: AbortSignal): Promise<number[]> {
  const lags: number[] = [];
  while (!over.aborted) {
    const user = `prob${String(lags.length).padStart(8, '0')}`;
    const writtenAt = performance.now();
    await bench.redis.hset(`session:${user}`, 'last_activity', String(Date.now() / SECOND_MS));
    for (;;) {
      const { dueAt, leasedUntil } = await pipeline.hot.agenda.inspect(user);
      if (dueAt !== undefined || leasedUntil !== undefined) break;
      await sleep(2);
    }
    lags.push(Math.round(performance.now() - writtenAt));
    await sleep(SAMPLE_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
  }
  return lags;
}

/** Waits until nobody is missing. @returns how many still are, when that takes too long */
async function untilFound(world: World, load: ForeignLoad): Promise<number> {
  const deadline = performance.now() + FOUND_WITHIN_MS;
  let missing = foreignUsers(load);
  for (;;) {
    missing = await missingOf(world, missing);
    const untold = await untoldReturns(world);
    if (missing.length + untold === 0 || performance.now() > deadline)
      return missing.length + untold;
    await sleep(100);
  }
}

/** Those without a look at the latest one threshold after their last activity. */
async function missingOf({ bench, pipeline }: World, users: readonly string[]): Promise<string[]> {
  const [thresholdMs = NaN] = bench.config.stagesMs;
  const missing: string[] = [];
  await inFlight(users, 1_000, async (user) => {
    const { dueAt, leasedUntil } = await pipeline.hot.agenda.inspect(user);
    const last = await bench.redis.hget(`session:${user}`, 'last_activity');
    const latest = (parseInstant(last ?? '') ?? NaN) + thresholdMs;
    if (leasedUntil === undefined && !(dueAt !== undefined && dueAt <= latest)) missing.push(user);
  });
  return missing;
}

/** How many of those who were announced have come back, and nobody was told. */
async function untoldReturns({ bench }: World): Promise<number> {
  const untold = new Set(announcedUsers(bench));
  const entries = await bench.redis.xrange(`${bench.config.prefix}:events`, '-', '+');
  for (const [, fields] of entries) {
    if (fields[1] !== 'cart.rescue_cancelled') continue;
    const { data } = JSON.parse(fields[3] ?? '') as { data: { user: string } };
    untold.delete(data.user);
  }
  return untold.size;
}
