import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a server may take to say that it is ready: 10 ms usually, more with a log to load. */
const DEFAULT_READY_WITHIN_MS = 10_000;

/** How long an orderly stop may take before it is forced. */
const STOP_WITHIN_MS = 5_000;

/**
 * Ports are drawn from below the range that the system hands to outgoing connections (from 32768 on
 * Linux): there, nobody takes the port between a kill and a restart, and no client that reconnects
 * to a dead server can end up connected to itself.
 */
const PORTS = { from: 20_000, to: 32_000 };
const PORT_ATTEMPTS = 20;

/** Nothing is kept unless the caller's `config` says so. */
const DEFAULT_CONFIG: Readonly<Record<string, string>> = { save: '', appendonly: 'no' };

/**
 * Redis does not notice when the process that started it dies, by SIGKILL least of all. So a shell
 * waits on a pipe whose other end is ours: its end without a word means that we are gone, and takes
 * the server and its folder with us; a line means that the server has ended and nothing is to be done.
 */
const GUARD = `(read _ <&3 || { kill -9 $$; rm -rf "$0"; }) >/dev/null 2>&1 & exec "$@" 3<&-`;

export interface PrivateRedisOptions {
  /** Settings of redis.conf, for instance `{ appendonly: 'yes', maxmemory: '10mb' }`. */
  readonly config?: Readonly<Record<string, string>>;
  readonly readyWithinMs?: number;
  /** Gives up a start that has not finished yet. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a Redis of one's own, on loopback, on a free port, in a temporary folder; it never outlives
 * this process. Rejects in words fit for a person when there is no `redis-server` to start.
 */
export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const { signal, ...rest } = options;
  const directory = await mkdtemp(join(tmpdir(), 'rekindle-redis-'));
  try {
    for (let attempt = 1; ; attempt += 1) {
      const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
      const start: Start = (startSignal) => launch(directory, port, rest, startSignal);
      try {
        return new PrivateRedis(directory, port, start, await start(signal));
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

type Start = (signal?: AbortSignal) => Promise<ChildProcess>;

/** A server that was started; see {@link startPrivateRedis}. */
export class PrivateRedis {
  readonly directory: string;
  readonly port: number;
  readonly #start: Start;
  #child: ChildProcess;

  constructor(directory: string, port: number, start: Start, child: ChildProcess) {
    this.directory = directory;
    this.port = port;
    this.#start = start;
    this.#child = child;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The server's process id; another one after a restart. */
  get pid(): number {
    return this.#child.pid ?? NaN;
  }

  get alive(): boolean {
    return isAlive(this.#child);
  }

  /** SIGKILL: the server is gone in the middle of whatever it did; its folder stays for a restart. */
  async kill(): Promise<void> {
    await end(this.#child, 'SIGKILL');
  }

  /** Starts anew on the same port and folder, after an orderly end if the server still runs. */
  async restart(signal?: AbortSignal): Promise<void> {
    await end(this.#child, 'SIGTERM');
    this.#child = await this.#start(signal);
  }

  /** Ends the server and removes its folder; a second call does nothing. */
  async stop(): Promise<void> {
    await end(this.#child, 'SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}

async function launch(
  directory: string,
  port: number,
  { config, readyWithinMs = DEFAULT_READY_WITHIN_MS }: Omit<PrivateRedisOptions, 'signal'>,
  signal?: AbortSignal,
): Promise<ChildProcess> {
  signal?.throwIfAborted();
  const settings = { ...DEFAULT_CONFIG, ...config, port: String(port), dir: directory };
  const args = Object.entries({ bind: '127.0.0.1', ...settings }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const child = spawn('/bin/sh', ['-c', GUARD, directory, 'redis-server', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C is for us, and we may need Redis to stop in order.
    detached: true,
  });
  const guard = child.stdio[3] as Writable;
  guard.on('error', () => undefined); // The guard's shell may be gone before our last word.
  child.once('exit', () => guard.end('ended\n'));
  try {
    const tooLate = AbortSignal.timeout(readyWithinMs);
    await ready(child, signal ? AbortSignal.any([tooLate, signal]) : tooLate);
    return child;
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
}

/** Settles when the server says that it accepts connections, with a log loaded if there is one. */
async function ready(child: ChildProcess, signal: AbortSignal): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const hear = (line: string): void => {
      if (line.includes('Ready to accept connections')) resolve();
      // Keeps the last words for an error; reading on keeps the pipe from filling up.
      if (said.push(line) > 20) said.shift();
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', hear);
    }
    child.once('error', reject);
    child.once('close', (code) => reject(failure(code, said)));
    signal.addEventListener('abort', () => reject(asError(signal.reason)), { once: true });
  });
}

function failure(code: number | null, said: readonly string[]): Error {
  const words = said.join('\n');
  if (/address already in use|failed listening on port/i.test(words))
    return new PortTakenError(words);
  if (code === 127) return new Error('redis-server was not found: install it, or set REDIS_URL');
  return new Error(`redis-server ended at its start (exit code ${String(code)}):\n${words}`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!isAlive(child)) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = new AbortController();
  const forced = sleep(STOP_WITHIN_MS, undefined, { signal: timer.signal }).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
  await gone;
  timer.abort();
  await forced;
}
