import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** As in src/cli/private-redis.ts: a client that tries a closed port of the system's own range may reach itself. */
const PORTS = { from: 20_000, to: 32_000 };
const PORT_ATTEMPTS = 20;

/** Both ways of one connection. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** What waits while nothing passes, in its order. */
  held: (() => void)[] | undefined;
  /** What waits is never passed on. */
  lost: boolean;
  /** How many replies are on their way, and the last of them. */
  late: number;
  lastOne: Promise<void>;
}

/** Stands between a client and a server on loopback, and fails as networks do. */
export class TcpProxy {
  /** Connections accepted so far. */
  accepted = 0;
  readonly #targetPort: number;
  readonly #links = new Set<Link>();
  #listener: Server;
  readonly port: number;
  #hanging = false;
  #delayMs = 0;
  #cut: { left: number; readonly done: () => void } | undefined;
  #cutRequest: (() => void) | undefined;
  #replied = 0;

  private constructor(listener: Server, targetPort: number) {
    this.#listener = listener;
    this.#targetPort = targetPort;
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', this.#accept);
  }

  static async to(targetPort: number): Promise<TcpProxy> {
    for (let attempt = 1; ; attempt += 1) {
      const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
      try {
        return new TcpProxy(await listen(port), targetPort);
      } catch (error) {
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Bytes of replies that were passed on so far. */
  get replied(): number {
    return this.#replied;
  }

  /** Ends every connection and takes no new one. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.cut();
    await closed;
  }

  /** Takes connections again. */
  async admit(): Promise<void> {
    this.#listener = await listen(this.port);
    this.#listener.on('connection', this.#accept);
  }

  /** Nothing passes, on no connection; new ones are accepted. */
  hang(): void {
    this.#hanging = true;
    for (const link of this.#links) link.held ??= [];
  }

  /** What was held passes on, late; as when a network comes back. */
  resume(): void {
    this.#hanging = false;
    for (const link of this.#links) if (!link.lost) release(link);
  }

  /** The connections there are stay silent for ever, new ones work; as when a host is gone without a word. */
  abandon(): void {
    this.#hanging = false;
    for (const link of this.#links) {
      link.held ??= [];
      link.lost = true;
      link.server.destroy();
    }
  }

  /** Every reply comes so much later. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Ends every connection, now. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    this.#links.clear();
  }

  /** Ends the connection on which so many bytes of replies have passed from now on. */
  async cutReplyAfter(bytes: number): Promise<void> {
    await new Promise<void>((done) => {
      this.#cut = { left: bytes, done };
    });
  }

  /** Ends the connection of the next request instead of passing it on. */
  async cutRequest(): Promise<void> {
    await new Promise<void>((done) => {
      this.#cutRequest = done;
    });
  }

  async close(): Promise<void> {
    this.resume();
    if (this.#listener.listening) await this.refuse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #accept = (client: Socket): void => {
    this.accepted += 1;
    const server = connect(this.#targetPort, '127.0.0.1');
    const link: Link = {
      client,
      server,
      held: this.#hanging ? [] : undefined,
      lost: false,
      late: 0,
      lastOne: Promise.resolve(),
    };
    this.#links.add(link);
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => undefined);
    client.on('data', (chunk) => pass(link, () => this.#request(link, chunk)));
    server.on('data', (chunk) => this.#late(link, () => this.#reply(link, chunk)));
    // A network that comes back still brings what a client sent before it gave up.
    client.on('close', () =>
      pass(link, () => {
        this.#links.delete(link);
        server.end();
      }),
    );
    server.on('close', () => pass(link, () => client.destroy()));
  };

  #request({ client, server }: Link, chunk: Buffer): void {
    const done = this.#cutRequest;
    if (!done) {
      server.write(chunk);
      return;
    }
    this.#cutRequest = undefined;
    client.destroy();
    server.destroy();
    done();
  }

  /** A reply never overtakes the one before it, also when the delay is shortened. */
  #late(link: Link, reply: () => void): void {
    if (this.#delayMs === 0 && link.late === 0) {
      pass(link, reply);
      return;
    }
    const at = performance.now() + this.#delayMs;
    link.late += 1;
    link.lastOne = link.lastOne.then(async () => {
      await sleep(Math.max(0, at - performance.now()));
      link.late -= 1;
      pass(link, reply);
    });
  }

  #reply({ client, server }: Link, chunk: Buffer): void {
    if (this.#cut && chunk.length >= this.#cut.left) {
      const { left, done } = this.#cut;
      this.#cut = undefined;
      this.#replied += left;
      client.end(chunk.subarray(0, left), done);
      server.destroy();
      return;
    }
    if (this.#cut) this.#cut.left -= chunk.length;
    this.#replied += chunk.length;
    client.write(chunk);
  }
}

function pass(link: Link, step: () => void): void {
  if (link.held) link.held.push(step);
  else step();
}

function release(link: Link): void {
  const steps = link.held ?? [];
  link.held = undefined;
  for (const step of steps) step();
}

async function listen(port: number): Promise<Server> {
  const listener = createServer({ noDelay: true }).listen(port, '127.0.0.1');
  await once(listener, 'listening');
  return listener;
}
