import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { countKeys, usedMemory } from '../harness.ts';
import { memoryOf, openFilesOf } from '../proc.ts';
import type { WatcherProcess } from '../watcher-process.ts';
import type { Inspector } from './inspector.ts';
import { type Sample, type Trend, trendOf } from './trend.ts';

const SAMPLE_EVERY_MS = 10 * SECOND_MS;

const MB = 2 ** 20;

/** What is sampled, in the order of the report. What lies in Redis grows until as much goes as comes. */
const UNITS = {
  'resident memory of the watcher, after a collection': 'MB',
  'heap of the watcher, after a collection': 'MB',
  'open files of the watcher': 'files',
  'handles and timers of the watcher': 'handles',
  'memory of Redis': 'MB',
  'keys in Redis, opt-outs left out': 'keys',
  'clients of Redis': 'clients',
} as const;

type Name = keyof typeof UNITS;

const IN_REDIS: ReadonlySet<Name> = new Set([
  'memory of Redis',
  'keys in Redis, opt-outs left out',
]);

/** Samples of a watcher that is never killed, and of its Redis. */
export class Samples {
  readonly #startedAt = performance.now();
  readonly #samples = new Map<Name, Sample[]>();
  readonly #watcher: WatcherProcess;
  readonly #inspector: Inspector;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(watcher: WatcherProcess, inspector: Inspector, redis: Redis, prefix: string) {
    this.#watcher = watcher;
    this.#inspector = inspector;
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Until `signal` aborts. */
  async take(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#takeOnce();
      await sleep(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Of what came after the warm-up; of what lies in Redis, after it has settled. Too short a run says nothing. */
  trends(warmUpMinutes: number, settledAfterMinutes: number): Trend[] {
    return [...this.#samples].map(([name, samples]) => {
      const from = IN_REDIS.has(name) ? settledAfterMinutes : warmUpMinutes;
      return trendOf(
        name,
        UNITS[name],
        samples.filter(({ atMinutes }) => atMinutes >= from),
      );
    });
  }

  async #takeOnce(): Promise<void> {
    await this.#inspector.collectGarbage();
    const { pid } = this.#watcher;
    const heap = await this.#inspector.evaluate('process.memoryUsage().heapUsed');
    const handles = await this.#inspector.evaluate('process.getActiveResourcesInfo().length');
    // Opt-outs are kept for ever, and some users of every minute opt out.
    const optOuts = await countKeys(this.#redis, `${this.#prefix}:optout:*`);
    const keys = (await this.#redis.dbsize()) - optOuts;
    const clients = await this.#redis.info('clients');
    this.#add('resident memory of the watcher, after a collection', memoryOf(pid).residentMb);
    this.#add('heap of the watcher, after a collection', Number(heap) / MB);
    this.#add('open files of the watcher', openFilesOf(pid));
    this.#add('handles and timers of the watcher', Number(handles));
    this.#add('memory of Redis', (await usedMemory(this.#redis)) / MB);
    this.#add('keys in Redis, opt-outs left out', keys);
    this.#add('clients of Redis', Number(/connected_clients:(\d+)/.exec(clients)?.[1]));
  }

  #add(name: Name, value: number): void {
    const atMinutes = (performance.now() - this.#startedAt) / MINUTE_MS;
    this.#samples.set(name, [...(this.#samples.get(name) ?? []), { atMinutes, value }]);
  }
}
