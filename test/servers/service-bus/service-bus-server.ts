import { Administration } from './administration.ts';
import { AmqpListener } from './amqp-listener.ts';
import { Broker } from './broker.ts';
import { Faults } from './faults.ts';

/** The largest message of the standard tier. */
const MAX_MESSAGE_BYTES = 256 * 1_024;

/**
 * A broker on loopback that speaks as Azure Service Bus does to its SDK: AMQP without TLS, and the administration over
 * HTTP. Everything is in memory; a signature is not looked at.
 */
export class ServiceBusServer implements AsyncDisposable {
  readonly broker = new Broker();
  readonly faults = new Faults();
  readonly administration = new Administration(this.broker);
  readonly #listener: AmqpListener;
  #port = 0;
  #administrationPort = 0;

  private constructor(maxMessageBytes: number) {
    this.#listener = new AmqpListener(this.broker, this.faults, maxMessageBytes);
  }

  static async start(
    options: { readonly maxMessageBytes?: number } = {},
  ): Promise<ServiceBusServer> {
    const server = new ServiceBusServer(options.maxMessageBytes ?? MAX_MESSAGE_BYTES);
    await server.bringBack();
    return server;
  }

  /** Gives plain TCP to the SDK, on a port of its own. */
  get connectionString(): string {
    return `Endpoint=sb://127.0.0.1:${this.#port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=none;UseDevelopmentEmulator=true`;
  }

  get administrationUrl(): string {
    return `http://127.0.0.1:${this.#administrationPort}`;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  cutConnections(): void {
    this.#listener.cutConnections();
  }

  /** Locks of messages and sessions are lost, as in a failover. */
  dropLocks(): void {
    for (const entity of this.broker.entities()) entity.dropLocks();
  }

  /** Nobody can connect; what is on the broker stays. */
  async takeAway(): Promise<void> {
    await Promise.all([this.#listener.close(), this.administration.close()]);
  }

  /** Listens again, on the same ports. */
  async bringBack(): Promise<void> {
    this.#port = await this.#listener.listen(this.#port);
    this.#administrationPort = await this.administration.listen(this.#administrationPort);
  }

  async stop(): Promise<void> {
    await this.takeAway();
    this.broker.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
