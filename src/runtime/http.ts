import type { FastifyInstance } from 'fastify';
import { UsageError, errorMessage } from '../model/errors.ts';
import type { Health } from './health.ts';
import { BaseService } from './service.ts';
import type { Telemetry } from './telemetry.ts';

export interface HttpOptions {
  readonly address: { readonly host: string; readonly port: number };
  /** Name of the setting that holds the address, for errors. */
  readonly setting: string;
  readonly health: Health;
  readonly telemetry: Telemetry;
  /** Aborts when a service of the process has died. */
  readonly died?: AbortSignal;
}

/** Why an address cannot be listened on, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EADDRNOTAVAIL: 'is no address of this machine',
  EACCES: 'may not be used by this user',
  ENOTFOUND: 'is not known',
};

/**
 * What a platform asks of a process: `/live` (the event loop answers and nothing has died: else restart me), `/ready`
 * (every check, 503 when one has failed; degraded is ready), `/metrics`.
 */
export class HttpServer extends BaseService {
  readonly #options: HttpOptions;
  #server: FastifyInstance | undefined;
  #url: string | undefined;

  constructor(options: HttpOptions) {
    super('http');
    this.#options = options;
  }

  /** Where it listens; undefined while it does not. */
  get url(): string | undefined {
    return this.#url;
  }

  protected override async onStart(): Promise<void> {
    // Loaded only where it is wanted: it takes more time and memory than the rest of the runtime together.
    const { fastify } = await import('fastify');
    this.#server = fastify({ logger: false });
    this.#addRoutes(this.#server);
    const { address, setting } = this.#options;
    try {
      this.#url = await this.#server.listen({ host: address.host, port: address.port });
    } catch (error) {
      const why = REFUSALS[(error as NodeJS.ErrnoException).code ?? ''] ?? errorMessage(error);
      throw new UsageError(
        `${address.host}:${address.port} (${setting}) ${why}: give another address, or off`,
        { cause: error },
      );
    }
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const cut = (): void => server.server.closeAllConnections();
    if (signal.aborted) cut();
    else signal.addEventListener('abort', cut, { once: true });
    await server.close();
    signal.removeEventListener('abort', cut);
    this.#url = undefined;
  }

  #addRoutes(server: FastifyInstance): void {
    const { health, telemetry, died } = this.#options;
    server.get('/live', async (_request, reply) => {
      if (!died?.aborted) return { status: 'ok' };
      return reply.code(503).send({ status: 'failed', detail: errorMessage(died.reason) });
    });
    server.get('/ready', async (_request, reply) => {
      const report = await health.report();
      return reply.code(report.status === 'failed' ? 503 : 200).send(report);
    });
    server.get('/metrics', async (_request, reply) => {
      return reply.type(telemetry.contentType).send(await telemetry.render());
    });
  }
}
