/** A bus that is away for ten minutes, and a consumer group that is dead for a day, in virtual time on real servers. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { observer } from '../../src/abandonment/observer.ts';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { connectRedis } from '../../src/adapters/redis/connection.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { Subscription } from '../../src/ports/bus.ts';
import { Health } from '../../src/runtime/health.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Telemetry } from '../../src/runtime/telemetry.ts';
import { LookWorld, START } from '../support/look-world.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { inEffect, readWire, told } from '../support/told.ts';
import { POLICY } from '../support/watched-user.ts';

const [FIRST, SECOND] = POLICY.stagesMs as [number, number];
const TIMEOUTS = { redisConnectTimeoutMs: 5_000, redisCommandTimeoutMs: 5_000 };
const KIB = 1_024;
const BATCH = 250;

const hotRedis = testRedis();
const busRedis = testRedis();

let world: LookWorld;
let bus: RedisStreamsBus;
let looker: LookWorld['looker'];
beforeEach(() => {
  world = new LookWorld(redisHot(hotRedis));
});
afterEach(() => bus.close());

function openBus(cap: number): void {
  bus = new RedisStreamsBus({
    connect: (settings) => connectRedis(busRedis.url, TIMEOUTS, silentLogger, settings),
    prefix: 'rekindle',
    cap,
    log: silentLogger,
  });
  looker = world.newLooker((ports) => ({ ...ports, bus }));
}

/** Another program writes users who filled a cart between two instants. @returns when each did */
async function leaveCarts(users: readonly string[], from: number, to: number): Promise<number[]> {
  const client = hotRedis.client();
  const instants = users.map((_user, index) =>
    Math.floor(from + (index * (to - from)) / users.length),
  );
  for (let at = 0; at < users.length; at += BATCH) {
    const some = users.slice(at, at + BATCH);
    const pipeline = client.pipeline();
    for (const [index, user] of some.entries())
      pipeline.hset(world.hot.keys.session(user), {
        last_activity: formatInstant(instants[at + index]!),
        cart: '[{"product_id":"sneaker","size":"42","quantity":1,"price":89.9}]',
        active_channel: 'web',
      });
    await pipeline.exec();
    await world.hot.sessions.armTouched(some, world.now);
  }
  return instants;
}

function named(count: number): string[] {
  return Array.from({ length: count }, (_none, index) => `user-${index}`);
}

/** Lets time pass, and looks whenever so much of it has passed. */
async function pass(ms: number, everyMs: number, meanwhile = async (): Promise<void> => undefined) {
  for (const until = world.now + ms; world.now < until; ) {
    world.outage(everyMs);
    while ((await looker.lookOnce()).users > 0);
    await meanwhile();
  }
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]);
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

async function pendingEvents(users: readonly string[]): Promise<number> {
  let pending = 0;
  for (let from = 0; from < users.length; from += BATCH)
    for (const reading of await world.hot.ledgers.read(users.slice(from, from + BATCH), world.now))
      pending += reading.pending.length;
  return pending;
}

/** The sequences of each user's events, in the order of the wire. */
function isInOrder(wire: readonly AnyEvent[]): boolean {
  const latest = new Map<string, string>();
  return wire.every(({ data: { user }, sequence }) => {
    const inOrder = sequence > (latest.get(user) ?? '');
    latest.set(user, sequence);
    return inOrder;
  });
}

test('a bus that is away for ten minutes costs a bounded amount of everything, and is told all once, in order', async () => {
  const USERS = 20_000;
  const BACK = 500;
  openBus(1_000_000);
  let attempts = 0;
  looker = world.newLooker((ports) => ({
    ...ports,
    bus: Object.assign(Object.create(bus) as typeof bus, {
      publish: (...args: Parameters<typeof bus.publish>) => {
        attempts += 1;
        return bus.publish(...args);
      },
    }),
  }));
  await busRedis.server.kill();
  // Some are due at once; most after five minutes, for each is looked at again whenever the bus is.
  const users = named(USERS);
  world.outage(10 * MINUTE_MS);
  await leaveCarts(users.slice(0, BACK), START, START + MINUTE_MS);
  await leaveCarts(users.slice(BACK), START + 5 * MINUTE_MS, START + 9 * MINUTE_MS);
  world.outage(FIRST - 10 * MINUTE_MS);
  const hot = hotRedis.client();
  const [memory, heap] = [await usedMemory(hot), heapUsed()];

  await pass(9 * MINUTE_MS, SECOND_MS);
  for (const user of users.slice(0, BACK))
    await world.foreign(user, { last_activity: formatInstant(world.now) });
  await pass(MINUTE_MS, SECOND_MS);
  const [memoryGrew, heapGrew] = [(await usedMemory(hot)) - memory, heapUsed() - heap];
  const triedMeanwhile = attempts;
  expect(await pendingEvents(users)).toBe(USERS + BACK);

  await busRedis.server.restart();
  await pass(MINUTE_MS, SECOND_MS);
  const wire = await readWire(busRedis.client());
  process.stdout.write(
    `bus-outage: ten minutes, ${USERS} users due: ${triedMeanwhile} attempts to publish; the worker's heap grew by ` +
      `${(heapGrew / KIB / KIB).toFixed(1)} MiB, Redis by ${Math.round(memoryGrew / USERS)} bytes a waiting user; ` +
      `then ${attempts - triedMeanwhile} attempts for ${wire.length} events\n`,
  );
  expect(wire).toHaveLength(USERS + BACK);
  expect(inEffect(wire)).toHaveLength(wire.length);
  expect(isInOrder(wire)).toBe(true);
  const byUser = told(wire);
  for (const [index, user] of users.entries())
    expect(byUser[user]).toEqual(
      index < BACK ? ['announced 0', 'cancelled 0: resumed'] : ['announced 0'],
    );
  expect(await pendingEvents(users)).toBe(0);
  expect(world.faults).toEqual([]);
  // 1, 2, 4, 8, 16 s and then each 30 s make 24 in ten minutes.
  expect(triedMeanwhile).toBeLessThan(30);
  expect(heapGrew).toBeLessThan(12 * KIB * KIB);
  expect(memoryGrew / USERS).toBeLessThan(4 * KIB);
}, 240_000);

