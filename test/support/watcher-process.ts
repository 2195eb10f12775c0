import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type KillPoint, STRUCK_DOWN } from './kill-points.ts';

const main = fileURLToPath(new URL('doomed-watcher.ts', import.meta.url));

/** Halves the time that a start costs: 0.3 s of a processor instead of 0.5. */
const compileCache = fileURLToPath(
  new URL('../../node_modules/.cache/doomed-watcher', import.meta.url),
);

const LOOK_EVERY_MS = 2;

export interface WatcherOptions {
  /** By their environment names. */
  readonly settings: Readonly<Record<string, string>>;
  readonly killPoint?: KillPoint | undefined;
  /** A module that the process loads before anything else. */
  readonly preload?: string;
}

/** A watcher in a process of its own, which waits with its start until it is told. */
export class WatcherProcess {
  readonly #child: ChildProcess;
  readonly #waits: Promise<unknown>;
  readonly #exited: Promise<string | number>;
  #output = '';
  readonly #heard = new Set<() => void>();

  constructor({ settings, killPoint, preload }: WatcherOptions) {
    const flags = preload === undefined ? [] : ['--import', preload];
    this.#child = spawn(process.execPath, [...flags, main], {
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: compileCache,
        REKINDLE_HTTP: 'off',
        LOG_LEVEL: 'info',
        ...settings,
        ...(killPoint && { KILL_POINT: JSON.stringify(killPoint) }),
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      for (const wake of this.#heard) wake();
    });
    this.#exited = once(this.#child, 'exit').then(([code, signal]) => {
      for (const wake of this.#heard) wake();
      return (signal as string | null) ?? (code as number);
    });
    const ended = this.#exited.then((how) => {
      throw new Error(`the watcher ended with ${how} before its start: ${this.#output}`);
    });
    this.#waits = Promise.race([once(this.#child, 'message'), ended]);
    this.#waits.catch(() => undefined);
  }

  get output(): string {
    return this.#output;
  }

  /** Lets it start as soon as it can. */
  async go(): Promise<void> {
    await this.#waits;
    this.#child.send('go');
  }

  /** Waits until it has said this. */
  async said(words: string): Promise<void> {
    while (!this.#output.includes(words)) {
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`the watcher ended and never said "${words}": ${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#heard.add(resolve);
      });
      this.#heard.clear();
    }
  }

  running(): Promise<void> {
    return this.said('"running"');
  }

  /** Waits until it was struck down at its kill point: it says so just before, and may lose the processor in between. */
  async struckDown(): Promise<void> {
    await this.said(STRUCK_DOWN);
    while (!this.#isDown()) await sleep(LOOK_EVERY_MS);
  }

  #isDown(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return true;
    try {
      // proc(5): the state stands behind the name, which is in brackets.
      const [, state = '?'] = /.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return 'TZX'.includes(state);
    } catch {
      return true;
    }
  }

  /** @returns the signal that killed it, or its exit code */
  exited(): Promise<string | number> {
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<string | number> {
    this.signal(signal);
    return this.#exited;
  }
}
