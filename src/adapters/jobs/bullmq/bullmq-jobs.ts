import type {
  DeadLetter,
  JobCounts,
  JobRun,
  JobState,
  Jobs,
  KeyedJobRun,
  QueueSettings,
  Schedule,
} from '../../../ports/jobs.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { RedisCredentials } from '../../redis/connection.ts';
import { Connections, type StoreAccess, TroubleLog, answered } from './connection.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { QueueWorker } from './queue-worker.ts';
import { ScheduleOwners } from './schedule-owners.ts';
import { Turns } from './turns.ts';

export interface BullmqJobsOptions {
  /** The queues' Redis; may be another than the sessions'. */
  readonly url: string;
  /** In the place of those in the URL. */
  readonly credentials?: RedisCredentials | undefined;
  /** First part of all keys, such as `rekindle:jobs`. */
  readonly prefix: string;
  readonly log: Logger;
  /**
   * Who registers: a schedule that its owner no longer registers is removed at the next start; those of other owners
   * on the same prefix are left alone. A command that starts to do jobs, beside a daemon, is an owner of its own.
   */
  readonly owner?: string;
  readonly connectTimeoutMs?: number;
  readonly commandTimeoutMs?: number;
  /** After how long without a sign of life a turn or a job counts as abandoned and another worker takes it. */
  readonly lockMs?: number;
}

const DEFAULT_OWNER = 'rekindle';
const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_LOCK_MS = 30_000;

/** How long a run may take to leave once it was told to give up: whoever stops us waits for a second then. */
const LEAVE_WITHIN_MS = 500;

/** One that takes turns, or jobs. */
type Taker = Pick<Turns, 'take' | 'finish' | 'giveUp'>;

interface Running {
  readonly turns: ReadonlyMap<string, Turns>;
  readonly owners: ScheduleOwners;
  readonly takers: readonly Taker[];
}

/**
 * Schedules as BullMQ job schedulers, each in a queue of its own, of which every replica takes turns, one at a time; and
 * queues of keyed jobs. Connects when it is started, or first asked for something.
 */
export class BullmqJobs implements Jobs {
  readonly #options: BullmqJobsOptions;
  readonly #registered = new Map<string, { readonly schedule: Schedule; readonly run: JobRun }>();
  readonly #handled = new Map<
    string,
    { readonly settings: QueueSettings; readonly run: KeyedJobRun }
  >();
  readonly #queues = new Map<string, KeyedQueue>();
  #access: Promise<StoreAccess> | undefined;
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
    checkName(name);
    this.#registered.set(name, { schedule, run });
  }

  handle(settings: QueueSettings, run: KeyedJobRun): void {
    const { name } = settings;
    if (this.#started) throw new Error('register handlers before the start');
    if (this.#handled.has(name)) throw new Error(`the queue ${name} has a handler already`);
    checkName(name);
    this.#handled.set(name, { settings, run });
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
    const { takers, turns, owners } = this.#running;
    for (const one of takers) one.take();
    for (const [name, one] of turns) {
      if (!(await one.hasStopped())) continue;
      await owners.enlist(one);
      stopped.push(name);
    }
    return stopped;
  }

  async add(queue: string, keys: readonly string[], delayMs = 0): Promise<void> {
    await (await this.#queue(queue)).add(keys, delayMs);
  }

  async counts(queue: string): Promise<JobCounts> {
    return (await this.#queue(queue)).counts();
  }

  async inspect(queue: string, key: string): Promise<JobState> {
    return (await this.#queue(queue)).inspect(key);
  }

  async deadLetters(
    queue: string,
    limit: number,
  ): Promise<{ total: number; letters: DeadLetter[] }> {
    return (await this.#queue(queue)).letters.list(limit);
  }

  async replay(queue: string, keys?: readonly string[]): Promise<number> {
    return (await this.#queue(queue)).replay(keys);
  }

  async drop(queue: string, keys: readonly string[]): Promise<number> {
    return (await this.#queue(queue)).letters.drop(keys);
  }

  async forget(queue: string, key: string): Promise<number> {
    return (await this.#queue(queue)).forget(key);
  }

  stop(signal: AbortSignal): Promise<void> {
    this.#stopped ??= this.#end(signal);
    return this.#stopped;
  }

  async #begin(): Promise<void> {
    const access = await this.#open();
    const owners = new ScheduleOwners(this.#options.owner ?? DEFAULT_OWNER, access);
    const turns = new Map(
      [...this.#registered].map(([name, { schedule, run }]) => [
        name,
        new Turns(schedule, run, access),
      ]),
    );
    try {
      await owners.removeForgotten(this.#registered);
      for (const one of turns.values()) await owners.enlist(one);
    } catch (error) {
      this.#queues.clear();
      this.#access = undefined;
      access.connections.cut();
      throw error;
    }
    const workers = [...this.#handled.values()].map(
      ({ settings, run }) =>
        new QueueWorker(settings, run, this.#queueOf(settings.name, access), access),
    );
    const takers = [...turns.values(), ...workers];
    this.#running = { turns, owners, takers };
    for (const one of takers) one.take();
  }

  async #queue(name: string): Promise<KeyedQueue> {
    checkName(name);
    return this.#queueOf(name, await this.#open());
  }

  #queueOf(name: string, access: StoreAccess): KeyedQueue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new KeyedQueue(name, access);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Connects, if nobody has yet; after a failure the next one tries again. */
  #open(): Promise<StoreAccess> {
    if (this.#stopped) return Promise.reject(new Error('the jobs have been stopped'));
    this.#access ??= this.#connect().catch((error: unknown) => {
      this.#access = undefined;
      throw error;
    });
    return this.#access;
  }

  async #connect(): Promise<StoreAccess> {
    const { url, credentials, prefix, log, connectTimeoutMs, commandTimeoutMs, lockMs } =
      this.#options;
    const timeouts = {
      connectMs: connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      commandMs: commandTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    };
    const trouble = new TroubleLog(log);
    const connections = new Connections(url, timeouts, credentials);
    connections.commands.on('error', trouble.report).on('ready', trouble.over);
    connections.work.on('error', trouble.report);
    try {
      await answered(connections.commands, timeouts.connectMs);
    } catch (error) {
      connections.cut();
      throw error;
    }
    return { prefix, connections, trouble, log, lockMs: lockMs ?? DEFAULT_LOCK_MS };
  }

  async #end(signal: AbortSignal): Promise<void> {
    // What failed to start has cleaned up after itself.
    await this.#started?.catch(() => undefined);
    const access = await this.#access?.catch(() => undefined);
    if (!access) return;
    const takers = this.#running?.takers ?? [];
    const finished = this.#finish(takers);
    await Promise.race([finished, giveUp(takers, signal, finished)]);
    access.connections.cut();
  }

  /** The queues last: what the takers end with is written through them. */
  async #finish(takers: readonly Taker[]): Promise<void> {
    await Promise.allSettled(takers.map((one) => one.finish()));
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}

/** A colon separates the parts of BullMQ's keys. */
function checkName(name: string): void {
  if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" is no name for a schedule or a queue`);
}

/** Waits for the signal, tells the takers, and gives them a moment. */
async function giveUp(
  takers: readonly Taker[],
  signal: AbortSignal,
  finished: Promise<unknown>,
): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = (): void => resolve(undefined);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  await Promise.race([aborted, finished]);
  signal.removeEventListener('abort', onAbort);
  for (const one of takers) one.giveUp();
  await waitAtMost(finished, LEAVE_WITHIN_MS);
}

async function waitAtMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, tooLate]);
  clearTimeout(timer);
}
