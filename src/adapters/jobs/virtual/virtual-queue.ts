import { SECOND_MS } from '../../../model/duration.ts';
import { errorMessage, isPermanent } from '../../../model/errors.ts';
import { checkJobKeys } from '../../../model/job-key.ts';
import type { Clock } from '../../../ports/clock.ts';
import {
  DEAD_LETTERS_KEPT_MS,
  DEAD_LETTERS_MAX,
  type DeadLetter,
  type JobCounts,
  type JobState,
  type KeyedJobRun,
  type QueueSettings,
  REASON_MAX_CHARS,
  RETRY_PAUSE_MAX_MS,
} from '../../../ports/jobs.ts';
import { backoffMs } from '../../../runtime/backoff.ts';

interface Job {
  readonly key: string;
  readonly dueAt: number;
  /** When its first attempt was due. */
  readonly sinceAt: number;
  readonly failures: number;
}

interface Handler {
  readonly settings: QueueSettings;
  readonly run: KeyedJobRun;
}

/** The jobs of one queue, by a clock that somebody else moves. They run one at a time, in the order of their instants. */
export class VirtualQueue {
  readonly #clock: Pick<Clock, 'now'>;
  /** In the order of `dueAt`, then of adding. */
  readonly #waiting: Job[] = [];
  /** Of those that wait. */
  readonly #keys = new Set<string>();
  /** The key that runs, and the delay of what is to follow it. */
  readonly #running = new Map<string, { followsAfterMs: number | undefined }>();
  /** Oldest first. */
  readonly #dead = new Map<string, DeadLetter>();
  #handler: Handler | undefined;
  /** When the rate lets the next job begin. */
  #freeAt = -Infinity;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  handle(settings: QueueSettings, run: KeyedJobRun): void {
    if (this.#handler) throw new Error(`the queue ${settings.name} has a handler already`);
    this.#handler = { settings, run };
  }

  /** When the next job may begin; undefined: none comes, or nobody handles it. */
  nextAt(): number | undefined {
    const [first] = this.#waiting;
    return this.#handler && first && Math.max(first.dueAt, this.#freeAt);
  }

  /** Takes the next job, whose time has come. @returns its run, which does not reject */
  take(givingUp: AbortSignal): (() => Promise<void>) | undefined {
    const handler = this.#handler;
    const job = handler && this.#waiting.shift();
    if (!job) return undefined;
    this.#keys.delete(job.key);
    const { perSecond } = handler.settings;
    if (perSecond !== undefined) this.#freeAt = this.#clock.now() + SECOND_MS / perSecond;
    this.#running.set(job.key, { followsAfterMs: undefined });
    return () => this.#run(job, handler, givingUp);
  }

  add(keys: readonly string[], delayMs: number): void {
    checkJobKeys(keys);
    for (const key of keys) {
      const running = this.#running.get(key);
      if (running) running.followsAfterMs = delayMs;
      else if (!this.#keys.has(key)) this.#insertNew(key, delayMs);
    }
  }

  counts(): JobCounts {
    const due = this.#waiting.filter(({ dueAt }) => dueAt <= this.#clock.now());
    return {
      waiting: due.length,
      delayed: this.#waiting.length - due.length,
      running: this.#running.size,
      dead: this.#dead.size,
      oldestAt: due[0]?.sinceAt,
    };
  }

  inspect(key: string): JobState {
    const waiting = this.#waiting.find((job) => job.key === key);
    const waits = waiting && (waiting.dueAt <= this.#clock.now() ? 'waiting' : 'delayed');
    return { state: this.#running.has(key) ? 'running' : waits, dead: this.#dead.get(key) };
  }

  deadLetters(limit: number): { total: number; letters: DeadLetter[] } {
    const letters = [...this.#dead.values()].reverse().slice(0, limit);
    return { total: this.#dead.size, letters };
  }

  replay(keys: readonly string[] = [...this.#dead.keys()]): number {
    const dead = keys.filter((key) => this.#dead.delete(key));
    this.add(dead, 0);
    return dead.length;
  }

  drop(keys: readonly string[]): number {
    return keys.filter((key) => this.#dead.delete(key)).length;
  }

  forget(key: string): number {
    let removed = this.drop([key]);
    if (this.#keys.delete(key)) {
      const at = this.#waiting.findIndex((job) => job.key === key);
      removed += this.#waiting.splice(at, 1).length;
    }
    const running = this.#running.get(key);
    if (running?.followsAfterMs !== undefined) {
      running.followsAfterMs = undefined;
      removed += 1;
    }
    return removed;
  }

  async #run(job: Job, { settings, run }: Handler, givingUp: AbortSignal): Promise<void> {
    const { key } = job;
    try {
      await run(key, givingUp);
      this.#dead.delete(key);
      this.#settle(key);
    } catch (error) {
      const failures = job.failures + 1;
      if (givingUp.aborted) this.#settle(key, job);
      else if (isPermanent(error) || failures >= settings.attempts) {
        this.#bury(key, error, failures);
        this.#settle(key);
      } else {
        // Without chance: a run with the same events is the same every time.
        const pauseMs = backoffMs(failures, {
          baseMs: settings.backoffMs,
          capMs: RETRY_PAUSE_MAX_MS,
          random: () => 1,
        });
        this.#settle(key, { ...job, failures, dueAt: this.#clock.now() + pauseMs });
      }
    }
  }

  /** Ends a run: it is tried again as `next`, or followed by what was added meanwhile. */
  #settle(key: string, next?: Job): void {
    const followsAfterMs = this.#running.get(key)?.followsAfterMs;
    this.#running.delete(key);
    if (next) this.#insert(next);
    else if (followsAfterMs !== undefined) this.#insertNew(key, followsAfterMs);
  }

  #insertNew(key: string, delayMs: number): void {
    const dueAt = this.#clock.now() + delayMs;
    this.#insert({ key, dueAt, sinceAt: dueAt, failures: 0 });
  }

  #insert(job: Job): void {
    const after = this.#waiting.findLastIndex(({ dueAt }) => dueAt <= job.dueAt);
    this.#waiting.splice(after + 1, 0, job);
    this.#keys.add(job.key);
  }

  #bury(key: string, error: unknown, attempts: number): void {
    const at = this.#clock.now();
    const reason = errorMessage(error).slice(0, REASON_MAX_CHARS);
    // Deleted first, so that it moves to the end.
    this.#dead.delete(key);
    this.#dead.set(key, { key, reason, attempts, at });
    for (const [oldest, letter] of this.#dead) {
      if (this.#dead.size <= DEAD_LETTERS_MAX && letter.at > at - DEAD_LETTERS_KEPT_MS) break;
      this.#dead.delete(oldest);
    }
  }
}
