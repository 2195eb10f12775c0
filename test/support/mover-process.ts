import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DAY_MS } from '../../src/model/duration.ts';

export const TOMBSTONE_TTL_MS = 90 * DAY_MS;

const main = fileURLToPath(new URL('doomed-mover.ts', import.meta.url));

export interface MoverPlan {
  readonly task: 'demote' | 'compact' | 'erase';
  readonly user: string;
  readonly now: number;
  readonly hotTtlMs: number;
  readonly url: string;
  readonly prefix: string;
  /** Settings that lead to warm and cold, by their environment names. */
  readonly tiers: Readonly<Record<string, string>>;
  /** After how long without a sign of life another process takes a job over. */
  readonly lockMs: number;
}

/** The n-th call of a port's method, such as `warm.put`, in that process. */
export interface MoverKillPoint {
  readonly when: 'before' | 'after';
  readonly call: string;
  readonly nth: number;
}

/** One that demotes, compacts or erases in a process of its own. */
export class MoverProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<string | number>;
  #output = '';

  constructor(plan: MoverPlan, killPoint?: MoverKillPoint) {
    this.#child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        PLAN: JSON.stringify(plan),
        ...(killPoint && { KILL_POINT: JSON.stringify(killPoint) }),
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#exited = once(this.#child, 'exit').then(
      ([code, signal]) => (signal as string | null) ?? (code as number),
    );
  }

  /** What it said, line by line. */
  get said(): string[] {
    return this.#output.split('\n').filter((line) => line !== '');
  }

  /** @returns the signal that killed it, or its exit code */
  exited(): Promise<string | number> {
    return this.#exited;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
