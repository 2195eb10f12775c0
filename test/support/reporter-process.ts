import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('doomed-reporter.ts', import.meta.url));

/** Where a reporter is killed. */
export const REPORTER_STEPS = [
  'before the fold',
  'within the fold',
  'after the fold',
  'amid settling',
  'after settling',
] as const;

export interface ReporterPlan {
  readonly url: string;
  readonly prefix: string;
  readonly file: string;
  /** After how long without a sign of life another process takes its deliveries over. */
  readonly claimMs: number;
  /** Undefined: it works until everything is folded. */
  readonly step?: (typeof REPORTER_STEPS)[number];
}

/** A reporter in a process of its own. */
export class ReporterProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<string | number>;
  #output = '';

  constructor(plan: ReporterPlan) {
    this.#child = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'], PLAN: JSON.stringify(plan) },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#exited = once(this.#child, 'close').then(
      ([code, signal]) => (signal as string | null) ?? (code as number),
    );
  }

  /** @returns the signal that killed it, or its exit code */
  exited(): Promise<string | number> {
    return this.#exited;
  }

  get said(): string {
    return this.#output;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
