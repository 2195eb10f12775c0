import { DAY_MS, MINUTE_MS } from '../model/duration.ts';

/** Work that comes round (schedules), and work that is asked for (queues), shared out among all replicas. */
export interface Jobs {
  /** Says what to do when a turn of `schedule` comes; call before `start`. */
  register(schedule: Schedule, run: JobRun): void;

  /** Says what to do with the jobs of a queue; call before `start`. A process that only adds registers nothing. */
  handle(queue: QueueSettings, run: KeyedJobRun): void;

  /** Registers the schedules with the store and begins to take turns and jobs. */
  start(): Promise<void>;

  /** Runs a turn of the schedule as soon as may be, beside its regular ones. Not queued twice. */
  trigger(name: string): Promise<void>;

  /**
   * Registers a schedule anew if it has stopped producing turns.
   * @returns the names of those that had stopped
   */
  revive(): Promise<string[]>;

  /**
   * Adds a job under each key (any text of 1 to 512 bytes), to run after `delayMs`; settles when they are durable. One
   * that waits under the same key already (delayed, or for its next attempt, too) is enough, and stays as it is. While
   * one with that key runs, exactly one more follows it, however often it is added: what has changed meanwhile is not
   * missed. Its delay is that of the last `add`, and counts from the end of the run. Where the run fails and is tried
   * again, its next attempt is the one that follows.
   *
   * This and what follows works before `start`, and in a process that handles nothing. After a failure nobody knows what
   * was added: add again.
   */
  add(queue: string, keys: readonly string[], delayMs?: number): Promise<void>;

  counts(queue: string): Promise<JobCounts>;

  /** What there is under one key, as somebody wants to see it who asks what became of it. */
  inspect(queue: string, key: string): Promise<JobState>;

  /** What failed for good, newest first: one letter for each key, with its last failure. */
  deadLetters(
    queue: string,
    limit: number,
  ): Promise<{ readonly total: number; readonly letters: DeadLetter[] }>;

  /**
   * Adds the dead jobs again, with all attempts before them: those of `keys`, or all.
   * @returns how many
   */
  replay(queue: string, keys?: readonly string[]): Promise<number>;

  /** Removes dead letters. @returns how many there were */
  drop(queue: string, keys: readonly string[]): Promise<number>;

  /**
   * Removes whatever waits, is delayed, follows a running one, or is dead under the key, with every trace of the key.
   * One that runs is not touched, and may still leave a dead letter: forget it again when it is done.
   * @returns how many were removed
   */
  forget(queue: string, key: string): Promise<number>;

  /**
   * Takes no new turn and no new job, waits for running ones until `signal` aborts, then gives them up. A job that then
   * rejects is another worker's at once, and has not failed; one that does not settle is when its lock runs out.
   */
  stop(signal: AbortSignal): Promise<void>;
}

/** Turns come every so many milliseconds, the first at once; or at the instants that a cron expression names. */
export type Schedule =
  | { readonly name: string; readonly everyMs: number }
  | { readonly name: string; readonly cron: string; readonly timezone: string };

/** One turn. `signal` aborts when the process stops: leave things so that the next turn can go on. */
export type JobRun = (signal: AbortSignal) => Promise<void>;

/** How the jobs of one queue are done. */
export interface QueueSettings {
  readonly name: string;
  /** How many run at once in this process. Never two under one key. */
  readonly concurrency: number;
  /** How many begin in a second, in all processes together; undefined: as many as can. */
  readonly perSecond: number | undefined;
  /** After how many runs that failed a job is a dead letter. */
  readonly attempts: number;
  /** Longest pause after the first failure; it doubles with each further one, up to `RETRY_PAUSE_MAX_MS`. */
  readonly backoffMs: number;
}

/**
 * One job, done when it resolves. A rejection is tried again, unless `isPermanent` of it. `signal` aborts when the process
 * stops, or when the job was given to somebody else because this process gave no sign of life. It may run again after it
 * was done: a worker may die before the store knows.
 */
export type KeyedJobRun = (key: string, signal: AbortSignal) => Promise<void>;

export interface JobCounts {
  /** Could run now. What follows a running one is counted when that is done. */
  readonly waiting: number;
  /** To run later: added with a delay, or after a failure. */
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** Since when the next in line could have run, Unix ms; undefined: none waits. */
  readonly oldestAt: number | undefined;
}

export interface JobState {
  /** As in `JobCounts`; undefined: nothing waits or runs. */
  readonly state: 'waiting' | 'delayed' | 'running' | undefined;
  readonly dead: DeadLetter | undefined;
}

/**
 * A job that failed for good. It never blocks its key, and disappears when a later job under the key is done. The newest
 * 10,000 of each queue are kept, for 90 days; older ones are removed as a further one comes.
 */
export interface DeadLetter {
  readonly key: string;
  readonly reason: string;
  /** Runs that failed, or whose worker died. */
  readonly attempts: number;
  /** When it failed for good, Unix ms. */
  readonly at: number;
}

/** No pause between two attempts is longer. */
export const RETRY_PAUSE_MAX_MS = 5 * MINUTE_MS;

/** How many dead letters a queue keeps. */
export const DEAD_LETTERS_MAX = 10_000;

/** How long a queue keeps its dead letters. */
export const DEAD_LETTERS_KEPT_MS = 90 * DAY_MS;

/** A reason is cut to so many characters: an error may quote whole documents. */
export const REASON_MAX_CHARS = 1_000;
