import type { KillPoint } from './kill-points.ts';
import { WatcherProcess } from './watcher-process.ts';

/** Watchers that wait to take the place of one that was killed: a kill costs no start. */
const SPARES = 2;

interface Spare {
  readonly watcher: WatcherProcess;
  readonly point: KillPoint | undefined;
}

/** Replicas that are killed again and again, and replaced at once. */
export class WatcherFleet {
  /** How often a watcher was killed, by boundary. */
  readonly kills = new Map<string, number>();
  readonly #settings: Readonly<Record<string, string>>;
  readonly #waiting: Spare[] = [];
  readonly #all: WatcherProcess[] = [];
  readonly #survivors: WatcherProcess[] = [];

  constructor(settings: Readonly<Record<string, string>>) {
    this.#settings = settings;
  }

  /** Lets so many replicas run, each until its kill point; settles when all were killed and the last ones run. */
  async suffer(points: readonly KillPoint[], replicas: number): Promise<void> {
    const left = [...points, ...Array.from({ length: replicas }, () => undefined)];
    const take = (): Spare => {
      while (left.length > 0 && this.#waiting.length < 1 + SPARES)
        this.#waiting.push(this.#newWatcher(left.shift()));
      const next = this.#waiting.shift();
      if (!next) throw new Error('there are more replicas than watchers');
      return next;
    };
    const replica = async (): Promise<void> => {
      for (;;) {
        const { watcher, point } = take();
        await watcher.go();
        if (!point) {
          await watcher.running();
          this.#survivors.push(watcher);
          return;
        }
        const how = await watcher.exited();
        if (how !== 'SIGKILL') throw new Error(`a watcher ended with ${how}: ${watcher.output}`);
        const boundary = `${point.when} ${point.step}`;
        this.kills.set(boundary, (this.kills.get(boundary) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: replicas }, replica));
  }

  /** Stops the replicas that run. @returns their exit codes */
  stop(): Promise<(string | number)[]> {
    return Promise.all(this.#survivors.splice(0).map((watcher) => watcher.end()));
  }

  /** Ends whatever is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((watcher) => watcher.end('SIGKILL')));
  }

  #newWatcher(point: KillPoint | undefined): Spare {
    const watcher = new WatcherProcess({ settings: this.#settings, killPoint: point });
    this.#all.push(watcher);
    return { watcher, point };
  }
}
