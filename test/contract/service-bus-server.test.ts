/** The broker that tests of Service Bus run against, by the SDK that speaks to the service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import type {
  ServiceBusMessage,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
  ServiceBusSessionReceiver,
} from '@azure/service-bus';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ServiceBusServer } from '../servers/service-bus/service-bus-server.ts';

const MINUTE_MS = 60_000;

let server: ServiceBusServer;
let client: ServiceBusClient;
beforeAll(async () => {
  server = await ServiceBusServer.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.broker.clear();
  server.faults.clear();
  client = new ServiceBusClient(server.connectionString, {
    retryOptions: { maxRetries: 2, retryDelayInMs: 50, timeoutInMs: 1_500 },
  });
});
/** A client whose connection went at the wrong moment waits a minute for itself. */
const CLOSE_MS = 500;
afterEach(() => Promise.race([client.close(), sleep(CLOSE_MS)]));

function message(id: string, more: Partial<ServiceBusMessage> = {}): ServiceBusMessage {
  return { body: { id }, messageId: id, ...more };
}

function send(entity: string, ...messages: ServiceBusMessage[]): Promise<void> {
  return client.createSender(entity).sendMessages(messages);
}

async function take(
  receiver: ServiceBusReceiver | ServiceBusSessionReceiver,
  count: number,
  maxWaitTimeInMs = 1_000,
): Promise<ServiceBusReceivedMessage[]> {
  const taken: ServiceBusReceivedMessage[] = [];
  while (taken.length < count) {
    const some = await receiver.receiveMessages(count - taken.length, { maxWaitTimeInMs });
    if (some.length === 0) break;
    taken.push(...some);
  }
  expect(taken).toHaveLength(count);
  return taken;
}

function idsOf(messages: readonly ServiceBusReceivedMessage[]): unknown[] {
  return messages.map(({ messageId }) => messageId);
}

const nothing = async (receiver: ServiceBusReceiver): Promise<void> =>
  expect(await receiver.receiveMessages(1, { maxWaitTimeInMs: 100 })).toEqual([]);

