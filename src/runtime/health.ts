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
  readonly #checks = new Map<string, Check>();
  readonly #answerWithinMs: number;

  constructor(answerWithinMs = ANSWER_WITHIN_MS) {
    this.#answerWithinMs = answerWithinMs;
  }

  /** @throws when the name is taken: one check would hide the other */
  register(name: string, check: Check): void {
    if (this.#checks.has(name)) throw new Error(`there is a health check "${name}" already`);
    this.#checks.set(name, check);
  }

  /** Asks all checks at once. A check that throws, or does not answer in time, has failed. */
  async report(): Promise<HealthReport> {
    const entries = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await this.#ask(check)] as const),
    );
    const worst = Math.max(0, ...entries.map(([, result]) => BY_BADNESS.indexOf(result.status)));
    return { status: BY_BADNESS[worst] ?? 'failed', checks: Object.fromEntries(entries) };
  }

  async #ask(check: Check): Promise<CheckResult> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<CheckResult>((resolve) => {
      const detail = `no answer within ${this.#answerWithinMs} ms`;
      timer = setTimeout(() => resolve({ status: 'failed', detail }), this.#answerWithinMs);
    });
    try {
      return await Promise.race([Promise.resolve().then(check), tooLate]);
    } catch (error) {
      return { status: 'failed', detail: errorMessage(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}
