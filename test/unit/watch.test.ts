import { expect, test } from 'vitest';
import type { Observations, Observe } from '../../src/abandonment/observe.ts';
import { watchTouches } from '../../src/abandonment/watch.ts';
import type { Sessions } from '../../src/ports/sessions.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';

const HOUR_MS = 3_600_000;

/** A watch whose probes answer as they are told, until told no more. */
function watching(answers: boolean[]) {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const arrives: (boolean | undefined)[] = [];
  const observe: Observe = (what, observation) => {
    if (what === 'notifications')
      arrives.push((observation as Observations['notifications']).arrive);
  };
  const sessions = {
    watch: async (_onTouched: unknown, signal: AbortSignal, onListening: () => void) => {
      onListening();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
    probeNotifications: async () => answers.shift() ?? true,
  } as unknown as Sessions;
  const jobs = { add: async () => undefined };
  const hooks = { onSubscribed: () => undefined, observe };
  const over = watchTouches({ sessions, clock, jobs }, hooks, stop.signal);
  over.catch(() => undefined);
  return { clock, stop, arrives, over };
}

test('a connection on which notifications arrive no more is given up, for another may work', async () => {
  const { clock, arrives, over } = watching([true, false, true, false, false]);
  await clock.advanceTo(HOUR_MS);
  await expect(over).rejects.toThrow('notifications arrive no more');
  expect(arrives).toEqual([true, false, true, false, false, undefined]);
});

test('where they never arrived, listening goes on: somebody may switch them on', async () => {
  const { clock, stop, arrives, over } = watching([false, false, false, true]);
  await clock.advanceTo(3 * 60_000);
  expect(arrives).toEqual([false, false, false, true]);
  stop.abort();
  await clock.advanceTo(HOUR_MS);
  await over;
});
