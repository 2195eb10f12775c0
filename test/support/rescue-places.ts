import { setImmediate as nextTurn } from 'node:timers/promises';
import { DAY_MS } from '../../src/model/duration.ts';
import { envelope, erasureEventId, sequenceText, sourceOf } from '../../src/model/event.ts';
import { isoInstant } from '../../src/model/instant.ts';
import { MemoryBroker } from './memory-bus.ts';
import { memoryHot } from './memory-hot.ts';
import { MemoryInbox } from './memory-inbox.ts';
import { StandingClock } from './rescue-process.ts';
import { RESCUE_SETTINGS } from './rescue-settings.ts';
import type { Places } from './rescue-world.ts';

/** All in memory: a hundred thousand histories are a matter of minutes. */
export function memoryPlaces(startAt: number): Places {
  const clock = new StandingClock(startAt);
  const { stagesMs, demoteLeadMs, frequencyCap, prefix } = RESCUE_SETTINGS;
  const now = (): number => clock.now();
  const hot = memoryHot(now, {
    thresholdMs: stagesMs[0]!,
    demoteLeadMs,
    contactWindowMs: frequencyCap.windowMs,
  });
  const erasures = new Map<string, number>();
  const inbox = new MemoryInbox({
    clock,
    retentionMs: 90 * DAY_MS,
    erasedAt: (user) => erasures.get(user),
  });
  const broker = new MemoryBroker(clock);
  return {
    clock,
    hot,
    inbox,
    openBus: () => broker.open(),
    erase: async (user, bus) => {
      const { keys, store } = hot;
      const at = now();
      erasures.set(user, at);
      for (const key of [
        keys.session(user),
        keys.messages(user),
        keys.overflow(user),
        keys.ledger(user),
      ])
        store.del(key);
      inbox.forget(user);
      const erased_at = isoInstant(at);
      const id = erasureEventId(prefix, user, at);
      await bus.publish([
        envelope('user.erased', id, sourceOf(prefix), { user }, sequenceText(at), erased_at, {
          user,
          erased_at,
        }),
      ]);
    },
    // Nothing here waits for anything but promises, and a tick comes when none of them can go on.
    settled: () => new Promise((resolve) => process.nextTick(resolve)),
    onMoved: async () => undefined,
    // Ticks alone would keep the event loop from everybody else.
    close: () => nextTurn(),
  };
}
