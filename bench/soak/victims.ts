import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/demo/random.ts';
import { SECOND_MS } from '../../src/model/duration.ts';
import { WatcherProcess } from '../watcher-process.ts';

const COUNT = 2;

/** Between two kills. */
const KILL_AFTER_MS = { least: 4 * SECOND_MS, most: 12 * SECOND_MS };

/** Two watchers that are killed at random, without a word, and replaced. */
export class Victims {
  killed = 0;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #random: SeededRandom;
  readonly #running: WatcherProcess[] = [];

  constructor(settings: Readonly<Record<string, string>>, seed: number) {
    this.#settings = settings;
    this.#random = new SeededRandom(seed);
  }

  /** Until `signal` aborts; two are left running then. */
  async run(signal: AbortSignal): Promise<void> {
    while (this.#running.length < COUNT) await this.#replace();
    for (;;) {
      await this.#pause(signal);
      if (signal.aborted) return;
      const index = Math.floor(this.#random.next() * COUNT);
      const [victim] = this.#running.splice(index, 1);
      await victim?.end('SIGKILL');
      this.killed += 1;
      await this.#replace();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((watcher) => watcher.end('SIGKILL')));
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { least, most } = KILL_AFTER_MS;
    await sleep(this.#random.between(least, most), undefined, { signal }).catch(() => undefined);
  }

  async #replace(): Promise<void> {
    this.#running.push(await WatcherProcess.start({ settings: this.#settings }));
  }
}
