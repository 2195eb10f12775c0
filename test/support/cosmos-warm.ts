import type { Container } from '@azure/cosmos';
import { connectCosmos } from '../../src/adapters/warm/cosmos/connect.ts';
import { CosmosWarm, type CosmosWarmOptions } from '../../src/adapters/warm/cosmos/cosmos-warm.ts';
import { setUp } from '../../src/adapters/warm/cosmos/set-up.ts';
import { type CosmosServer, startCosmosServer } from '../servers/cosmos/cosmos-server.ts';

export const DATABASE = 'rekindle';

/** A server of Cosmos DB's protocol, and warm tiers in it. */
export class CosmosPlace implements AsyncDisposable {
  readonly server: CosmosServer;
  readonly #client: ReturnType<typeof connectCosmos>;
  #made = 0;

  private constructor(server: CosmosServer) {
    this.server = server;
    this.#client = connectCosmos({ endpoint: server.endpoint, as: { key: server.key } });
  }

  static async start(now?: () => number): Promise<CosmosPlace> {
    return new CosmosPlace(await startCosmosServer(now ? { now } : {}));
  }

  /** A container with nothing in it. */
  async container(dimensions?: number): Promise<Container> {
    const container = `warm-${(this.#made += 1)}`;
    await setUp(this.#client, {
      database: DATABASE,
      container,
      ...(dimensions !== undefined && { dimensions }),
    });
    return this.#client.database(DATABASE).container(container);
  }

  async open(
    options: Omit<CosmosWarmOptions, 'container'>,
    dimensions?: number,
  ): Promise<CosmosWarm> {
    return this.warmIn(await this.container(dimensions), options);
  }

  warmIn(container: Container, options: Omit<CosmosWarmOptions, 'container'>): CosmosWarm {
    return new CosmosWarm({ ...options, container: () => container });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.dispose();
    await this.server[Symbol.asyncDispose]();
  }
}