describe('a queue', () => {
  test('gives what was sent, as it was, and forgets what is completed', async () => {
    server.broker.addQueue('q');
    await send(
      'q',
      message('one', { subject: 's', contentType: 'c', applicationProperties: { n: 1 } }),
    );
    const receiver = client.createReceiver('q');
    const [one] = await take(receiver, 1);
    expect(one).toMatchObject({
      body: { id: 'one' },
      subject: 's',
      contentType: 'c',
      applicationProperties: { n: 1 },
      deliveryCount: 0,
    });
    await receiver.completeMessage(one!);
    await nothing(receiver);
    expect(server.broker.entity('q')!.activeCount).toBe(0);
  });

  test('keeps the order of a batch, and locks no more than was asked for', async () => {
    server.broker.addQueue('q');
    const ids = Array.from({ length: 50 }, (_none, index) => `m${index}`);
    await send('q', ...ids.map((id) => message(id)));
    const receiver = client.createReceiver('q');
    const [first] = await take(receiver, 1);
    expect(server.broker.entity('q')!.lockedCount).toBe(1);
    expect(idsOf([first!, ...(await take(receiver, 49))])).toEqual(ids);
  });

  test('gives what was abandoned, or lost its lock, once more and counts it', async () => {
    server.broker.addQueue('q', { lockMs: 300 });
    await send('q', message('one'));
    const receiver = client.createReceiver('q', { maxAutoLockRenewalDurationInMs: 0 });
    const [first] = await take(receiver, 1);
    await receiver.abandonMessage(first!, { note: 'x' });
    const [second] = await take(receiver, 1);
    expect(second).toMatchObject({ deliveryCount: 1, applicationProperties: { note: 'x' } });
    await sleep(400);
    await expect(receiver.completeMessage(second!)).rejects.toMatchObject({
      code: 'MessageLockLost',
    });
    const [third] = await take(receiver, 1);
    expect(third!.deliveryCount).toBe(2);
    const until = await receiver.renewMessageLock(third!);
    expect(until.getTime()).toBeGreaterThan(Date.now());
    await receiver.completeMessage(third!);
  });

  test('settles over $management what a closed link gave', async () => {
    server.broker.addQueue('q');
    await send('q', message('one'));
    const closed = client.createReceiver('q');
    const [one] = await take(closed, 1);
    await closed.close();
    await client.createReceiver('q').completeMessage(one!);
    expect(server.broker.entity('q')!.activeCount).toBe(0);
  });

  test('puts aside what a receiver says, what was given too often, and what expired', async () => {
    server.broker.addQueue('q', { maxDeliveryCount: 1, deadLetterOnExpiry: true });
    await send('q', message('said'), message('often'), message('late', { timeToLive: 1 }));
    await sleep(20);
    const receiver = client.createReceiver('q');
    const [said, often] = await take(receiver, 2);
    const reason = { deadLetterReason: 'r', deadLetterErrorDescription: 'd', more: 7 };
    await receiver.deadLetterMessage(said!, reason);
    await receiver.abandonMessage(often!);
    const dead = client.createReceiver('q', { subQueueType: 'deadLetter' });
    const letters = await take(dead, 3);
    const byId = new Map(letters.map((letter) => [letter.messageId, letter]));
    expect(byId.get('said')).toMatchObject({
      deadLetterReason: 'r',
      deadLetterErrorDescription: 'd',
      applicationProperties: { more: 7 },
    });
    expect(byId.get('often')!.deadLetterReason).toBe('MaxDeliveryCountExceeded');
    expect(byId.get('late')!.deadLetterReason).toBe('TTLExpiredException');
  });

  test('swallows duplicates within its window', async () => {
    server.broker.addQueue('q', { duplicateWindowMs: MINUTE_MS });
    await send('q', message('one'));
    await send('q', message('one'), message('two'));
    expect(idsOf(await take(client.createReceiver('q'), 2))).toEqual(['one', 'two']);
    expect(server.broker.queues.get('q')!.inlet.duplicates).toBe(1);
  });

  test('keeps what is scheduled until it is due, or cancelled', async () => {
    server.broker.addQueue('q');
    const sender = client.createSender('q');
    const at = new Date(Date.now() + 1_500);
    const [kept] = await sender.scheduleMessages([message('kept')], at);
    const [cancelled] = await sender.scheduleMessages([message('cancelled')], at);
    expect(kept).toBeDefined();
    await sender.cancelScheduledMessages(cancelled!);
    await expect(sender.cancelScheduledMessages(cancelled!)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    const receiver = client.createReceiver('q');
    await nothing(receiver);
    expect(idsOf(await take(receiver, 1, 5_000))).toEqual(['kept']);
    expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
    await nothing(receiver);
  });

  test('defers, and gives by sequence number; peeks without a lock', async () => {
    server.broker.addQueue('q');
    await send('q', message('one'), message('two'));
    const receiver = client.createReceiver('q');
    expect(idsOf(await receiver.peekMessages(5))).toEqual(['one', 'two']);
    const [one] = await take(receiver, 1);
    await receiver.deferMessage(one!);
    expect(idsOf(await take(receiver, 1))).toEqual(['two']);
    const [deferred] = await receiver.receiveDeferredMessages(one!.sequenceNumber!);
    await receiver.completeMessage(deferred!);
    expect(server.broker.entity('q')!.activeCount).toBe(1);
  });

  test('refuses what is too large, and an entity that is not there', async () => {
    server.broker.addQueue('q');
    await expect(send('nowhere', message('x'))).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    });
    const sender = client.createSender('q');
    const batch = await sender.createMessageBatch();
    expect(batch.maxSizeInBytes).toBe(256 * 1_024);
    expect(batch.tryAddMessage(message('x', { body: 'x'.repeat(300_000) }))).toBe(false);
    await expect(
      sender.sendMessages(message('x', { body: 'x'.repeat(300_000) })),
    ).rejects.toMatchObject({ code: 'MessageSizeExceeded' });
  });

  test('may be read by many at once, more than a session holds unsettled', async () => {
    server.broker.addQueue('q');
    const sender = client.createSender('q');
    for (let from = 0; from < 3_000; from += 500)
      await sender.sendMessages(
        Array.from({ length: 500 }, (_none, index) => message(`m${from + index}`)),
      );
    const receiver = client.createReceiver('q');
    const seen = new Set<unknown>();
    while (seen.size < 3_000)
      for (const one of await take(receiver, 500)) {
        seen.add(one.messageId);
        await receiver.completeMessage(one);
      }
    expect(server.broker.entity('q')!.activeCount).toBe(0);
  }, 60_000);
});

