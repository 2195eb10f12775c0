/**
 * A subscriber in a process of its own, on a real Redis. KILL_POINT names where it is killed, without a chance to clean up;
 * without one it runs until it is stopped. Its effect is a counter per event: it counts up when it is told that nobody did
 * it before, and else sets it to one if there is none, as a sender does that has an idempotency key.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { openBus, openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { Subscription } from '../../src/ports/bus.ts';
import { Subscriber } from '../../src/rescue/subscriber.ts';
import { replacing } from './replacing.ts';
import { abandonedEvent } from './sample-events.ts';
import type { SubscriberBoundary, SubscriberKillPoint } from './subscriber-kill-points.ts';

// The test is gone: nobody else would end this.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const point = JSON.parse(process.env['KILL_POINT'] ?? 'null') as SubscriberKillPoint | null;
let left = point?.nth ?? 0;

async function pass(
  when: SubscriberBoundary['when'],
  step: SubscriberBoundary['step'],
): Promise<void> {
  if (point?.when !== when || point.step !== step) return;
  left -= 1;
  if (left !== 0) return;
  writeSync(1, 'struck down\n');
  process.kill(process.pid, 'SIGKILL');
  // SIGKILL comes before anything else runs, but not before this returns.
  await new Promise(() => undefined);
}

async function step<T>(name: SubscriberBoundary['step'], work: () => Promise<T>): Promise<T> {
  await pass('before', name);
  const result = await work();
  await pass('after', name);
  return result;
}

const config = loadConfig();
const [hot, bus] = await Promise.all([openHot(config), openBus(config)]);
const effects = new Redis(config.redisUrl);
const contact = abandonedEvent(1).data.contact;

const subscriber = new Subscriber(
  {
    clock: hot.clock,
    inbox: replacing(hot.inbox, {
      begin: (...args) => step('inbox.begin', () => hot.inbox.begin(...args)),
      end: (...args) => step('inbox.end', () => hot.inbox.end(...args)),
    }),
    wanted: (events) =>
      step('wanted', async () => events.map(() => ({ wanted: true, contact }) as const)),
    bus: {
      subscribe: async (options) => {
        const subscription = await bus.subscribe(options);
        return replacing<Subscription>(subscription, {
          receive: async (...args) => {
            const deliveries = await subscription.receive(...args);
            if (deliveries.length > 0) await pass('after', 'receive');
            return deliveries.map((delivery) =>
              replacing(delivery, { done: () => step('delivery.done', () => delivery.done()) }),
            );
          },
        });
      },
    },
  },
  {
    group: 'rescue',
    concurrency: 4,
    readAhead: 4,
    // Longer than a busy machine keeps a process waiting: who is held up for longer acts on what is another's by then.
    claimMs: 1_500,
    // Each kill is an attempt.
    maxDeliveries: 1_000,
    handler: ({ id, mayBeRepeat }: { readonly id: string; readonly mayBeRepeat: boolean }) =>
      step('handler', async () => {
        if (mayBeRepeat) await effects.multi().hsetnx('effects', id, 1).incr('repeats').exec();
        else await effects.hincrby('effects', id, 1);
      }),
  },
);
await subscriber.start();
writeSync(1, 'running\n');
// What could be said by the test no longer keeps the process.
process.channel?.unref();
await once(process, 'SIGTERM');
await subscriber.stop();
await bus.close();
await hot.close();
effects.disconnect();
