export interface BackoffOptions {
  /** Longest wait after the first failure; it doubles with each further one. Default 200 ms. */
  readonly baseMs?: number;
  /** Longest wait at all. Default 30 s. */
  readonly capMs?: number;
  /** From 0 to below 1; for tests. */
  readonly random?: () => number;
}

const DEFAULT_BASE_MS = 200;
const DEFAULT_CAP_MS = 30_000;

/** No wait is shorter: chance must not make a failing loop a busy one. */
const SHORTEST_MS = 20;

/**
 * How long to wait after so many failures: anything up to a bound that doubles ("full jitter", which spreads many who
 * failed at once better than a fixed wait with a little noise).
 * Source of the formula: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * @returns whole milliseconds
 */
export function backoffMs(
  failures: number,
  { baseMs = DEFAULT_BASE_MS, capMs = DEFAULT_CAP_MS, random = Math.random }: BackoffOptions = {},
): number {
  const boundMs = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(Math.max(Math.min(SHORTEST_MS, capMs), random() * boundMs));
}

/** Counts failures, and says how long to wait after each. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Notes a failure. @returns how long to wait, in whole milliseconds */
  next(): number {
    this.#failures += 1;
    return backoffMs(this.#failures, this.#options);
  }

  /** Notes a success. */
  reset(): void {
    this.#failures = 0;
  }
}
