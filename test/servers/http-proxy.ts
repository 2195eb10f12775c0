import { once } from 'node:events';
import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
  request as send,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Passing {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** How many came before it. */
  readonly n: number;
}

/**
 * What happens to a request. `pass`: nothing. `cut`: its connection ends, and it goes no further. `tear`: half of its body
 * reaches the server before both connections end. `lose`: it takes effect, and its answer is lost. `half`: half of the
 * answer's body arrives. `hang`: nobody ever answers. `bend`: a bit of its body is turned over. A status: the server answers
 * so. A path: the server is asked that instead.
 */
export type Verdict =
  | 'pass'
  | 'cut'
  | 'tear'
  | 'lose'
  | 'half'
  | 'hang'
  | 'bend'
  | { readonly path: string }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> };

export type Judge = (passing: Passing) => Verdict | Promise<Verdict>;

/** Stands between HTTP clients and a server on loopback, looks at each request, and fails as networks and services do. */
export class HttpProxy implements AsyncDisposable {
  readonly #listener: Server;
  readonly #targetPort: number;
  readonly #agent = new Agent({ keepAlive: true });
  /** Decides over each request that comes. */
  judge: Judge = () => 'pass';
  /** Requests that came so far. */
  requests = 0;

  private constructor(listener: Server, targetPort: number) {
    this.#listener = listener;
    this.#targetPort = targetPort;
    listener.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async to(targetPort: number): Promise<HttpProxy> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new HttpProxy(listener, targetPort);
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** The same address, by way of this proxy. */
  through(url: string): string {
    return url.replace(`:${this.#targetPort}`, `:${this.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.closeAllConnections();
    this.#listener.close();
    this.#agent.destroy();
    await once(this.#listener, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const body = await buffer(request);
    const n = this.requests++;
    const verdict = await this.judge({ method, path, headers: request.headers, n });
    if (verdict === 'hang') return;
    if (verdict === 'cut') {
      response.destroy();
      return;
    }
    if (verdict === 'bend') body[0]! ^= 1;
    if (typeof verdict === 'object' && 'status' in verdict) {
      response.writeHead(verdict.status, verdict.headers).end();
      return;
    }
    const onward = send({
      host: '127.0.0.1',
      port: this.#targetPort,
      agent: this.#agent,
      method,
      path: typeof verdict === 'object' ? verdict.path : path,
      headers: request.headers,
    });
    if (verdict === 'tear') {
      onward.on('error', () => undefined);
      onward.write(body.subarray(0, body.length / 2), () => {
        onward.destroy();
        response.destroy();
      });
      return;
    }
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    const bytes = await buffer(answer);
    if (verdict === 'lose') {
      response.destroy();
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
    if (verdict === 'half')
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
    else response.end(bytes);
  }
}
