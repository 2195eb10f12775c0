import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { Bench, Figure } from '../harness.ts';
import { assertDone, rate, userIds } from '../harness.ts';
import { announcement } from '../payload.ts';
import { Pipeline } from '../pipeline.ts';

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
    assertDone(published, users.length, 'were announced');
    return perSecond;
  },

  peer: async (bench: Bench) => {
    const { server, redis, sessions } = bench;
    const entry = await announcement(bench);
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const stream = new Redis(server.url);
    const queue = new Queue('announcements', { connection });
    // In the peer's favour: its worker knows the event, while ours reads the session and writes it.
    const users = userIds(sessions);
    for (let from = 0; from < users.length; from += 5_000) {
      await queue.addBulk(
        users.slice(from, from + 5_000).map((user) => ({ name: 'announce', data: { user } })),
      );
    }
    let done = 0;
    const finished = Promise.withResolvers<undefined>();
    const startedAt = performance.now();
    const worker = new Worker(
      'announcements',
      async () => {
        await stream.xadd('events', '*', ...entry);
        done += 1;
        if (done === sessions) finished.resolve(undefined);
      },
      { connection, concurrency: CONCURRENCY, removeOnComplete: { count: 0 } },
    );
    await finished.promise;
    const perSecond = rate(sessions, startedAt);
    const appended = await redis.xlen('events');
    await worker.close();
    await queue.close();
    connection.disconnect();
    stream.disconnect();
    assertDone(appended, sessions, 'jobs appended their event');
    return perSecond;
  },
};
