import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';

const BEAT_MS = 100;

/** How long machine and Redis stood still, at most: what a run on a busy machine is to be judged by. */
export class Stalls {
  longestMs = 0;

  /** Until `signal` aborts. */
  async watch(redis: Redis, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now();
      await sleep(BEAT_MS);
      await redis.ping();
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAt - BEAT_MS);
    }
  }
}
