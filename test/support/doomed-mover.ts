/**
 * One that demotes, compacts or erases, in a process of its own, on a real Redis and the tiers that the settings name. KILL_POINT names the call at which
 * it is killed, without a chance to clean up; without one it works until it is stopped. PLAN says the rest.
 */
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { RedisRecords } from '../../src/adapters/hot/redis/records.ts';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { DEMOTION } from '../../src/abandonment/demotion.ts';
import { openCold } from '../../src/compose-cold.ts';
import { openWarm } from '../../src/compose-warm.ts';
import { loadConfig } from '../../src/config.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { Demoter } from '../../src/tiers/demote.ts';
import { Compactor } from '../../src/tiers/compact.ts';
import { COMPACTION } from '../../src/tiers/compactor.ts';
import { erase } from '../../src/tiers/erase.ts';
import { HOT_DEFAULTS } from './hot-options.ts';
import { type MoverKillPoint, type MoverPlan, TOMBSTONE_TTL_MS } from './mover-process.ts';
import { PlainSummarizer } from './plain-summarizer.ts';
import { redisHot } from './redis-hot.ts';
import { WARM_AGE_MS } from './tier-world.ts';

const plan = JSON.parse(process.env['PLAN'] ?? '') as MoverPlan;
const point = JSON.parse(process.env['KILL_POINT'] ?? 'null') as MoverKillPoint | null;

// The test is gone: nobody else would end this.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

let left = point?.nth ?? 0;

async function strike(): Promise<void> {
  writeSync(1, 'struck down\n');
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => undefined);
}

function doomed<P extends object>(name: string, port: P): P {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      const method = member.bind(target) as (...args: unknown[]) => unknown;
      if (point?.call !== `${name}.${String(key)}`) return method;
      return async (...args: unknown[]) => {
        left -= 1;
        if (left === 0 && point.when === 'before') await strike();
        const result = await method(...args);
        if (left === 0) await strike();
        return result;
      };
    },
  });
}

const client = new Redis(plan.url);
const clock = new VirtualClock(plan.now);
const { keys, agenda } = redisHot({ client: () => client }, { prefix: plan.prefix, window: 3 });
const records = doomed('records', new RedisRecords(client, keys, { ...HOT_DEFAULTS, window: 3 }));
const config = loadConfig(plan.tiers);
const warm = doomed('warm', await openWarm(config, clock));
const bullmq = new BullmqJobs({
  url: plan.url,
  prefix: `${plan.prefix}jobs`,
  log: silentLogger,
  lockMs: plan.lockMs,
});
const jobs = doomed('jobs', bullmq);
const bus = doomed(
  'bus',
  new RedisStreamsBus({
    connect: (settings) => new Redis(plan.url, settings),
    prefix: plan.prefix,
    cap: 1_000,
    log: silentLogger,
  }),
);
const cold = doomed('cold', await openCold(config, clock));

if (plan.task === 'erase') {
  const settings = {
    tombstoneTtlMs: TOMBSTONE_TTL_MS,
    prefix: plan.prefix,
    queues: [DEMOTION, COMPACTION],
  };
  const report = await erase(plan.user, { clock, records, warm, cold, jobs, bus }, settings);
  writeSync(1, `${JSON.stringify(report.remains)}\n`);
  process.exit(0);
}

const settings = { hotTtlMs: plan.hotTtlMs, warmAgeMs: WARM_AGE_MS, warmTtlMs: undefined };
const demoter = new Demoter({ clock, records, warm, agenda }, settings);
const summarizer = new PlainSummarizer();
const compactor = new Compactor({ clock, records, warm, cold, summarizer }, settings);
const once = { concurrency: 1, perSecond: undefined, attempts: 3, backoffMs: 20 };
if (plan.task === 'demote')
  bullmq.handle({ name: DEMOTION, ...once }, async (user, signal) => {
    const { outcome, messages } = await demoter.demote(user, signal);
    writeSync(1, `${outcome} ${String(messages)}\n`);
  });
else
  bullmq.handle({ name: COMPACTION, ...once }, async (user, signal) => {
    const { conversations, messages } = await compactor.compact(user, signal);
    writeSync(1, `compacted ${String(conversations)} ${String(messages)}\n`);
  });
await bullmq.start();
