import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../test/servers/main.ts', import.meta.url));

/** The broker that tests of Service Bus run against, in a process of its own; it ends with its standard input. */
export class BrokerProcess implements AsyncDisposable {
  readonly connectionString: string;
  readonly administrationUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, line: string) {
    const printed = JSON.parse(line) as { connectionString: string; administrationUrl: string };
    this.#child = child;
    this.connectionString = printed.connectionString;
    this.administrationUrl = printed.administrationUrl;
  }

  static async start(): Promise<BrokerProcess> {
    const child = spawn(process.execPath, [MAIN, 'service-bus'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => {
        throw new Error('the broker ended before it was ready');
      }),
    ])) as [string];
    return new BrokerProcess(child, line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
