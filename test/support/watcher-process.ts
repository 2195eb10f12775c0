import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { KillPoint } from './kill-points.ts';

const main = fileURLToPath(new URL('doomed-watcher.ts', import.meta.url));

/** A watcher in a process of its own. */
export class WatcherProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  #output = '';

  /** @param settings by their environment names */
  constructor(settings: Readonly<Record<string, string>>, killPoint?: KillPoint) {
    this.#child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        REKINDLE_HTTP: 'off',
        LOG_LEVEL: 'info',
        ...settings,
        ...(killPoint && { KILL_POINT: JSON.stringify(killPoint) }),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.#exited = once(this.#child, 'exit');
  }

  get output(): string {
    return this.#output;
  }

  /** Waits until it runs. */
  async running(): Promise<void> {
    while (!this.#output.includes('"running"')) {
      if (this.#child.exitCode !== null) throw new Error(`the watcher ended: ${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** @returns the signal that killed it, or its exit code */
  async exited(): Promise<string | number> {
    const [code, signal] = (await this.#exited) as [number | null, string | null];
    return signal ?? code ?? 'unknown';
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<string | number> {
    this.#child.kill(signal);
    return this.exited();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
