import { setTimeout as sleep } from 'node:timers/promises';

/** Time as the runtime needs it; the domain's Clock port has the same shape. */
export interface Time {
  /** Milliseconds; only differences matter here. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The host's own time, which no setting of its clock moves. */
export const monotonicTime: Time = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal && { signal }).catch(() => undefined),
};

/** Timers hold 31 bits; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Sleeps however long, for ever included; ends early when `signal` aborts. */
export async function sleepFor(time: Time, ms: number, signal: AbortSignal): Promise<void> {
  let leftMs = ms;
  while (leftMs > 0 && !signal.aborted) {
    const stepMs = Math.min(leftMs, LONGEST_TIMER_MS);
    await time.sleep(stepMs, signal);
    leftMs -= stepMs;
  }
}
