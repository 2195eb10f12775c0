/** A broker of Service Bus that is away for ten minutes, in virtual time. */
import { afterEach, expect, test } from 'vitest';
import { MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { LookWorld, START } from '../support/look-world.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { testServiceBus } from '../support/test-service-bus.ts';
import { inEffect, told } from '../support/told.ts';
import { POLICY } from '../support/watched-user.ts';
import { settle } from './bus.ts';

const [FIRST] = POLICY.stagesMs as [number];
const USERS = 1_000;
const BACK = 50;

const hot = testRedis();
const broker = testServiceBus({ kind: 'topic', groups: ['rescue'] });
let close: () => Promise<void>;
afterEach(() => close());

test('a broker that is away for ten minutes costs few attempts, and is told all once, in order', async () => {
  const bus = broker.open();
  close = () => bus.close();
  const world = new LookWorld(redisHot(hot));
  let attempts = 0;
  const looker = world.newLooker((ports) => ({
    ...ports,
    bus: Object.assign(Object.create(bus) as typeof bus, {
      publish: (...args: Parameters<typeof bus.publish>) => {
        attempts += 1;
        return bus.publish(...args);
      },
    }),
  }));
  const pass = async (ms: number): Promise<void> => {
    for (const until = world.now + ms; world.now < until; ) {
      world.outage(SECOND_MS);
      while ((await looker.lookOnce()).users > 0);
    }
  };
  const leave = async (users: readonly string[], at: number): Promise<void> => {
    for (const user of users)
      await hot.client().hset(world.hot.keys.session(user), {
        last_activity: formatInstant(at),
        cart: '[{"product_id":"sneaker","size":"42","quantity":1,"price":89.9}]',
      });
    await world.hot.sessions.armTouched(users, world.now);
  };

  await broker.server.takeAway();
  const users = Array.from({ length: USERS }, (_none, index) => `user-${index}`);
  world.outage(10 * MINUTE_MS);
  await leave(users.slice(0, BACK), START);
  await leave(users.slice(BACK), START + 5 * MINUTE_MS);
  world.outage(FIRST - 10 * MINUTE_MS);
  await pass(9 * MINUTE_MS);
  for (const user of users.slice(0, BACK))
    await world.foreign(user, { last_activity: formatInstant(world.now) });
  await pass(MINUTE_MS);
  // 1, 2, 4, 8, 16 s and then each 30 s make 24 in ten minutes.
  expect(attempts).toBeGreaterThan(5);
  expect(attempts).toBeLessThan(30);

  await broker.server.bringBack();
  await pass(MINUTE_MS);
  const member = await bus.subscribe({ group: 'rescue' });
  const heard: AnyEvent[] = [];
  while (heard.length < USERS + BACK) {
    const deliveries = await member.receive(500, 5_000);
    if (deliveries.length === 0) break;
    heard.push(...deliveries.map(({ event }) => event));
    await settle(deliveries);
  }
  expect(heard).toHaveLength(USERS + BACK);
  expect(inEffect(heard)).toHaveLength(heard.length);
  const byUser = told(heard);
  for (const [index, user] of users.entries())
    expect(byUser[user]).toEqual(
      index < BACK ? ['announced 0', 'cancelled 0: resumed'] : ['announced 0'],
    );
  const latest = new Map<string, string>();
  for (const { data, sequence } of heard) {
    expect(sequence > (latest.get(data.user) ?? '')).toBe(true);
    latest.set(data.user, sequence);
  }
  expect(world.faults).toEqual([]);
}, 240_000);
