import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Bench, Figure } from '../harness.ts';
import { assertDone, debounced, usedMemory, userIds } from '../harness.ts';
import { Pipeline } from '../pipeline.ts';

/** Memory of Redis for each watched session beyond the session's own hash: agenda and ledger. */
export const memory: Figure = {
  name: 'Redis memory per watched session',
  unit: 'B',
  target: '<= 1/3 of a BullMQ delayed job that touches can move',
  met: (ours, peer) => ours <= peer / 3,

  ours: async (bench: Bench) => {
    await using pipeline = await Pipeline.open(bench);
    const users = userIds(bench.sessions);
    const now = pipeline.now();
    await pipeline.leaveCarts(users, () => now);
    assertDone(await pipeline.drain(), users.length, 'were looked at');
    const watched = await usedMemory(bench.redis);
    // What is left without agenda and ledgers is the sessions.
    await removeOurs(bench.redis, bench.config.prefix);
    return (watched - (await usedMemory(bench.redis))) / bench.sessions;
  },

  peer: async ({ server, redis, sessions }: Bench) => {
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const queue = new Queue('looks', { connection });
    const before = await usedMemory(redis);
    const users = userIds(sessions);
    for (let from = 0; from < users.length; from += 5_000) {
      await queue.addBulk(
        users.slice(from, from + 5_000).map((user) => ({
          name: 'look',
          data: { user },
          opts: debounced(user),
        })),
      );
    }
    const perSession = ((await usedMemory(redis)) - before) / sessions;
    const delayed = await queue.getDelayedCount();
    await queue.close();
    connection.disconnect();
    assertDone(delayed, sessions, 'jobs wait');
    return perSession;
  },
};

async function removeOurs(redis: Redis, prefix: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 5_000);
    if (keys.length > 0) await redis.del(...keys);
    cursor = next;
  } while (cursor !== '0');
}
