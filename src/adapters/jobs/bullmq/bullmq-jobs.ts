import type { Redis } from 'ioredis';
import type { JobRun, Jobs, Schedule } from '../../../ports/jobs.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { Connections, TroubleLog } from './connection.ts';
import { DEFAULT_LOCK_MS, Turns, type TurnsOptions, removeTurns } from './turns.ts';

export interface BullmqJobsOptions {
  /** The queues' Redis; may be another than the sessions'. */
  readonly url: string;
  /** First part of all keys, such as `rekindle:jobs`. */
  readonly prefix: string;
  readonly log: Logger;
  /**
   * Who registers: a schedule that its owner no longer registers is removed at the next start; those of other owners
   * on the same prefix are left alone.
   */
  readonly owner?: string;
  readonly connectTimeoutMs?: number;
  readonly commandTimeoutMs?: number;
  /** After how long without a sign of life a turn counts as abandoned and another worker takes it. */
  readonly lockMs?: number;
}

const DEFAULT_OWNER = 'rekindle';
const DEFAULT_TIMEOUT_MS = 5_000;

/** How long a turn may take to leave once it was told to give up: whoever stops us waits for a second then. */
const LEAVE_WITHIN_MS = 500;

interface Running {
  readonly turns: ReadonlyMap<string, Turns>;
  readonly options: TurnsOptions;
}

/** Schedules as BullMQ job schedulers, each in a queue of its own; every replica takes turns, one at a time. */
export class BullmqJobs implements Jobs {
  readonly #options: BullmqJobsOptions;
  readonly #registered = new Map<string, { readonly schedule: Schedule; readonly run: JobRun }>();
  #running: Running | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: BullmqJobsOptions) {
    this.#options = options;
  }

  register(schedule: Schedule, run: JobRun): void {
    const { name } = schedule;
    if (this.#started) throw new Error('register schedules before the start');
    if (this.#registered.has(name)) throw new Error(`the schedule ${name} is registered already`);
    // A colon separates the parts of BullMQ's keys.
    if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" is no name for a schedule`);
    this.#registered.set(name, { schedule, run });
  }

  start(): Promise<void> {
    if (!this.#stopped) this.#started ??= this.#begin();
    return this.#started ?? Promise.resolve();
  }

  async trigger(name: string): Promise<void> {
    const turns = this.#running?.turns.get(name);
    if (!turns) throw new Error(`there is no schedule ${name}, or nothing runs`);
    await turns.trigger();
  }

  async revive(): Promise<string[]> {
    const stopped: string[] = [];
    if (!this.#running || this.#stopped) return stopped;
    for (const [name, turns] of this.#running.turns) {
      turns.take();
      if (!(await turns.hasStopped())) continue;
      await this.#enlist(turns, this.#running.options.connections.commands);
      stopped.push(name);
    }
    return stopped;
  }

  stop(signal: AbortSignal): Promise<void> {
    this.#stopped ??= this.#end(signal);
    return this.#stopped;
  }

  async #begin(): Promise<void> {
    const options = this.#connect();
    const turns = new Map(
      [...this.#registered].map(([name, { schedule, run }]) => [
        name,
        new Turns(schedule, run, options),
      ]),
    );
    this.#running = { turns, options };
    try {
      await answer(
        options.connections.commands,
        this.#options.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      );
      await this.#removeForgotten(options);
      for (const one of turns.values()) await this.#enlist(one, options.connections.commands);
    } catch (error) {
      options.connections.cut();
      throw error;
    }
    for (const one of turns.values()) one.take();
  }

  #connect(): TurnsOptions {
    const { url, prefix, log, connectTimeoutMs, commandTimeoutMs, lockMs } = this.#options;
    const timeouts = {
      connectMs: connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      commandMs: commandTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    };
    const trouble = new TroubleLog(log);
    const connections = new Connections(url, timeouts);
    connections.commands.on('error', trouble.report).on('ready', trouble.over);
    connections.work.on('error', trouble.report);
    return { prefix, connections, trouble, log, lockMs: lockMs ?? DEFAULT_LOCK_MS };
  }

  async #enlist(turns: Turns, commands: Redis): Promise<void> {
    await commands.hset(this.#ownersKey, turns.schedule.name, this.#owner);
    await turns.register();
  }

  async #removeForgotten(options: TurnsOptions): Promise<void> {
    const owners = await options.connections.commands.hgetall(this.#ownersKey);
    for (const [name, owner] of Object.entries(owners)) {
      if (owner !== this.#owner || this.#registered.has(name)) continue;
      await removeTurns(name, options);
      await options.connections.commands.hdel(this.#ownersKey, name);
      options.log.info({ schedule: name }, 'removed a schedule that is no longer registered');
    }
  }

  async #end(signal: AbortSignal): Promise<void> {
    if (!this.#started) return;
    // What failed to start has cleaned up after itself.
    const started = await this.#started.then(
      () => true,
      () => false,
    );
    const running = this.#running;
    if (!started || !running) return;
    const turns = [...running.turns.values()];
    const finished = Promise.allSettled(turns.map((one) => one.finish()));
    await Promise.race([finished, this.#giveUp(turns, signal, finished)]);
    running.options.connections.cut();
  }

  /** Waits for the signal, tells the turns, and gives them a moment. */
  async #giveUp(
    turns: readonly Turns[],
    signal: AbortSignal,
    finished: Promise<unknown>,
  ): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
    const onAbort = (): void => resolve(undefined);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([aborted, finished]);
    signal.removeEventListener('abort', onAbort);
    for (const one of turns) one.giveUp();
    await waitAtMost(finished, LEAVE_WITHIN_MS);
  }

  get #owner(): string {
    return this.#options.owner ?? DEFAULT_OWNER;
  }

  /** Who registered which schedule. */
  get #ownersKey(): string {
    return `${this.#options.prefix}:owners`;
  }
}

/** Rejects in words when the Redis does not answer: a connection that waits says nothing. */
async function answer(redis: Redis, withinMs: number): Promise<void> {
  let last: Error | undefined;
  const remember = (error: Error): void => {
    last = error;
  };
  redis.on('error', remember);
  try {
    await redis.ping();
  } catch (error) {
    throw new Error(`the Redis of the job queues does not answer within ${withinMs} ms`, {
      cause: last ?? error,
    });
  } finally {
    redis.off('error', remember);
  }
}

async function waitAtMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, tooLate]);
  clearTimeout(timer);
}
