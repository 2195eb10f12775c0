import { beforeEach } from 'vitest';
import { MemoryBroker } from '../support/memory-bus.ts';
import { MemoryInbox } from '../support/memory-inbox.ts';
import { realClock } from '../support/real-clock.ts';
import { subscriberContract } from './subscriber.ts';

let broker: MemoryBroker;
let inbox: MemoryInbox;
let tombstones: Map<string, number>;

beforeEach(() => {
  broker = new MemoryBroker(realClock);
  tombstones = new Map();
  inbox = new MemoryInbox({
    clock: realClock,
    retentionMs: 60_000,
    erasedAt: (user) => tombstones.get(user),
  });
});

subscriberContract('memory', () => ({
  openBus: () => broker.open(),
  openInbox: () => inbox,
  clock: realClock,
  erase: async (user, at) => {
    tombstones.set(user, at);
  },
  takeBusAway: async () => {
    broker.away = true;
    return async () => {
      broker.away = false;
    };
  },
}));
