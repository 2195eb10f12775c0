import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { HealthReport } from '../../src/runtime/health.ts';

/** What a daemon says of itself over HTTP, as a platform asks it. */
export class DaemonHttp {
  readonly #url: string;

  private constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** On a port that is free now. */
  static async onFreePort(): Promise<DaemonHttp> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return new DaemonHttp(port);
  }

  /** As REKINDLE_HTTP takes it. */
  get address(): string {
    return new URL(this.#url).host;
  }

  async ready(): Promise<HealthReport & { readonly code: number }> {
    const response = await fetch(`${this.#url}/ready`);
    return { code: response.status, ...((await response.json()) as HealthReport) };
  }

  /** The sum over all labels of each metric. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const sums = new Map<string, number>();
    for (const [, name = '', value] of text.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm))
      sums.set(name, (sums.get(name) ?? 0) + Number(value));
    return sums;
  }
}
