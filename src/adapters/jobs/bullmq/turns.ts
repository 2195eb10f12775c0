import { Queue, type RepeatOptions, Worker } from 'bullmq';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../../model/duration.ts';
import { errorMessage } from '../../../model/errors.ts';
import type { JobRun, Schedule } from '../../../ports/jobs.ts';
import { type StoreAccess, WORKER_RETRY_MS } from './connection.ts';

/** Name of the scheduler within its queue, and of its jobs. */
const TURN = 'turn';

/** What BullMQ keeps of turns: nothing of those that were done (it would keep them for ever), a bounded trace of others. */
const KEEP = {
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 20, age: (7 * DAY_MS) / SECOND_MS },
} as const;

/** How late a turn by cron may be before its schedule counts as broken. */
const CRON_PATIENCE_MS = MINUTE_MS;

/** An abandoned turn is given to another worker this often; if that one dies too, the next turn will do. */
const TAKEN_OVER_MAX = 1;

/**
 * The turns of one schedule. Each has a queue of its own: so a turn that takes minutes holds up no other schedule, and
 * BullMQ's limit on what runs at once among all workers of a queue means one turn of this schedule.
 */
export class Turns {
  readonly schedule: Schedule;
  readonly #access: StoreAccess;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #givingUp = new AbortController();
  #lastFailure: string | undefined;

  constructor(schedule: Schedule, run: JobRun, access: StoreAccess) {
    const { prefix, connections, trouble, lockMs } = access;
    this.schedule = schedule;
    this.#access = access;
    this.#queue = new Queue(schedule.name, { prefix, connection: connections.commands });
    this.#worker = new Worker(
      schedule.name,
      // BullMQ hands out a signal only to a function of three parameters.
      async (_job, _token, cancelled?: AbortSignal) => {
        const signals = cancelled ? [cancelled, this.#givingUp.signal] : [this.#givingUp.signal];
        await run(AbortSignal.any(signals));
      },
      {
        ...KEEP,
        prefix,
        connection: connections.work,
        autorun: false,
        concurrency: 1,
        lockDuration: lockMs,
        stalledInterval: lockMs,
        maxStalledCount: TAKEN_OVER_MAX,
        runRetryDelay: WORKER_RETRY_MS,
      },
    );
    this.#queue.on('error', trouble.report);
    this.#worker.on('error', trouble.report);
    this.#worker.on('failed', (_job, error) => this.#reportFailure(error));
    this.#worker.on('completed', () => (this.#lastFailure = undefined));
    // Somebody else may have the turn by now.
    this.#worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) this.#worker.cancelJob(id, 'the lock was lost');
    });
  }

  /** Makes the schedule produce turns: one with a period at once where it is new or that has changed, else as it did. */
  async register(): Promise<void> {
    await this.#queue.setGlobalConcurrency(1);
    await this.#queue.upsertJobScheduler(TURN, repeatOf(this.schedule), { name: TURN, opts: KEEP });
  }

  /** Begins to take turns, or begins again if the worker has come to an end. */
  take(): void {
    if (this.#worker.isRunning()) return;
    this.#worker.run().catch(this.#access.trouble.report);
  }

  async trigger(): Promise<void> {
    // While one waits another is not added; while one runs, one more follows: it may have passed what this is for.
    await this.#queue.add(
      'trigger',
      {},
      { ...KEEP, deduplication: { id: 'trigger', keepLastIfActive: true } },
    );
  }

  /** True if no turn will come by itself: somebody emptied the Redis, or the chain of jobs broke. */
  async hasStopped(): Promise<boolean> {
    const scheduler = await this.#queue.getJobScheduler(TURN);
    if (scheduler?.next === undefined) return true;
    const overdueMs = Date.now() - scheduler.next;
    // While a long turn runs, the next one waits for its end.
    const { schedule } = this;
    const patienceMs = 'everyMs' in schedule ? schedule.everyMs : CRON_PATIENCE_MS;
    return overdueMs > patienceMs && (await this.#queue.getActiveCount()) === 0;
  }

  /** Takes no new turn and waits for the running one. */
  async finish(): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
  }

  /** Tells the running turn to give up. */
  giveUp(): void {
    this.#givingUp.abort();
  }

  #reportFailure(error: Error): void {
    const message = errorMessage(error);
    if (message === this.#lastFailure || this.#givingUp.signal.aborted) return;
    this.#lastFailure = message;
    this.#access.log.error(
      { schedule: this.schedule.name, err: error },
      'a turn failed; the next one tries again',
    );
  }
}

function repeatOf(schedule: Schedule): RepeatOptions {
  return 'everyMs' in schedule
    ? { every: schedule.everyMs }
    : { pattern: schedule.cron, tz: schedule.timezone };
}

/** Removes what a schedule that is no longer registered has left: its scheduler, its waiting and its failed turns. */
export async function removeTurns(
  name: string,
  { prefix, connections, trouble }: StoreAccess,
): Promise<void> {
  const queue = new Queue(name, { prefix, connection: connections.commands });
  queue.on('error', trouble.report);
  await queue.removeJobScheduler(TURN);
  await queue.obliterate({ force: true });
  await queue.close();
}
