import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

export interface DaemonOptions {
  /** The command line's file. */
  readonly entry: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its data; goes with it when we die. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

const READY_WITHIN_MS = 20_000;

/** Sooner than the daemon's own deadline, which would keep a person waiting. */
const STOP_WITHIN_MS = 10_000;

/** Lines of its log that an error shows. */
const TAIL_LINES = 15;

/**
 * As in src/cli/private-redis.ts: the child dies with us, even by SIGKILL, and its folder goes; a line says that it has
 * ended by itself.
 */
const GUARD = `(read _ <&3 || { kill -9 $$; rm -rf "$0"; }) >/dev/null 2>&1 & exec "$@" 3<&-`;

/** Starts a daemon as a process of its own, and settles when it runs. */
export async function startDaemon({
  entry,
  env,
  folder,
  signal,
}: DaemonOptions): Promise<DaemonProcess> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', GUARD, folder, process.execPath, entry, 'daemon'], {
    env: { ...env, LOG_LEVEL: 'info' },
    // No .env of the reader's lies there.
    cwd: dirname(entry),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C is for us, and the daemon is then stopped in order.
    detached: true,
  });
  const daemon = new DaemonProcess(child);
  try {
    await daemon.running(AbortSignal.any([signal, AbortSignal.timeout(READY_WITHIN_MS)]));
    return daemon;
  } catch (error) {
    await daemon.stop();
    throw error;
  }
}

/** The daemon's process; see {@link startDaemon}. */
export class DaemonProcess {
  readonly #child: ChildProcess;
  readonly #died = new AbortController();
  readonly #runs = Promise.withResolvers<undefined>();
  readonly #tail: string[] = [];
  #stopping = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    const [, , log, guard] = child.stdio;
    (guard as Writable).on('error', () => undefined);
    child.once('exit', () => (guard as Writable).end('ended\n'));
    // Reading on keeps the pipe from filling up; 'close' comes when the last line was read.
    createInterface({ input: log as NodeJS.ReadableStream }).on('line', (line) => this.#hear(line));
    child.once('error', (error) => this.#died.abort(error));
    child.once('close', (code, by) => {
      if (!this.#stopping) this.#died.abort(this.#lastWords(code ?? String(by)));
    });
  }

  /** Aborts, with an error for a person, when the daemon ends by itself. */
  get died(): AbortSignal {
    return this.#died.signal;
  }

  async running(signal: AbortSignal): Promise<void> {
    const given = AbortSignal.any([signal, this.died]);
    given.addEventListener('abort', () => this.#runs.reject(given.reason), { once: true });
    await this.#runs.promise;
  }

  /** Stops it in order, or by force when it takes longer. @returns what is wrong with how it ended */
  async stop(withinMs = STOP_WITHIN_MS): Promise<Error | undefined> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return undefined;
    this.#stopping = true;
    const ended = once(this.#child, 'close') as Promise<[number | null, string | null]>;
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), withinMs);
    const [code, by] = await ended;
    clearTimeout(force);
    return code === 0 ? undefined : this.#lastWords(code ?? String(by));
  }

  #hear(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    if (line.includes('"msg":"running"')) this.#runs.resolve(undefined);
  }

  #lastWords(how: number | string): Error {
    const said = this.#tail.map((line) => `\n  ${line}`).join('');
    return new Error(`the daemon ended with ${how}; the end of its log:${said || ' nothing'}`);
  }
}