describe('a topic', () => {
  test('gives each subscription what its rules let by', async () => {
    const topic = server.broker.addTopic('t', { duplicateWindowMs: MINUTE_MS });
    for (const name of ['all', 'large']) server.broker.addSubscription(topic, name);
    const rules = client.createRuleManager('t', 'large');
    await rules.createRule('size', { sqlExpression: "size > 100 OR size IS NULL AND kind = 'x'" });
    await rules.deleteRule('$Default');
    const listed = [];
    for await (const rule of rules.listRules()) listed.push(rule);
    expect(listed).toMatchObject([
      { name: 'size', filter: { sqlExpression: "size > 100 OR size IS NULL AND kind = 'x'" } },
    ]);
    await send(
      't',
      message('small', { applicationProperties: { size: 5 } }),
      message('large', { applicationProperties: { size: 500 } }),
      message('kind', { applicationProperties: { kind: 'x' } }),
    );
    await send('t', message('small'));
    expect(idsOf(await take(client.createReceiver('t', 'all'), 3))).toEqual([
      'small',
      'large',
      'kind',
    ]);
    expect(idsOf(await take(client.createReceiver('t', 'large'), 2))).toEqual(['large', 'kind']);
  });
});

describe('sessions', () => {
  beforeEach(() => {
    server.broker.addQueue('s', { sessions: true, lockMs: 500, duplicateWindowMs: MINUTE_MS });
    server.broker.addQueue('plain');
  });
  const of = (sessionId: string, ...ids: string[]): ServiceBusMessage[] =>
    ids.map((id) => message(id, { sessionId }));
  const patient = { maxAutoLockRenewalDurationInMs: 0 };

  test('are given one by one, the one whose message is the oldest first, in order', async () => {
    await send('s', ...of('a', 'a1'), ...of('b', 'b1'), ...of('a', 'a2'));
    const first = await client.acceptNextSession('s', patient);
    const second = await client.acceptNextSession('s', patient);
    expect([first.sessionId, second.sessionId]).toEqual(['a', 'b']);
    expect(first.sessionLockedUntilUtc.getTime()).toBeGreaterThan(Date.now());
    expect(idsOf(await take(first, 2))).toEqual(['a1', 'a2']);
    expect(idsOf(await take(second, 1))).toEqual(['b1']);
    await expect(client.acceptSession('s', 'a')).rejects.toMatchObject({
      condition: 'com.microsoft:session-cannot-be-locked',
    });
  });

  test('are waited for, for so long as the client says', async () => {
    const waiting = client.acceptNextSession('s', patient);
    await sleep(100);
    await send('s', ...of('late', 'one'));
    const late = await waiting;
    expect(late.sessionId).toBe('late');
    const [one] = await take(late, 1);
    await late.completeMessage(one!);
    await expect(client.acceptNextSession('s', patient)).rejects.toMatchObject({
      code: 'ServiceTimeout',
    });
  });

  test('are let go when their receiver closes, and that is no delivery', async () => {
    await send('s', ...of('a', 'a1'));
    const first = await client.acceptNextSession('s', patient);
    await take(first, 1);
    await first.close();
    const [again] = await take(await client.acceptNextSession('s', patient), 1);
    expect(again!.deliveryCount).toBe(0);
  });

  test('are lost with their lock, and kept while it is renewed', async () => {
    await send('s', ...of('a', 'a1'));
    const first = await client.acceptNextSession('s', patient);
    const [one] = await take(first, 1);
    for (let i = 0; i < 4; i += 1) {
      await sleep(200);
      await first.renewSessionLock();
    }
    await first.setSessionState('state');
    expect(await first.getSessionState()).toBe('state');
    await sleep(700);
    expect(first.isClosed).toBe(true);
    await expect(first.completeMessage(one!)).rejects.toMatchObject({ code: 'SessionLockLost' });
    const second = await client.acceptNextSession('s', patient);
    const [again] = await take(second, 1);
    expect(again!.deliveryCount).toBe(1);
    await second.completeMessage(again!);
    expect(server.broker.entity('s')!.activeCount).toBe(0);
  });

  test('refuse a plain receiver, and a plain entity one of sessions', async () => {
    await expect(
      client.createReceiver('s').receiveMessages(1, { maxWaitTimeInMs: 100 }),
    ).rejects.toThrow('requires sessions');
    await expect(client.acceptNextSession('plain')).rejects.toThrow('does not require sessions');
  });
});