test.each(['catches up', 'is removed'] as const)(
  'a consumer group that is dead for a day pauses the others, and costs a bounded amount; once it %s, all is told',
  async (how) => {
    const USERS = 5_000;
    const CAP = 2_000;
    const DAY_MS = 24 * HOUR_MS;
    openBus(CAP);
    const live = new Reader(await bus.subscribe({ group: 'live' }));
    await (await bus.subscribe({ group: 'dead' })).close();
    const users = named(USERS);
    const perHour = Math.ceil(USERS / 24);
    const activeAt: number[] = [];
    const [hot, stream] = [hotRedis.client(), busRedis.client()];
    const [ledgers, entries] = [await usedMemory(hot), await usedMemory(stream)];

    await pass(DAY_MS, HOUR_MS, async () => {
      const these = users.slice(activeAt.length, activeAt.length + perHour);
      activeAt.push(...(await leaveCarts(these, world.now - HOUR_MS, world.now)));
      await live.drain();
      await bus.trim();
    });
    const [ledgersGrew, entriesGrew] = [
      (await usedMemory(hot)) - ledgers,
      (await usedMemory(stream)) - entries,
    ];
    const waiting = await pendingEvents(users);
    expect(live.heard).toHaveLength(CAP);
    const reason = `consumer group "dead" is ${CAP} events behind; the cap is ${CAP}`;
    expect(await busHealth()).toEqual({ status: 'degraded', detail: reason });

    const dead =
      how === 'catches up' ? new Reader(await bus.subscribe({ group: 'dead' })) : undefined;
    if (!dead) await stream.xgroup('DESTROY', 'rekindle:events', 'dead');
    await pass(HOUR_MS, MINUTE_MS, async () => {
      await live.drain();
      await dead?.drain();
    });
    const due = activeAt.flatMap((at) =>
      [FIRST, SECOND].filter((stageMs) => at + stageMs <= world.now),
    ).length;
    expect(due).toBeGreaterThan(USERS);
    for (const { heard } of dead ? [live, dead] : [live]) {
      expect(heard).toHaveLength(due);
      expect(inEffect(heard)).toHaveLength(due);
      expect(isInOrder(heard)).toBe(true);
    }
    expect(await pendingEvents(users)).toBe(0);
    process.stdout.write(
      `bus-outage: a group dead for a day, ${due} events, cap ${CAP}: ${Math.round(entriesGrew / CAP)} bytes an event ` +
        `in the stream; ${Math.round(ledgersGrew / USERS)} bytes a user in the ledgers, ${waiting} events waiting\n`,
    );
    expect(entriesGrew / CAP).toBeLessThan(4 * KIB);
    expect(ledgersGrew / USERS).toBeLessThan(8 * KIB);
    await live.close();
    await dead?.close();
  },
  240_000,
);

/** What /ready says of the bus, after what was observed. */
async function busHealth(): Promise<unknown> {
  const health = new Health();
  const record = observer({
    log: silentLogger,
    telemetry: new Telemetry(),
    health,
    stagesMs: POLICY.stagesMs,
    askBus: () => bus.groups(),
  });
  record('busAway', world.observed.busAway!.at(-1)!);
  return (await health.report()).checks['bus'];
}

/** A group that keeps up whenever it is asked to. */
class Reader {
  readonly heard: AnyEvent[] = [];
  readonly #subscription: Subscription;

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  async drain(): Promise<void> {
    for (;;) {
      const deliveries = await this.#subscription.receive(500, 0);
      if (deliveries.length === 0) return;
      this.heard.push(...deliveries.map(({ event }) => event));
      await Promise.all(deliveries.map((delivery) => delivery.done()));
    }
  }

  close(): Promise<void> {
    return this.#subscription.close();
  }
}
