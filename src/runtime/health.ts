import { errorMessage } from '../model/errors.ts';

/** `degraded`: it works, with something that a person should know. */
export type HealthStatus = 'ok' | 'degraded' | 'failed';

export interface CheckResult {
  readonly status: HealthStatus;
  /** In words for a person: what is wrong, what it costs, what to change. */
  readonly detail: string;
}

export type Check = () => CheckResult | Promise<CheckResult>;

export interface HealthReport {
  /** The worst of all. */
  readonly status: HealthStatus;
  readonly checks: Readonly<Record<string, CheckResult>>;
}

/** A probe waits about this long for its answer; a check that hangs must not hide the others. */
const ANSWER_WITHIN_MS = 2_000;

const BY_BADNESS: readonly HealthStatus[] = ['ok', 'degraded', 'failed'];

/** The named checks of a process. */
export class Health {
  readonly #checks = new Map<string, { readonly check: Check; readonly worst: HealthStatus }>();
  readonly #answerWithinMs: number;

  constructor(answerWithinMs = ANSWER_WITHIN_MS) {
    this.#answerWithinMs = answerWithinMs;
  }

  /**
   * @param worst what a check counts as that throws or does not answer in time
   * @throws when the name is taken: one check would hide the other
   */
  register(name: string, check: Check, worst: HealthStatus = 'failed'): void {
    if (this.#checks.has(name)) throw new Error(`there is a health check "${name}" already`);
    this.#checks.set(name, { check, worst });
  }

  /** Asks all checks at once. */
  async report(): Promise<HealthReport> {
    const entries = await Promise.all(
      [...this.#checks].map(
        async ([name, { check, worst }]) => [name, await this.#ask(check, worst)] as const,
      ),
    );
    const worstOfAll = Math.max(
      0,
      ...entries.map(([, result]) => BY_BADNESS.indexOf(result.status)),
    );
    return { status: BY_BADNESS[worstOfAll] ?? 'failed', checks: Object.fromEntries(entries) };
  }

  async #ask(check: Check, worst: HealthStatus): Promise<CheckResult> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<CheckResult>((resolve) => {
      const detail = `no answer within ${this.#answerWithinMs} ms`;
      timer = setTimeout(() => resolve({ status: worst, detail }), this.#answerWithinMs);
    });
    try {
      return await Promise.race([Promise.resolve().then(check), tooLate]);
    } catch (error) {
      return { status: worst, detail: errorMessage(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}
