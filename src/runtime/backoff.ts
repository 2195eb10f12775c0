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
 * How long to wait after a failure: anything up to a bound that doubles ("full jitter", which spreads many who failed
 * at once better than a fixed wait with a little noise).
 * Source of the formula: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({
    baseMs = DEFAULT_BASE_MS,
    capMs = DEFAULT_CAP_MS,
    random = Math.random,
  }: BackoffOptions = {}) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Notes a failure. @returns how long to wait, in whole milliseconds */
  next(): number {
    const boundMs = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(Math.max(Math.min(SHORTEST_MS, this.#capMs), this.#random() * boundMs));
  }

  /** Notes a success. */
  reset(): void {
    this.#failures = 0;
  }
}
