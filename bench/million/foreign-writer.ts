/** Another program, in a process of its own: writes `last_activity` with plain commands, so many a second. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { SECOND_MS } from '../../src/model/duration.ts';
import { OUR_OWN } from '../slow-commands.ts';
import { type ForeignLoad, foreignUsers } from './foreign-load.ts';

const CART = '[{"product_id":"p-4711","size":"M","quantity":1,"price":19.9}]';

const TICK_MS = 5;

/** Some come again and again, most seldom: the cube of an even chance. */
const SKEW = 3;

const load = JSON.parse(process.argv[2] ?? '') as ForeignLoad;
const users = foreignUsers(load);
const redis = new Redis(load.url, { connectionName: OUR_OWN });
const total = load.perSecond * load.seconds;
const startedAt = performance.now();
let writes = 0;
while (writes < total) {
  const due = ((performance.now() - startedAt) / SECOND_MS) * load.perSecond;
  const pipeline = redis.pipeline();
  for (; writes < Math.min(due, total); writes += 1) {
    // Everybody once, then whoever comes.
    const first = writes < users.length;
    const index = first ? writes : Math.floor(users.length * Math.random() ** SKEW);
    const now = (Date.now() / SECOND_MS).toFixed(3);
    const cart = first && index >= load.known.count ? ['cart', CART] : [];
    pipeline.hset(`session:${users[index] ?? ''}`, 'last_activity', now, ...cart);
  }
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  await sleep(TICK_MS);
}
const tookMs = performance.now() - startedAt;
redis.disconnect();
process.stdout.write(`${JSON.stringify({ writes, tookMs })}\n`);
