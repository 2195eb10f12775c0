/**
 * A reporter in a process of its own, on a real Redis and a file. PLAN names the step at which it is killed, without a
 * chance to clean up; without one it works until everything is folded, and says how many events it took.
 */
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { SqliteRescueLog } from '../../src/adapters/report/sqlite/sqlite-rescue-log.ts';
import type { Bus, Delivery } from '../../src/ports/bus.ts';
import type { RescueFact, RescueLog } from '../../src/ports/rescue-log.ts';
import { Reporter } from '../../src/rescue/report/reporter.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { ReporterPlan } from './reporter-process.ts';

const plan = JSON.parse(process.env['PLAN'] ?? '') as ReporterPlan;

// The test is gone: nobody else would end this.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

function strike(): void {
  writeSync(1, 'struck down\n');
  process.kill(process.pid, 'SIGKILL');
  // It comes before anything else runs, but not before this returns.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** A fact at which the process dies, while the transaction is open. */
function fatal(fact: RescueFact): RescueFact {
  return new Proxy(fact, {
    get(target, key) {
      if (key === 'kind') strike();
      return Reflect.get(target, key) as unknown;
    },
  });
}

const inner = new SqliteRescueLog(plan.file);
const log: RescueLog = {
  fold: async (facts, keptFrom) => {
    if (plan.step === 'before the fold') strike();
    const half = Math.floor(facts.length / 2);
    const told = facts.map((fact, n) =>
      plan.step === 'within the fold' && n === half ? fatal(fact) : fact,
    );
    const folded = await inner.fold(told, keptFrom);
    if (plan.step === 'after the fold') strike();
    return folded;
  },
  count: (span) => inner.count(span),
  sweep: (keptFrom) => inner.sweep(keptFrom),
  close: () => inner.close(),
};

const streams = new RedisStreamsBus({
  connect: (settings) => new Redis(plan.url, settings),
  prefix: plan.prefix,
  cap: 100_000,
  log: silentLogger,
});
let settled = 0;
const bus = new Proxy<Bus>(streams, {
  get(target, key) {
    if (key !== 'subscribe') {
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    }
    return async (options: Parameters<Bus['subscribe']>[0]) => {
      const subscription = await streams.subscribe({ ...options, claimMs: plan.claimMs });
      return {
        close: () => subscription.close(),
        receive: async (...args: Parameters<typeof subscription.receive>) => {
          const deliveries = await subscription.receive(...args);
          return deliveries.map((delivery) => doomed(delivery, deliveries.length));
        },
      };
    };
  },
});

/** Dies once half of a batch is settled. */
function doomed(delivery: Delivery, of: number): Delivery {
  return new Proxy(delivery, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (key !== 'done')
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      return async () => {
        settled += 1;
        if (plan.step === 'amid settling' && settled > of / 2) {
          await streams.groups();
          strike();
        }
        await target.done();
      };
    },
  });
}

const clock = { now: () => Date.now(), sleep: async () => undefined };
const reporter = new Reporter({ bus, log, clock }, { reportTtlMs: 10_000 * 86_400_000 });
let taken = 0;
do {
  taken += await reporter.runOnce(100);
} while ((await streams.groups()).some(({ behind }) => behind > 0));
if (plan.step === 'after settling') strike();
await reporter.close();
await streams.close();
await log.close();
writeSync(1, `took ${String(taken)}\n`);
process.exit(0);
