import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Bench, Figure } from '../harness.ts';
import { assertDone, inFlight, percentile, userIds } from '../harness.ts';
import { announcement } from '../payload.ts';
import { Pipeline } from '../pipeline.ts';
import { WatcherProcess } from '../watcher-process.ts';

/** How many sessions come due each second, and for how long. The others wait meanwhile. */
const DUE_PER_SECOND = 5_000;
const DUE_FOR_S = 5;
const DUE_FOR_MS = DUE_FOR_S * SECOND_MS;

/** Between loading and the first that is due: enough to load the sessions and look at each once. */
const LEAD_MS_PER_SESSION = 0.2;
const LEAST_LEAD_MS = 20 * SECOND_MS;

/** How long what is due at the end of the measurement may still be on its way before it counts as lost. */
const LATEST_MS = 2 * MINUTE_MS;
const TARGET_MS = 20;

const head = {
  unit: 'ms',
  target: `<= ${String(TARGET_MS)} ms at ${String(DUE_PER_SECOND)} due a second`,
  met: (ours: number) => ours <= TARGET_MS,
};

/** 99th percentile of the time from the instant a session is due to its event being on the stream, by Redis' clock. */
export const lateness: Figure = {
  ...head,
  name: 'lateness of an announcement, p99',
  ours,
  peer: delayedJobs,
};

export const latenessOfExpiry: Figure = {
  ...head,
  name: 'lateness of an announcement, p99, against expired-key notifications',
  ours,
  peer: expiredKeys,
};

async function ours(bench: Bench): Promise<number> {
  const thresholdMs = leadMs(bench) + DUE_FOR_MS;
  await using watcher = await WatcherProcess.start({
    settings: {
      REDIS_URL: bench.server.url,
      REKINDLE_STAGES: `${String(thresholdMs)}ms,1h`,
      LOG_LEVEL: 'info',
    },
  });
  await using pipeline = await Pipeline.open(bench);
  const start = pipeline.now();
  await pipeline.leaveCarts(userIds(bench.sessions), (index) => {
    const at = dueAt(bench, start, index);
    return (at ?? start + thresholdMs + DUE_FOR_MS) - thresholdMs;
  });
  await untilAnnounced(bench, start, () => bench.redis.xlen(stream(bench)));
  await watcher.end();
  const late: number[] = [];
  for (const [id, fields] of await bench.redis.xrange(stream(bench), '-', '+')) {
    const event = JSON.parse(fields[fields.indexOf('event') + 1] ?? '') as AnyEvent;
    // The rest come due a little later.
    if (dueAt(bench, start, indexOf(event.data.user)) === undefined) continue;
    if (event.type === 'cart.abandoned')
      late.push(streamedAt(id) - Date.parse(event.data.last_activity) - thresholdMs);
  }
  return p99(bench, late);
}

/** A delayed job per session, whose worker appends the event. */
async function delayedJobs(bench: Bench): Promise<number> {
  const { server, redis, sessions } = bench;
  const entry = await announcement(bench);
  const connection = new Redis(server.url, { maxRetriesPerRequest: null });
  const queue = new Queue('looks', { connection });
  const late: number[] = [];
  const worker = new Worker<{ dueAt: number }>(
    'looks',
    async ({ data }) => {
      const id = await redis.xadd(stream(bench), '*', ...entry);
      late.push(streamedAt(id ?? '') - data.dueAt);
    },
    { connection, concurrency: 100, removeOnComplete: { count: 0 } },
  );
  const start = Date.now();
  await inFlight(userIds(sessions), 5_000, (user, index) => {
    const at = dueAt(bench, start, index) ?? start + HOUR_MS;
    return queue.add('look', { user, dueAt: at }, { delay: Math.max(0, at - Date.now()) });
  });
  await untilAnnounced(bench, start, () => late.length);
  await worker.close(true);
  await queue.close();
  connection.disconnect();
  return p99(bench, late);
}

/** A key per session that expires, and a subscriber to its notification that appends the event. */
async function expiredKeys(bench: Bench): Promise<number> {
  const { server, sessions } = bench;
  const entry = await announcement(bench);
  const commands = new Redis(server.url, { enableAutoPipelining: true });
  const listener = new Redis(server.url);
  const start = Date.now();
  const late: number[] = [];
  const appended = async (key: string): Promise<void> => {
    const id = await commands.xadd(stream(bench), '*', ...entry);
    late.push(streamedAt(id ?? '') - (dueAt(bench, start, indexOf(key)) ?? NaN));
  };
  listener.on('message', (_channel: string, key: string) => void appended(key));
  await listener.subscribe('__keyevent@0__:expired');
  await inFlight(userIds(sessions), 5_000, (user, index) => {
    const at = dueAt(bench, start, index) ?? start + HOUR_MS;
    return commands.set(`watch:${user}`, '', 'PXAT', at);
  });
  await untilAnnounced(bench, start, () => late.length);
  listener.disconnect();
  commands.disconnect();
  return p99(bench, late);
}

function leadMs({ sessions }: Bench): number {
  return Math.max(LEAST_LEAD_MS, sessions * LEAD_MS_PER_SESSION);
}

/** How many come due in the time measured. */
function dueCount({ sessions }: Bench): number {
  return Math.min(sessions, DUE_PER_SECOND * DUE_FOR_S);
}

/** The first of the sessions come due one after the other; the rest (undefined) not while this is measured. */
function dueAt(bench: Bench, start: number, index: number): number | undefined {
  if (index >= dueCount(bench)) return undefined;
  return Math.floor(start + leadMs(bench) + (index / DUE_PER_SECOND) * SECOND_MS);
}

/** The number in the name of a user, or of a key that ends with it. */
function indexOf(name: string): number {
  return Number(name.slice(-8));
}

/** Waits until as many are announced as came due: by the stream, or by answers to whoever appended. */
async function untilAnnounced(
  bench: Bench,
  start: number,
  announced: () => number | Promise<number>,
): Promise<void> {
  const endAt = start + leadMs(bench) + DUE_FOR_MS + SECOND_MS;
  await sleep(endAt - Date.now());
  while (Date.now() < endAt + LATEST_MS) {
    if ((await announced()) >= dueCount(bench)) return;
    await sleep(100);
  }
}

function stream({ config }: Bench): string {
  return `${config.prefix}:events`;
}

function streamedAt(id: string): number {
  return Number(id.split('-')[0]);
}

/** Of those that came due in the time measured; all of them must be there. */
function p99(bench: Bench, late: readonly number[]): number {
  assertDone(late.length, dueCount(bench), 'were announced in time');
  return percentile(late, 0.99);
}
