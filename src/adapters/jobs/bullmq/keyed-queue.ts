import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { checkJobKeys } from '../../../model/job-key.ts';
import type { JobCounts, JobState } from '../../../ports/jobs.ts';
import type { StoreAccess } from './connection.ts';
import { DeadLetters, type Hold } from './dead-letters.ts';
import { LuaScript } from './lua-script.ts';

const absorbScript = new LuaScript('absorb-2');
const forgetScript = new LuaScript('forget-8');

/** How many jobs travel in one pipeline. */
const BATCH = 500;

/** BullMQ puts an instant before twelve bits of a counter, so that delayed jobs of one instant keep their order. */
const DELAYED_SCORE_PER_MS = 0x1000;

/**
 * What BullMQ is told of each job. When one has failed for good is decided by whoever handles the queue, whose settings
 * the process that adds does not know: so BullMQ itself never gives up, and asks the worker how long to pause.
 */
const JOB_OPTIONS = {
  attempts: 2 ** 31 - 1,
  backoff: { type: 'custom' },
  removeOnComplete: true,
  stackTraceLimit: 0,
} as const;

/** First part of the keys of all queues: a schedule may have the same name as a queue. */
export function queuesPrefix(prefix: string): string {
  return `${prefix}:queue`;
}

/**
 * The jobs of one queue in the store. BullMQ's de-duplication by key holds from the moment a job is added until it is
 * done; what is added while it runs is kept aside, and becomes one job in the same script that ends the run.
 */
export class KeyedQueue {
  readonly name: string;
  readonly letters: DeadLetters;
  readonly #commands: Redis;
  readonly #work: Redis;
  readonly #queue: Queue<string>;

  constructor(name: string, { prefix, connections, trouble }: StoreAccess) {
    this.name = name;
    this.#commands = connections.commands;
    this.#work = connections.work;
    this.#queue = new Queue(name, {
      prefix: queuesPrefix(prefix),
      connection: connections.commands,
      // Nobody reads them, and some name keys: of 10,000 that BullMQ would keep, its next trim leaves none.
      streams: { events: { maxLen: 0 } },
    });
    this.#queue.on('error', trouble.report);
    this.letters = new DeadLetters((part) => this.#key(part), this.#commands, this.#work);
  }

  async add(keys: readonly string[], delayMs: number): Promise<void> {
    checkJobKeys(keys);
    for (let from = 0; from < keys.length; from += BATCH) {
      await this.#queue.addBulk(
        keys.slice(from, from + BATCH).map((key) => ({
          name: 'job',
          data: key,
          opts: {
            ...JOB_OPTIONS,
            delay: delayMs,
            deduplication: { id: key, keepLastIfActive: true },
          },
        })),
      );
    }
  }

  async counts(): Promise<JobCounts> {
    const nowMs = Date.now();
    const delayed = this.#key('delayed');
    const wait = this.#key('wait');
    // A delayed job whose time has come stays where it is until a worker asks for work.
    const dueScore = String((nowMs + 1) * DELAYED_SCORE_PER_MS - 1);
    const results = await this.#commands
      .multi()
      .llen(wait)
      .zcard(delayed)
      .zcount(delayed, '-inf', dueScore)
      .llen(this.#key('active'))
      .zcard(this.letters.deadAt)
      .lindex(wait, -1)
      .zrange(delayed, '0', '0', 'WITHSCORES')
      .exec();
    const values = (results ?? []).map(([error, value]) => {
      if (error) throw error;
      return value;
    });
    const [waiting, later, due, running, dead] = values.map(Number) as Five;
    const [, score] = values[6] as (string | undefined)[];
    const firstDelayedAt = Math.floor(Number(score ?? Infinity) / DELAYED_SCORE_PER_MS);
    const oldestAt = Math.min(
      await this.#dueAt(values[5] as string | null),
      firstDelayedAt <= nowMs ? firstDelayedAt : Infinity,
    );
    return {
      waiting: waiting + due,
      delayed: later - due,
      running,
      dead,
      oldestAt: oldestAt === Infinity ? undefined : oldestAt,
    };
  }

  async inspect(key: string): Promise<JobState> {
    const [dead] = await this.letters.find([key]);
    const id = await this.#commands.get(this.#key(`de:${key}`));
    if (id === null) return { state: undefined, dead };
    const results = await this.#commands
      .multi()
      .exists(this.#key(id))
      .exists(this.hold(id, '').lock)
      .zscore(this.#key('delayed'), id)
      .exec();
    const [stands, locked, score] = (results ?? []).map(([error, value]) => {
      if (error) throw error;
      return value;
    });
    const dueAt = score == null ? -Infinity : Number(score) / DELAYED_SCORE_PER_MS;
    const waits = dueAt > Date.now() ? 'delayed' : 'waiting';
    return { state: stands === 1 ? (locked === 1 ? 'running' : waits) : undefined, dead };
  }

  async replay(keys?: readonly string[]): Promise<number> {
    // Read once: a job that dies again as fast as it is replayed would keep us for ever.
    const all = keys ?? (await this.letters.keys());
    let replayed = 0;
    for (let from = 0; from < all.length; from += BATCH) {
      const letters = await this.letters.read(all.slice(from, from + BATCH));
      // Added first: who dies in between leaves both, which is one run too many at the worst.
      await this.add(
        letters.map(([key]) => key),
        0,
      );
      await this.letters.strike(letters);
      replayed += letters.length;
    }
    return replayed;
  }

  forget(key: string): Promise<number> {
    return forgetScript.run(
      this.#commands,
      [
        this.#key(`de:${key}`),
        this.#followerKey(key),
        this.#key('wait'),
        this.#key('active'),
        this.#key('delayed'),
        this.#key('stalled'),
        this.letters.dead,
        this.letters.deadAt,
      ],
      [key, this.#key('')],
    );
  }

  /** Lets the next attempt of a run that failed stand for what was to follow it. */
  async absorbFollower(hold: Hold, key: string): Promise<void> {
    await absorbScript.run(this.#work, [hold.lock, this.#followerKey(key)], [hold.token]);
  }

  hold(jobId: string, token: string): Hold {
    return { lock: this.#key(`${jobId}:lock`), token };
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  #key(part: string): string {
    return this.#queue.toKey(part);
  }

  #followerKey(key: string): string {
    return this.#key(`dn:${key}`);
  }

  /** When a job that waits could have run for the first time; never if it has gone meanwhile. */
  async #dueAt(jobId: string | null): Promise<number> {
    if (jobId === null) return Infinity;
    const [addedAt, text] = await this.#commands.hmget(this.#key(jobId), 'timestamp', 'opts');
    if (addedAt == null || text == null) return Infinity;
    const { delay = 0 } = JSON.parse(text) as { delay?: number };
    return Number(addedAt) + delay;
  }
}

type Five = [number, number, number, number, number];
