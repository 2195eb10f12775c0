import { beforeEach } from 'vitest';
import { MemoryBroker } from '../support/memory-bus.ts';
import { realClock } from '../support/real-clock.ts';
import { busContract } from './bus.ts';

let broker: MemoryBroker;
beforeEach(() => {
  broker = new MemoryBroker(realClock);
});

busContract('memory', () => ({
  open: () => broker.open(),
  takeAway: async () => {
    broker.away = true;
    return async () => {
      broker.away = false;
    };
  },
}));
