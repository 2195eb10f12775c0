import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AnyEvent } from '../../src/model/event.ts';

const MAIN = fileURLToPath(new URL('subscriber.ts', import.meta.url));

interface Line {
  readonly ready?: true;
  readonly event?: AnyEvent;
  readonly retried?: string;
  readonly dropped?: string;
}

/** The subscriber's process, and what took effect there. */
export class SubscriberProcess {
  /** Each event once, as they took effect. */
  readonly events: AnyEvent[] = [];
  /** Events that took effect again: a repeat that a subscriber would tell by its id. */
  repeats = 0;
  retried = 0;
  dropped = 0;
  readonly #ids = new Set<string>();
  readonly #child: ChildProcess;
  readonly #ready = Promise.withResolvers<undefined>();
  readonly #closed: Promise<unknown[]>;
  readonly #died = Promise.withResolvers<never>();
  #ending = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.#hear(JSON.parse(line) as Line),
    );
    this.#died.promise.catch(() => undefined);
    child.once('exit', (code, signal) => {
      const error = new Error(`the subscriber ended with ${String(code ?? signal)}`);
      this.#ready.reject(error);
      if (!this.#ending) this.#died.reject(error);
    });
  }

  static async start(
    settings: Readonly<Record<string, string>>,
    seed: number,
  ): Promise<SubscriberProcess> {
    const child = spawn(process.execPath, [MAIN, String(seed)], {
      env: { PATH: process.env['PATH'], ...settings },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const subscriber = new SubscriberProcess(child);
    await subscriber.#ready.promise;
    return subscriber;
  }

  /** Rejects when it ends by itself. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#ending = true;
    if (this.running) this.#child.kill(signal);
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }

  #hear({ ready, event, retried, dropped }: Line): void {
    if (ready) this.#ready.resolve(undefined);
    if (retried !== undefined) this.retried += 1;
    if (dropped !== undefined) this.dropped += 1;
    if (!event) return;
    if (this.#ids.has(event.id)) {
      this.repeats += 1;
      return;
    }
    this.#ids.add(event.id);
    this.events.push(event);
  }
}
