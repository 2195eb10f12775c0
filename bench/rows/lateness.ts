import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { SECOND_MS } from '../../src/model/duration.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Bench, Figure } from '../harness.ts';
import { inChunks, percentile, userIds } from '../harness.ts';
import { Pipeline } from '../pipeline.ts';

/** How many sessions come due each second, and for how long. The others wait meanwhile. */
const DUE_PER_SECOND = 5_000;
const DUE_FOR_S = 5;

/** Between loading and the first that is due: enough to load 100,000 sessions and look at each once. */
const LEAD_MS = 20 * SECOND_MS;
const THRESHOLD_MS = LEAD_MS + DUE_FOR_S * SECOND_MS;
const TARGET_MS = 20;

const watcher = fileURLToPath(new URL('../../workers/watcher.ts', import.meta.url));

/** 99th percentile of the time from the instant a session is due to its event being on the stream, by Redis' clock. */
export const lateness: Figure = {
  name: 'lateness of an announcement, p99',
  unit: 'ms',
  target: `<= ${String(TARGET_MS)} ms at ${String(DUE_PER_SECOND)} due a second`,
  met: (ours) => ours <= TARGET_MS,

  ours: async (bench: Bench) => {
    const settings = {
      REDIS_URL: bench.server.url,
      REKINDLE_STAGES: `${String(THRESHOLD_MS)}ms,1h`,
    };
    const child = spawn(process.execPath, [watcher], {
      env: { PATH: process.env['PATH'], REKINDLE_HTTP: 'off', LOG_LEVEL: 'warn', ...settings },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    try {
      await using pipeline = await Pipeline.open(bench);
      const start = pipeline.now();
      await pipeline.leaveCarts(userIds(bench.sessions), (index) => activityAt(start, index));
      await untilPassed(start);
      const late: number[] = [];
      for (const [id, fields] of await bench.redis.xrange(stream(bench), '-', '+')) {
        const event = JSON.parse(fields[fields.indexOf('event') + 1] ?? '') as AnyEvent;
        late.push(streamedAt(id) - Date.parse(event.data.last_activity) - THRESHOLD_MS);
      }
      return p99(late);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  },

  peer: async (bench: Bench) => {
    const { server, redis, sessions } = bench;
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const queue = new Queue('looks', { connection });
    const worker = new Worker<{ dueAt: number }>(
      'looks',
      async ({ data }) => {
        await redis.xadd(stream(bench), '*', 'due', data.dueAt);
      },
      { connection, concurrency: 100, removeOnComplete: { count: 0 } },
    );
    const start = Date.now();
    await inChunks(userIds(sessions), 5_000, (user, index) => {
      const dueAt = activityAt(start, index) + THRESHOLD_MS;
      return queue.add('look', { user, dueAt }, { delay: Math.max(0, dueAt - Date.now()) });
    });
    await untilPassed(start);
    const entries = await redis.xrange(stream(bench), '-', '+');
    const late = entries.map(([id, [, due]]) => streamedAt(id) - Number(due));
    await worker.close(true);
    await queue.close();
    connection.disconnect();
    return p99(late);
  },
};

/** The first of the sessions come due one after the other; the rest were active just now. */
function activityAt(start: number, index: number): number {
  const dueAfterMs = (index / DUE_PER_SECOND) * SECOND_MS;
  return dueAfterMs < DUE_FOR_S * SECOND_MS
    ? Math.floor(start + LEAD_MS - THRESHOLD_MS + dueAfterMs)
    : start + DUE_FOR_S * SECOND_MS;
}

async function untilPassed(start: number): Promise<void> {
  await sleep(start + LEAD_MS + DUE_FOR_S * SECOND_MS + SECOND_MS - Date.now());
}

function stream({ config }: Bench): string {
  return `${config.prefix}:events`;
}

function streamedAt(id: string): number {
  return Number(id.split('-')[0]);
}

/** Of those that came due in the time measured; all of them must be there. */
function p99(late: readonly number[]): number {
  if (late.length < DUE_PER_SECOND * DUE_FOR_S) {
    throw new Error(
      `only ${String(late.length)} of ${String(DUE_PER_SECOND * DUE_FOR_S)} were announced in time`,
    );
  }
  return percentile(late, 0.99);
}
