import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { areStillWanted, doStillHold } from '../../src/abandonment/wanted.ts';
import { openBus } from '../../src/compose.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { Subscriber, type SubscriberPorts } from '../../src/rescue/subscriber.ts';
import type { Bench, Figure } from '../harness.ts';
import { assertDone, rate, userIds } from '../harness.ts';
import { announcement, announcements } from '../payload.ts';
import { Pipeline } from '../pipeline.ts';

/** Where BullMQ's worker stops getting quicker; the kit has as many handlers. */
const CONCURRENCY = 100;

/** In hand beyond those, and so the size of the batches in which both ours and the bare consumer read. */
const READ_AHEAD = 900;

const BATCH = CONCURRENCY + READ_AHEAD;

const STREAM_AT_ONCE = 1_000;

/** Announcements, one a user, through the kit to a handler that does nothing. */
async function ours(bench: Bench): Promise<number> {
  const { config, sessions } = bench;
  await using pipeline = await Pipeline.open(bench);
  await announce(pipeline, sessions);
  const { bus, clock, hot } = pipeline;
  // As `Rekindle` asks: of ledgers in which these announcements stand.
  const ports = { ledgers: hot.ledgers, clock };
  const wanted: SubscriberPorts['wanted'] = (events) =>
    areStillWanted(
      events.map(({ data }) => ({ ref: data.user, data })),
      ports,
      config,
    );
  const holds: SubscriberPorts['holds'] = (events) =>
    doStillHold(
      events.map((event) => ({ ref: event.data.user, event })),
      ports,
      config,
    );
  const finished = Promise.withResolvers<undefined>();
  let calls = 0;
  const subscriber = new Subscriber(
    { bus, inbox: hot.inbox, clock, wanted, holds },
    {
      group: 'bench',
      types: ['cart.abandoned'],
      concurrency: CONCURRENCY,
      readAhead: READ_AHEAD,
      handler: () => {
        calls += 1;
        if (calls === sessions) finished.resolve(undefined);
      },
    },
  );
  const startedAt = performance.now();
  await subscriber.start();
  await finished.promise;
  // What is in hand then is noted and settled.
  await subscriber.stop();
  const perSecond = rate(sessions, startedAt);
  assertDone(subscriber.counts.handled, sessions, 'events were handled');
  const group = (await bus.groups()).find(({ group }) => group === 'bench');
  assertDone(group?.behind ?? NaN, 0, 'events were left');
  return perSecond;
}

/** As the watcher does it, half an hour after carts were left. */
async function announce(pipeline: Pipeline, sessions: number): Promise<void> {
  await pipeline.leaveCarts(userIds(sessions), () => pipeline.now());
  await pipeline.drain();
  pipeline.shift(30 * MINUTE_MS);
  await pipeline.drain();
}

async function publish(bench: Bench): Promise<void> {
  const events = await announcements(bench);
  const bus = await openBus(bench.config);
  for (let from = 0; from < events.length; from += STREAM_AT_ONCE)
    await bus.publish(events.slice(from, from + STREAM_AT_ONCE));
  await bus.close();
}

/** Events handled a second, end to end: each once in effect, in order, asked after, settled. */
export const subscriber: Figure = {
  name: 'events handled through the subscriber kit',
  unit: '1/s',
  target: '>= 1.5 x a BullMQ worker that does nothing',
  met: (own, peer) => own >= 1.5 * peer,
  ours,

  peer: async (bench: Bench) => {
    const { server, sessions } = bench;
    const entry = await announcement(bench);
    const data = JSON.parse(entry[entry.indexOf('event') + 1] ?? '') as object;
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const queue = new Queue('events', { connection });
    const users = userIds(sessions);
    for (let from = 0; from < users.length; from += 5_000) {
      await queue.addBulk(users.slice(from, from + 5_000).map(() => ({ name: 'event', data })));
    }
    let done = 0;
    const finished = Promise.withResolvers<undefined>();
    const startedAt = performance.now();
    const worker = new Worker(
      'events',
      async () => {
        done += 1;
        if (done === sessions) finished.resolve(undefined);
      },
      { connection, concurrency: CONCURRENCY, removeOnComplete: { count: 0 } },
    );
    await finished.promise;
    await worker.close();
    const perSecond = rate(sessions, startedAt);
    await queue.close();
    connection.disconnect();
    return perSecond;
  },
};

/** What the kit's promises cost over a consumer that makes none. */
export const subscriberBare: Figure = {
  name: 'events handled through the subscriber kit, bare',
  unit: '1/s',
  target: '>= 0.4 x XREADGROUP, JSON.parse and XACK in batches of the same size',
  met: (own, peer) => own >= 0.4 * peer,
  ours,

  peer: async (bench: Bench) => {
    const { server, config, sessions } = bench;
    await publish(bench);
    const stream = `${config.prefix}:events`;
    const redis = new Redis(server.url, { protocol: 2 });
    await redis.xgroup('CREATE', stream, 'bare', '0');
    const startedAt = performance.now();
    let done = 0;
    while (done < sessions) {
      const reply = (await redis.call(
        ...['XREADGROUP', 'GROUP', 'bare', 'one', 'COUNT', String(BATCH), 'BLOCK', '1000'],
        ...['STREAMS', stream, '>'],
      )) as [[string, [string, string[]][]]] | null;
      const entries = reply?.[0][1] ?? [];
      for (const [, fields] of entries) {
        const event = JSON.parse(fields[fields.indexOf('event') + 1] ?? '') as AnyEvent;
        if (event.type === 'cart.abandoned') done += 1;
      }
      await redis.xack(stream, 'bare', ...entries.map(([id]) => id));
    }
    const perSecond = rate(done, startedAt);
    redis.disconnect();
    return perSecond;
  },
};
