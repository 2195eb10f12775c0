/** Work that comes round: each schedule runs once per turn among all replicas. */
export interface Jobs {
  /** Says what to do when a turn of `schedule` comes; call before `start`. */
  register(schedule: Schedule, run: JobRun): void;

  /** Registers the schedules with the store and begins to take turns. */
  start(): Promise<void>;

  /** Runs a turn of the schedule as soon as may be, beside its regular ones. Not queued twice. */
  trigger(name: string): Promise<void>;

  /**
   * Registers a schedule anew if it has stopped producing turns.
   * @returns the names of those that had stopped
   */
  revive(): Promise<string[]>;

  /** Takes no new turn, waits for running ones until `signal` aborts, then gives them up. */
  stop(signal: AbortSignal): Promise<void>;
}

export interface Schedule {
  readonly name: string;
  /** Milliseconds between turns. */
  readonly everyMs: number;
}

/** One turn. `signal` aborts when the process stops: leave things so that the next turn can go on. */
export type JobRun = (signal: AbortSignal) => Promise<void>;
