/** An application in a process of its own: it does through the library what the test tells it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openRekindle } from '../../src/index.ts';
import type { Cart } from '../../src/model/cart.ts';

/** The user changes the cart, or only does something. */
interface Deed {
  readonly user: string;
  readonly cart?: Cart;
}

export class ShopProcess {
  readonly #child: ChildProcess;
  #answer: Promise<unknown>;

  /** @param preload a module that the process loads before anything else */
  constructor(env: Readonly<Record<string, string>>, preload: string) {
    const execArgv = ['--import', preload];
    this.#child = fork(fileURLToPath(import.meta.url), { env, execArgv });
    this.#answer = once(this.#child, 'message');
  }

  async does(deed: Deed): Promise<void> {
    await this.#answer;
    this.#answer = once(this.#child, 'message');
    this.#child.send(deed);
    await this.#answer;
    this.#answer = Promise.resolve();
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

if (import.meta.main) {
  const rekindle = await openRekindle();
  process.on('message', ({ user, cart }: Deed) => {
    const done = cart ? rekindle.updateCart(user, cart) : rekindle.recordActivity(user);
    void done.then(() => process.send?.('done'));
  });
  process.once('disconnect', () => void rekindle.close());
  process.send?.('open');
}
