interface Reply {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: unknown } };
  readonly error?: { readonly message: string };
}

/** The debugger's port of a Node process that was started with `--inspect`. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply;
      this.#waiting.get(reply.id ?? NaN)?.resolve(reply);
    });
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('the inspected process has ended'));
    });
  }

  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`${url} does not answer`)));
    });
    return new Inspector(socket);
  }

  async collectGarbage(): Promise<void> {
    await this.#call('HeapProfiler.collectGarbage', {});
  }

  /** The value of an expression, as JSON would give it. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#call('Runtime.evaluate', { expression, returnByValue: true });
    return result?.result?.value;
  }

  close(): void {
    this.#socket.close();
  }

  async #call(method: string, params: object): Promise<Reply> {
    const id = (this.#calls += 1);
    const answer = Promise.withResolvers<Reply>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const reply = await answer.promise.finally(() => this.#waiting.delete(id));
    if (reply.error) throw new Error(`${method}: ${reply.error.message}`);
    return reply;
  }
}
