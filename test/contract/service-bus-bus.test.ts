import rhea from 'rhea';
import { describe } from 'vitest';
import { QUEUE, TOPIC, testServiceBus } from '../support/test-service-bus.ts';
import type { TestServiceBus } from '../support/test-service-bus.ts';
import type { BusUnderTest } from './bus.ts';
import { busContract } from './bus.ts';

/** Long enough for a thousand messages to arrive over a busy loopback before the first lock runs out. */
const CLAIM_MS = 2_000;

function underTest(bus: TestServiceBus, inlet: string): BusUnderTest {
  return {
    open: () => bus.open(),
    takeAway: async () => {
      await bus.server.takeAway();
      return () => bus.server.bringBack();
    },
    cutConnections: async () => bus.server.cutConnections(),
    putJunk: async () => {
      const body = rhea.message.data_section(Buffer.from('{ "torn')) as unknown;
      for (const one of [
        { message_id: 'torn', body },
        { message_id: 'value', body: 'text' },
      ])
        bus.server.broker.inlet(inlet)!.send({ ...one, group_id: 'junk' });
    },
  };
}

describe('a topic', () => {
  const bus = testServiceBus({ kind: 'topic' });
  busContract('Service Bus, a topic', () => underTest(bus, TOPIC), {
    claimMs: CLAIM_MS,
    keepsWithoutGroup: false,
    countsPutOff: false,
  });
});

describe('a topic with sessions', () => {
  const bus = testServiceBus({ kind: 'topic with sessions' });
  busContract('Service Bus, a topic with sessions', () => underTest(bus, TOPIC), {
    claimMs: 3_000,
    keepsWithoutGroup: false,
    countsPutOff: false,
    subjectsInHand: 20,
  });
});

describe('a queue', () => {
  const bus = testServiceBus({ kind: 'queue', lockMs: CLAIM_MS });
  busContract('Service Bus, a queue', () => underTest(bus, QUEUE), {
    claimMs: CLAIM_MS,
    groups: 'one',
  });
});