describe('faults', () => {
  beforeEach(() => {
    server.broker.addQueue('q', { duplicateWindowMs: MINUTE_MS });
  });

  test('a send is refused, and tried again by the SDK where that may help', async () => {
    server.faults.sends.push({ refuse: 'com.microsoft:server-busy' });
    await send('q', message('one'));
    server.faults.sends.push({ refuse: 'amqp:not-allowed' });
    await expect(send('q', message('two'))).rejects.toThrow();
    expect(server.broker.entity('q')!.activeCount).toBe(1);
  });

  test.each(['drop', 'cut-before', 'cut-after'] as const)(
    'a send that meets "%s" is sent again, and is there once',
    async (fault) => {
      server.faults.sends.push(fault);
      await send('q', message('one'));
      expect(server.broker.entity('q')!.activeCount).toBe(1);
      expect(server.broker.queues.get('q')!.inlet.duplicates).toBe(fault === 'cut-after' ? 1 : 0);
    },
  );

  test('the broker goes and comes back with its messages, on the same port', async () => {
    await send('q', message('one'));
    const { connectionString } = server;
    await client.close();
    await server.takeAway();
    client = new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0 } });
    await expect(send('q', message('two'))).rejects.toThrow();
    await server.bringBack();
    expect(server.connectionString).toBe(connectionString);
    await send('q', message('three'));
    expect(idsOf(await take(client.createReceiver('q'), 2))).toEqual(['one', 'three']);
  });

  test('locks are dropped, and a receiver falls silent without a word', async () => {
    await send('q', message('one'));
    const receiver = client.createReceiver('q');
    const [one] = await take(receiver, 1);
    server.dropLocks();
    await expect(receiver.completeMessage(one!)).rejects.toMatchObject({ code: 'MessageLockLost' });
    server.broker.entity('q')!.silence();
    await nothing(receiver);
    expect(idsOf(await take(client.createReceiver('q'), 1))).toEqual(['one']);
  });
});

describe('the administration', () => {
  const administration = (): ServiceBusAdministrationClient => {
    const admin = new ServiceBusAdministrationClient(server.connectionString, {
      retryOptions: { maxRetries: 0 },
    });
    admin.pipeline.addPolicy({
      name: 'plain',
      sendRequest: (request, next) => {
        const { pathname, search } = new URL(request.url);
        request.url = `${server.administrationUrl}${pathname}${search}`;
        request.allowInsecureConnection = true;
        return next(request);
      },
    });
    return admin;
  };

  test('makes topics, subscriptions and rules, and tells of them', async () => {
    const admin = administration();
    expect(await admin.topicExists('t')).toBe(false);
    await admin.createTopic('t', {
      requiresDuplicateDetection: true,
      duplicateDetectionHistoryTimeWindow: 'PT20M',
    });
    await expect(admin.createTopic('t')).rejects.toMatchObject({ statusCode: 409 });
    expect(await admin.getTopic('t')).toMatchObject({
      name: 't',
      requiresDuplicateDetection: true,
      duplicateDetectionHistoryTimeWindow: 'PT20M',
    });
    await admin.createSubscription('t', 'one', {
      lockDuration: 'PT45S',
      maxDeliveryCount: 6,
      requiresSession: true,
      defaultRuleOptions: { name: 'mine', filter: { sqlExpression: "a = 'b' AND c < 3" } },
    });
    await admin.createSubscription('t', 'two');
    expect(await admin.getSubscription('t', 'one')).toMatchObject({
      subscriptionName: 'one',
      topicName: 't',
      lockDuration: 'PT45S',
      maxDeliveryCount: 6,
      requiresSession: true,
    });
    expect(await admin.getRule('t', 'one', 'mine')).toMatchObject({
      filter: { sqlExpression: "a = 'b' AND c < 3" },
    });
    const names = [];
    for await (const { subscriptionName } of admin.listSubscriptions('t'))
      names.push(subscriptionName);
    expect(names).toEqual(['one', 'two']);
    await expect(admin.getSubscription('t', 'three')).rejects.toMatchObject({ statusCode: 404 });
  });

  test('counts what is there', async () => {
    const admin = administration();
    await admin.createQueue('q', { lockDuration: 'PT5S' });
    await send('q', message('one'), message('two'));
    await client
      .createSender('q')
      .scheduleMessages([message('x')], new Date(Date.now() + MINUTE_MS));
    const receiver = client.createReceiver('q');
    const [one] = await take(receiver, 1);
    await receiver.deadLetterMessage(one!);
    expect(await admin.getQueueRuntimeProperties('q')).toMatchObject({
      activeMessageCount: 1,
      deadLetterMessageCount: 1,
      scheduledMessageCount: 1,
    });
    const queue = await admin.getQueue('q');
    await admin.updateQueue({ ...queue, lockDuration: 'PT20S' });
    expect((await admin.getQueue('q')).lockDuration).toBe('PT20S');
  });

  test('may be forbidden', async () => {
    server.administration.forbidden = true;
    await expect(administration().getTopic('t')).rejects.toMatchObject({ statusCode: 401 });
    server.administration.forbidden = false;
  });
});
