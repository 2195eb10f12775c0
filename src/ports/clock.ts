/**
 * Where the domain takes time from. In production it is the store's time, so that hosts whose clocks differ agree on
 * what is due; in `replay` and tests it is virtual.
 */
export interface Clock {
  /** Unix milliseconds, whole. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
