/** What a broker and its connections may do to the bus on Service Bus, and what it costs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServiceBusBus } from '../../src/adapters/bus/service-bus/service-bus-bus.ts';
import { BusUnavailableError, UsageError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Delivery, Subscription } from '../../src/ports/bus.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { abandonedEvent, abandonedEvents } from '../support/sample-events.ts';
import { QUEUE, TOPIC, testServiceBus } from '../support/test-service-bus.ts';
import { behind, receiveAll, settle } from './bus.ts';

const broker = testServiceBus({ kind: 'topic', groups: ['rescue'], lockMs: 5_000 });
const PATH = `${TOPIC}/Subscriptions/rescue`;

let bus: ServiceBusBus;
beforeEach(() => {
  bus = broker.open();
});
afterEach(() => bus.close());

const join = (on = bus, maxDeliveries = 3): Promise<Subscription> =>
  on.subscribe({ group: 'rescue', maxDeliveries });
const entity = (): { readonly activeCount: number } => broker.server.broker.entity(PATH)!;

function large(n: number, bytes: number): AnyEvent {
  return { ...abandonedEvent(n), source: `/${'x'.repeat(bytes)}` };
}

function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ event }) => event.id);
}

describe('a publish', () => {
  test.each(['cut-before', 'cut-after', 'drop'] as const)(
    'whose send meets "%s" is there once',
    async (fault) => {
      broker.server.faults.sends.push(fault);
      const events = abandonedEvents(5);
      expect(await bus.publish(events)).toEqual(events.map(() => ({ durable: true })));
      expect(idsOf(await receiveAll(await join(), 5))).toEqual(events.map(({ id }) => id));
      expect(entity().activeCount).toBe(5);
    },
  );

  test('of several batches tells of each event, where a later batch fails', async () => {
    const events = Array.from({ length: 6 }, (_none, n) => large(n, 60_000));
    // Four go into the first batch, which is taken; the second is refused at both attempts.
    const refuse = 'amqp:internal-error';
    await bus.publish([abandonedEvent(100)]);
    broker.server.faults.sends.push('none', { refuse }, { refuse });
    const results = await bus.publish(events);
    const durable = results.filter((result) => result.durable).length;
    expect(durable).toBeGreaterThan(0);
    expect(durable).toBeLessThan(6);
    expect(results.slice(durable)).toEqual(
      Array<unknown>(6 - durable).fill(
        expect.objectContaining({ durable: false, retryable: true }),
      ),
    );
    expect(await bus.publish(events)).toEqual(events.map(() => ({ durable: true })));
    expect(entity().activeCount).toBe(7);
  });

  test('refuses an event that no message can hold, for good, and takes the others', async () => {
    const events = [abandonedEvent(1), large(2, 300_000), abandonedEvent(3)];
    const results = await bus.publish(events);
    expect(results).toEqual([
      { durable: true },
      expect.objectContaining({ durable: false, retryable: false }),
      { durable: true },
    ]);
    expect(JSON.stringify(results[1])).toContain('262144 bytes');
    expect(entity().activeCount).toBe(2);
  });

  test('waits for no broker that is too busy, and is taken when it is not', async () => {
    broker.server.faults.busyUntil = Infinity;
    const refusal = await bus.publish(abandonedEvents(3)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(BusUnavailableError);
    expect((refusal as Error).message).toContain('busy');
    broker.server.faults.busyUntil = 0;
    expect(await bus.publish(abandonedEvents(3))).toHaveLength(3);
    expect(entity().activeCount).toBe(3);
  });

  test('ends at once when its signal aborts', async () => {
    broker.server.faults.sends.push('drop');
    const startedAt = performance.now();
    const reason = new Error('enough');
    const aborting = new AbortController();
    setTimeout(() => aborting.abort(reason), 200);
    await expect(bus.publish(abandonedEvents(2), aborting.signal)).rejects.toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('into a topic that nobody subscribes to is refused, and says what makes it well', async () => {
    broker.server.broker.topics.get(TOPIC)!.subscriptions.clear();
    await expect(bus.publish(abandonedEvents(1))).rejects.toThrow(
      /nobody subscribes.*setup --apply/,
    );
  });
});

describe('a delivery', () => {
  test('whose connection is cut is settled over the next one', async () => {
    const member = await join();
    await bus.publish(abandonedEvents(3));
    const [done, retried, dead] = await receiveAll(member, 3);
    broker.server.cutConnections();
    await sleep(50);
    await done!.done();
    expect(await retried!.retry(100)).toBe(true);
    expect(await dead!.deadLetter('no such product')).toBe(true);
    const [again] = await receiveAll(member, 1);
    expect(again).toMatchObject({ event: retried!.event, attempt: 2 });
    await again!.done();
    expect(entity().activeCount).toBe(0);
    expect(await bus.deadLetters('rescue', 10)).toHaveLength(1);
  });

  test('that loses its lock while it is put off leaves no copy', async () => {
    const member = await join();
    await bus.publish([abandonedEvent(1)]);
    const [delivery] = await receiveAll(member, 1);
    broker.server.dropLocks();
    expect(await delivery!.retry(2_000)).toBe(false);
    expect(await delivery!.defer(2_000)).toBe(false);
    const { inlet } = broker.server.broker.topics.get(TOPIC)!;
    expect(inlet.scheduledCount).toBe(0);
    const [again] = await receiveAll(member, 1);
    expect(again!.attempt).toBe(2);
    await again!.done();
  });

  test('that is put off by two groups comes again to both, and to none twice', async () => {
    const other = await bus.subscribe({ group: 'other' });
    const member = await join();
    await bus.publish([abandonedEvent(1)]);
    for (const one of [member, other]) {
      const [delivery] = await receiveAll(one, 1);
      expect(await delivery!.retry(200)).toBe(true);
    }
    for (const one of [member, other]) {
      const [again] = await receiveAll(one, 1);
      expect(again!.attempt).toBe(2);
      await again!.done();
      expect(await one.receive(10, 500)).toEqual([]);
    }
  });

  test('that is for another group is settled unseen where no rule keeps it away', async () => {
    const member = await join();
    await bus.publish([abandonedEvent(1)]);
    broker.server.broker.addSubscription(broker.server.broker.topics.get(TOPIC)!, 'bare');
    const bare = await bus.subscribe({ group: 'bare' });
    const [delivery] = await receiveAll(member, 1);
    await delivery!.retry(100);
    await settle(await receiveAll(member, 1));
    expect(await bare.receive(10, 500)).toEqual([]);
    expect(await behind(bus, 'bare')).toBe(0);
  });
});

test('dead letters of the broker itself are listed, with its reason', async () => {
  broker.server.broker.entity(PATH)!.settings.maxDeliveryCount = 2;
  const member = await join(bus, 10);
  await bus.publish([abandonedEvent(1)]);
  for (let i = 0; i < 2; i += 1) await (await receiveAll(member, 1))[0]!.retry(0);
  const [letter] = await bus.deadLetters('rescue', 10);
  expect(letter).toMatchObject({ event: abandonedEvent(1), attempts: 2 });
  expect(letter!.reason).toContain('MaxDeliveryCountExceeded');
  expect(await bus.replay('rescue')).toBe(1);
  expect((await receiveAll(member, 1))[0]!.attempt).toBe(1);
});

test('a receiver that stopped silently is noticed and replaced', async () => {
  const { log, lines } = recordingLogger();
  const patient = broker.open({ silentMs: 300, log });
  const member = await join(patient);
  await patient.publish([abandonedEvent(1)]);
  await settle(await receiveAll(member, 1));
  const waiting = member.receive(1, 10_000);
  await sleep(50);
  broker.server.broker.entity(PATH)!.silence();
  await bus.publish([abandonedEvent(2)]);
  expect(idsOf(await waiting)).toEqual([abandonedEvent(2).id]);
  expect(lines().map(({ msg }) => msg)).toContain('a receiver had stopped silently: replaced');
  await patient.close();
});

test('a key that was replaced serves the clients that come after it', async () => {
  const { connector } = broker;
  const own = broker.open({ connector });
  await own.publish([abandonedEvent(1)]);
  connector.updateKey(
    broker.server.connectionString.replace('SharedAccessKey=none', 'SharedAccessKey=new'),
  );
  broker.server.cutConnections();
  await sleep(50);
  await own.publish([abandonedEvent(2)]);
  expect(entity().activeCount).toBe(2);
  expect(() => connector.updateKey('Endpoint=sb://elsewhere;SharedAccessKeyName=a')).toThrow(
    UsageError,
  );
  await own.close();
});

describe('what it needs', () => {
  test('is examined, and what does not fit is said with what to change', async () => {
    const found = await bus.examine({ claimMs: 30_000, maxDeliveries: 500 }, ['rescue', 'missing']);
    const warned = found.filter(({ level }) => level !== 'ok');
    expect(warned.map(({ what }) => what)).toEqual([
      expect.stringContaining('locks an event for 5 s'),
      expect.stringContaining('after 200 deliveries'),
      expect.stringContaining('there is no subscription "missing"'),
    ]);
    for (const { change } of warned) expect(change).toBeDefined();
    broker.server.broker.topics.get(TOPIC)!.inlet.duplicateWindowMs = 60_000;
    const short = await bus.examine();
    expect(short.find(({ what }) => what.includes('duplicates'))).toMatchObject({ level: 'warn' });
    broker.server.broker.topics.get(TOPIC)!.inlet.duplicateWindowMs = 0;
    const none = await bus.examine();
    expect(none.find(({ what }) => what.includes('duplicates'))).toMatchObject({ level: 'refuse' });
  });

  test('is set up where it is missing, once', async () => {
    broker.server.broker.clear();
    expect(await bus.examine()).toMatchObject([{ level: 'refuse' }]);
    const missing = [`topic "${TOPIC}"`, `subscription "rescue" of topic "${TOPIC}"`];
    expect(await bus.setUp(['rescue'], { apply: false })).toEqual(missing);
    expect(await bus.setUp(['rescue'], { apply: true })).toEqual(missing);
    expect(await bus.setUp(['rescue'], { apply: true })).toEqual([]);
    expect((await bus.examine({}, ['rescue'])).filter(({ level }) => level !== 'ok')).toEqual([]);
    await bus.publish([abandonedEvent(1)]);
    await settle(await receiveAll(await join(), 1));
  });

  test('is said where it is missing and may not be made', async () => {
    const { administration, broker: there } = broker.server;
    administration.forbidden = true;
    try {
      const member = await bus.subscribe({ group: 'other' });
      await expect(member.receive(1, 1_000)).rejects.toThrow(/"other".*setup --apply/);
      expect(await bus.groups()).toEqual([]);
      expect(await bus.examine()).toMatchObject([{ level: 'warn' }]);
      there.clear();
      await expect(bus.publish([abandonedEvent(1)])).rejects.toThrow(
        /no topic "events".*setup --apply/,
      );
    } finally {
      administration.forbidden = false;
    }
  });

  test('of a queue is its own', async () => {
    broker.server.broker.addQueue(QUEUE, { duplicateWindowMs: 3_600_000 });
    const own = broker.open({ place: { queue: QUEUE } });
    expect((await own.examine()).filter(({ level }) => level !== 'ok')).toEqual([]);
    await own.publish([abandonedEvent(1)]);
    expect(await own.groups()).toEqual([{ group: QUEUE, behind: 1, deadLetters: 0 }]);
    await own.close();
  });
});

test('a message says what it is about without being read', async () => {
  await bus.publish([abandonedEvent(1)]);
  const client = new ServiceBusClient(broker.server.connectionString);
  const [message] = await client.createReceiver(TOPIC, 'rescue').peekMessages(1);
  const { id, type, subject } = abandonedEvent(1);
  expect(message).toMatchObject({
    body: abandonedEvent(1),
    messageId: id,
    sessionId: 'user-1',
    contentType: 'application/cloudevents+json',
    subject: type,
    applicationProperties: { type, subject },
  });
  await client.close();
});
