import type { Clock } from '../../src/ports/clock.ts';
import { monotonicTime } from '../../src/runtime/time.ts';

/** The host's own time. */
export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => monotonicTime.sleep(ms, signal),
};
