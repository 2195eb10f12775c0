import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { Bench, Figure } from '../harness.ts';
import { rate, userIds } from '../harness.ts';
import { Pipeline } from '../pipeline.ts';

/** What an announcement weighs on the wire, about. */
const PAYLOAD = JSON.stringify({ id: 'x'.repeat(36), data: 'x'.repeat(760) });

/** Where BullMQ's worker stops getting quicker: 12k to 13k/s at 10, 16k to 18k at 100, 16k to 19k at 500. */
const CONCURRENCY = 100;

/** Announcements a second after an outage: all sessions are due at once, and each ends durable on the stream. */
export const drain: Figure = {
  name: 'announcements drained after an outage',
  unit: '1/s',
  target: '>= 2 x a BullMQ worker that does one XADD a job',
  met: (ours, peer) => ours >= 2 * peer,

  ours: async (bench: Bench) => {
    await using pipeline = await Pipeline.open(bench);
    const users = userIds(bench.sessions);
    const now = pipeline.now();
    await pipeline.leaveCarts(users, () => now);
    await pipeline.drain();
    pipeline.shift(30 * MINUTE_MS);
    const startedAt = performance.now();
    const looked = await pipeline.drain();
    const perSecond = rate(looked, startedAt);
    const published = await bench.redis.xlen(`${bench.config.prefix}:events`);
    if (published !== users.length)
      throw new Error(`${String(published)} of ${String(users.length)} were announced`);
    return perSecond;
  },

  peer: async ({ server, sessions }: Bench) => {
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const stream = new Redis(server.url);
    const queue = new Queue('announcements', { connection });
    const users = userIds(sessions);
    for (let from = 0; from < users.length; from += 5_000) {
      await queue.addBulk(
        users
          .slice(from, from + 5_000)
          .map((user) => ({ name: 'announce', data: { user, PAYLOAD } })),
      );
    }
    let done = 0;
    const finished = Promise.withResolvers<undefined>();
    const startedAt = performance.now();
    const worker = new Worker(
      'announcements',
      async () => {
        await stream.xadd('events', '*', 'event', PAYLOAD);
        done += 1;
        if (done === sessions) finished.resolve(undefined);
      },
      { connection, concurrency: CONCURRENCY, removeOnComplete: { count: 0 } },
    );
    await finished.promise;
    const perSecond = rate(sessions, startedAt);
    await worker.close();
    await queue.close();
    connection.disconnect();
    stream.disconnect();
    return perSecond;
  },
};
