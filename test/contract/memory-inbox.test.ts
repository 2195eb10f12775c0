import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { MemoryInbox } from '../support/memory-inbox.ts';
import { RETENTION_MS, inboxContract } from './inbox.ts';

inboxContract('memory', () => {
  const clock = new VirtualClock(1_800_000_000_000);
  const tombstones = new Map<string, number>();
  return {
    inbox: new MemoryInbox({
      clock,
      retentionMs: RETENTION_MS,
      erasedAt: (user) => tombstones.get(user),
    }),
    erase: async (user, at) => {
      tombstones.set(user, at);
    },
    pass: async (ms) => {
      clock.jumpTo(clock.now() + ms);
    },
  };
});
