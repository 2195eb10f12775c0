import { type Job, WaitingError, Worker } from 'bullmq';
import { SECOND_MS } from '../../../model/duration.ts';
import { errorMessage, isPermanent } from '../../../model/errors.ts';
import { type KeyedJobRun, type QueueSettings, RETRY_PAUSE_MAX_MS } from '../../../ports/jobs.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { type StoreAccess, WORKER_RETRY_MS } from './connection.ts';
import type { Hold } from './dead-letters.ts';
import { type KeyedQueue, queuesPrefix } from './keyed-queue.ts';

/** So many workers may die on a job before it is a dead letter: one or two that died were on their way out anyhow. */
const TAKEN_OVER_MAX = 3;

const DIED = 'every worker that took it died, or gave no sign of life';

/**
 * Does the jobs of one queue. A job is, at any time, with one worker at the most, as its lock says:
 *
 * - done: its dead letter, if it has one, is removed; then BullMQ ends it, and adds what is to follow.
 * - failed, to be tried again: what is to follow is absorbed, then BullMQ delays it.
 * - failed for good: its dead letter is written, then BullMQ ends it as if it had been done.
 * - given up, as the process stops: it goes back to the front of the queue.
 *
 * Who dies between two steps leaves a job whose lock runs out, and which another worker takes: so it runs once more, and
 * its dead letter is removed or written again. What a worker does whose lock is lost has no effect.
 */
export class QueueWorker {
  readonly #settings: QueueSettings;
  readonly #run: KeyedJobRun;
  readonly #queue: KeyedQueue;
  readonly #log: Logger;
  readonly #report: (error: Error) => void;
  readonly #worker: Worker<string>;
  readonly #givingUp = new AbortController();
  #lastFailure: string | undefined;

  constructor(settings: QueueSettings, run: KeyedJobRun, queue: KeyedQueue, access: StoreAccess) {
    const { prefix, connections, trouble, lockMs, log } = access;
    this.#settings = settings;
    this.#run = run;
    this.#queue = queue;
    this.#log = log;
    this.#report = trouble.report;
    this.#worker = new Worker<string>(
      settings.name,
      // BullMQ hands out a signal only to a function of three parameters.
      (job, token, cancelled?: AbortSignal) => this.#process(job, token ?? '', cancelled),
      {
        prefix: queuesPrefix(prefix),
        connection: connections.work,
        autorun: false,
        concurrency: settings.concurrency,
        ...limiterOf(settings),
        lockDuration: lockMs,
        stalledInterval: lockMs,
        // Counted here: BullMQ's own way leads to its failed jobs, past the dead letters.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: WORKER_RETRY_MS,
        settings: {
          backoffStrategy: (failures) =>
            backoffMs(failures, { baseMs: settings.backoffMs, capMs: RETRY_PAUSE_MAX_MS }),
        },
      },
    );
    this.#worker.on('error', trouble.report);
    // Somebody else may have the job by now.
    this.#worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) this.#worker.cancelJob(id, 'the lock was lost');
    });
  }

  /** Begins to take jobs, or begins again if the worker has come to an end. */
  take(): void {
    if (this.#worker.isRunning()) return;
    this.#worker.run().catch(this.#report);
  }

  /** Takes no new job and waits for the running ones. */
  async finish(): Promise<void> {
    await this.#worker.close();
  }

  /** Tells the running jobs to give up. */
  giveUp(): void {
    this.#givingUp.abort();
  }

  async #process(job: Job<string>, token: string, cancelled?: AbortSignal): Promise<void> {
    const hold = this.#queue.hold(job.id ?? '', token);
    if (job.stalledCounter > TAKEN_OVER_MAX) {
      // What was added while it waited for this moment is in the letter, too.
      await this.#bury(job, hold, new Error(DIED), job.attemptsMade + job.stalledCounter);
      return;
    }
    const signals = cancelled ? [cancelled, this.#givingUp.signal] : [this.#givingUp.signal];
    try {
      await this.#run(job.data, AbortSignal.any(signals));
    } catch (error) {
      await this.#fail(job, hold, error);
      return;
    }
    await this.#queue.letters.redeem(hold, job.data);
  }

  async #fail(job: Job<string>, hold: Hold, error: unknown): Promise<void> {
    const failures = job.attemptsMade + 1;
    if (this.#givingUp.signal.aborted) {
      await this.#queue.absorbFollower(hold, job.data);
      await job.moveToWait(hold.token);
      throw new WaitingError();
    }
    if (isPermanent(error) || failures >= this.#settings.attempts) {
      await this.#bury(job, hold, error, failures + job.stalledCounter);
      return;
    }
    await this.#queue.absorbFollower(hold, job.data);
    this.#reportFailure(error);
    // An error of our own: BullMQ gives a meaning to some names and messages, fails over what is no error, and would
    // store a message that may tell of the user.
    throw new Error('the run failed', { cause: error });
  }

  async #bury(job: Job<string>, hold: Hold, error: unknown, attempts: number): Promise<void> {
    const key = job.data;
    const letter = { key, reason: errorMessage(error), attempts, at: Date.now() };
    const gone = await this.#queue.letters.bury(hold, letter);
    // Whoever has the job now decides what becomes of it; BullMQ refuses to end it for us.
    if (gone === undefined) return;
    const queue = this.#settings.name;
    this.#log.error({ queue, key, attempts, err: error }, 'a job failed for good: a dead letter');
    if (gone > 0) {
      this.#log.error({ queue, letters: gone }, 'old dead letters were removed, to keep a bound');
    }
  }

  #reportFailure(error: unknown): void {
    const message = errorMessage(error);
    if (message === this.#lastFailure) return;
    this.#lastFailure = message;
    this.#log.warn({ queue: this.#settings.name, err: error }, 'a job failed; it is tried again');
  }
}

/** BullMQ counts the jobs that began since the first one of a period, over all workers of the queue. */
function limiterOf({ perSecond }: QueueSettings): { limiter?: { max: number; duration: number } } {
  if (perSecond === undefined) return {};
  if (perSecond >= 1) return { limiter: { max: Math.floor(perSecond), duration: SECOND_MS } };
  return { limiter: { max: 1, duration: SECOND_MS / perSecond } };
}
