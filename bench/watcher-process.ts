import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const WORKERS = fileURLToPath(new URL('../workers/', import.meta.url));

const MANIFEST = new URL('../package.json', import.meta.url);

/** Less than a second, on a machine that has nothing else to do. */
const READY_WITHIN_MS = 120_000;

/** As in src/cli/private-redis.ts: the child dies with us, even by SIGKILL, and a line says that it has ended by itself. */
const GUARD = `(read _ <&3 || kill -9 $$) >/dev/null 2>&1 & exec "$0" "$@" 3<&-`;

/** A line of the watcher's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface WatcherOptions {
  /** Default: the watcher alone. */
  readonly worker?: 'watcher' | 'daemon';
  /** By their environment names. */
  readonly settings: Readonly<Record<string, string>>;
  /** Flags for Node, beside those it is shipped with. */
  readonly flags?: readonly string[];
  /** Told of each line of its log that is a warning or worse. */
  readonly onTrouble?: (line: LogLine) => void;
}

/** workers/watcher.ts, or another worker, in a process of its own, with its metrics. */
export class WatcherProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  readonly #url: string;
  readonly #log: LogLine[] = [];

  private constructor(child: ChildProcess, url: string, { onTrouble }: WatcherOptions) {
    this.#child = child;
    this.#url = url;
    this.#closed = once(child, 'close');
    const [, , log, guard] = child.stdio;
    (guard as Writable).on('error', () => undefined);
    child.once('exit', () => (guard as Writable).end('ended\n'));
    createInterface({ input: log as NodeJS.ReadableStream }).on('line', (text) => {
      const line = parseLine(text);
      this.#log.push(line);
      if (line['level'] !== 'info' && line['level'] !== 'debug') onTrouble?.(line);
    });
  }

  /** Settles when it runs. */
  static async start(options: WatcherOptions): Promise<WatcherProcess> {
    const address = `127.0.0.1:${await freePort()}`;
    const main = `${WORKERS}${options.worker ?? 'watcher'}.ts`;
    const args = [process.execPath, ...shippedFlags(), ...(options.flags ?? []), main];
    const child = spawn('/bin/sh', ['-c', GUARD, ...args], {
      env: {
        PATH: process.env['PATH'],
        REKINDLE_HTTP: address,
        LOG_LEVEL: 'debug',
        ...options.settings,
      },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const watcher = new WatcherProcess(child, `http://${address}`, options);
    await watcher.logged(({ msg }) => msg === 'running', READY_WITHIN_MS);
    return watcher;
  }

  get pid(): number {
    return this.#child.pid ?? NaN;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for a line of the log, or finds it there. */
  async logged(wanted: (line: LogLine) => boolean, withinMs: number): Promise<LogLine> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const line = this.#log.find(wanted);
      if (line) return line;
      const said = JSON.stringify(this.#log.slice(-5));
      if (!this.running) throw new Error(`the watcher ended; its last words: ${said}`);
      if (performance.now() > deadline)
        throw new Error(`the watcher did not say what was waited for; its last words: ${said}`);
      await sleep(20);
    }
  }

  /** Lines of the log so far that are wanted. */
  lines(wanted: (line: LogLine) => boolean): readonly LogLine[] {
    return this.#log.filter(wanted);
  }

  /** One metric, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const values = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
    if (values.length === 0) throw new Error(`the watcher has no metric ${name}`);
    return values.reduce((sum, value) => sum + value, 0);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.running) this.#child.kill(signal);
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

/** As `npm run watcher` starts it. */
function shippedFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as {
    scripts: Record<string, string>;
  };
  return (
    /bin\/node (.*) workers\/watcher\.ts/.exec(scripts['watcher'] ?? '')?.[1]?.split(' ') ?? []
  );
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 'unknown', msg: text };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
