import { ServiceBusClient } from '@azure/service-bus';
import { connectServiceBus } from '../../src/adapters/bus/service-bus/connect.ts';
import { ServiceBusBus } from '../../src/adapters/bus/service-bus/service-bus-bus.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Head, Sample, Series } from '../harness.ts';
import { assertDone, rate } from '../harness.ts';
import { announcements } from '../payload.ts';
import { BrokerProcess } from '../service-bus/broker-process.ts';

const TOPIC = 'bench';

/** As many as the announcer puts on the bus at once. */
const AT_ONCE = 500;

/** So many times fewer are sent one by one: each costs a round trip. */
const FEWER = 20;

/** Sent before the clock starts. */
const WARM = 20;

const BATCHES: Head = {
  name: 'events published over Service Bus',
  unit: '1/s',
  target: '>= 5 x the SDK, one by one',
  met: (own, peer) => own >= 5 * peer,
};

const BARE: Head = {
  name: 'events published over Service Bus, bare',
  unit: '1/s',
  target: '>= 0.8 x the SDK, in batches as large as it lets them be',
  met: (own, peer) => own >= 0.8 * peer,
};

async function ours(broker: BrokerProcess, events: readonly AnyEvent[]): Promise<number> {
  const bus = new ServiceBusBus({
    connector: connectServiceBus(broker),
    place: { topic: TOPIC },
    log: silentLogger,
  });
  // Neither the connection is measured nor the compiler.
  let durable = (await bus.publish(events.slice(0, AT_ONCE))).length;
  const startedAt = performance.now();
  for (let from = AT_ONCE; from < events.length; from += AT_ONCE) {
    const results = await bus.publish(events.slice(from, from + AT_ONCE));
    durable += results.filter((result) => result.durable).length;
  }
  const perSecond = rate(events.length - AT_ONCE, startedAt);
  const [group] = await bus.groups();
  await bus.close();
  assertDone(durable, events.length, 'events were durable');
  assertDone(group?.behind ?? NaN, events.length, 'events were on the bus');
  return perSecond;
}

async function oneByOne(broker: BrokerProcess, events: readonly AnyEvent[]): Promise<number> {
  const client = new ServiceBusClient(broker.connectionString);
  const sender = client.createSender(TOPIC);
  const few = events.slice(0, WARM + Math.ceil(events.length / FEWER));
  for (const event of few.slice(0, WARM))
    await sender.sendMessages({ body: event, messageId: event.id });
  const rest = few.slice(WARM);
  const startedAt = performance.now();
  for (const event of rest) await sender.sendMessages({ body: event, messageId: event.id });
  const perSecond = rate(rest.length, startedAt);
  await client.close();
  return perSecond;
}

async function bare(broker: BrokerProcess, events: readonly AnyEvent[]): Promise<number> {
  const client = new ServiceBusClient(broker.connectionString);
  const sender = client.createSender(TOPIC);
  const send = async (some: readonly AnyEvent[]): Promise<void> => {
    let batch = await sender.createMessageBatch();
    for (const event of some) {
      const message = { body: event, messageId: event.id };
      if (batch.tryAddMessage(message)) continue;
      await sender.sendMessages(batch);
      batch = await sender.createMessageBatch();
      batch.tryAddMessage(message);
    }
    await sender.sendMessages(batch);
  };
  await send(events.slice(0, AT_ONCE));
  const startedAt = performance.now();
  await send(events.slice(AT_ONCE));
  const perSecond = rate(events.length - AT_ONCE, startedAt);
  await client.close();
  return perSecond;
}

/** Events put on Service Bus a second, durable: the tests' broker in a process of its own, so the client is measured. */
export const serviceBus: Series = {
  name: 'service bus',
  figures: [BATCHES, BARE],
  sessions: 20_000,
  of: 'events',
  apart: false,
  measure: async (bench) => {
    const events = await announcements(bench);
    const each = async (
      how: (broker: BrokerProcess, events: readonly AnyEvent[]) => Promise<number>,
    ): Promise<number> => {
      // A broker of its own: what lies on it costs the next one nothing.
      await using broker = await BrokerProcess.start();
      const set = new ServiceBusBus({
        connector: connectServiceBus(broker),
        place: { topic: TOPIC },
        log: silentLogger,
      });
      await set.setUp(['bench'], { apply: true });
      await set.close();
      return await how(broker, events);
    };
    const value = await each(ours);
    return new Map<string, Sample>([
      [BATCHES.name, { value, peer: await each(oneByOne) }],
      [BARE.name, { value, peer: await each(bare) }],
    ]);
  },
};
