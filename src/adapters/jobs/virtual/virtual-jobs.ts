import type { Clock } from '../../../ports/clock.ts';
import type { JobRun, Jobs, Schedule } from '../../../ports/jobs.ts';

interface Entry {
  readonly schedule: Schedule;
  readonly run: JobRun;
  /** When the next regular turn is due. */
  dueAt: number;
  triggeredAt: number | undefined;
}

/**
 * Turns by a clock that somebody else moves: `replay` and tests call `runDue` before each step. What is due runs in the
 * order of time, then of registration, so a run is the same every time.
 */
export class VirtualJobs implements Jobs {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #entries: Entry[] = [];
  readonly #givingUp = new AbortController();
  #state: 'new' | 'started' | 'stopped' = 'new';
  #draining: Promise<number> | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  register(schedule: Schedule, run: JobRun): void {
    if (this.#state !== 'new') throw new Error('register schedules before the start');
    if (this.#entries.some((entry) => entry.schedule.name === schedule.name)) {
      throw new Error(`the schedule ${schedule.name} is registered already`);
    }
    this.#entries.push({ schedule, run, dueAt: 0, triggeredAt: undefined });
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    for (const entry of this.#entries) entry.dueAt = this.#clock.now();
  }

  async trigger(name: string): Promise<void> {
    const entry = this.#entries.find(({ schedule }) => schedule.name === name);
    if (!entry) throw new Error(`there is no schedule ${name}`);
    entry.triggeredAt ??= this.#clock.now();
  }

  async revive(): Promise<string[]> {
    return [];
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#state = 'stopped';
    const giveUp = (): void => this.#givingUp.abort(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    // A turn's failure is told to whoever drained.
    await this.#draining?.catch(() => undefined);
    signal.removeEventListener('abort', giveUp);
  }

  /** When the next turn is due; undefined: none comes. */
  nextAt(): number | undefined {
    if (this.#state !== 'started' || this.#entries.length === 0) return undefined;
    return Math.min(...this.#entries.map(nextOf));
  }

  /**
   * Runs all turns that are due now, and those that come due meanwhile.
   * @returns how many ran
   * @throws the first failure of a turn, after the others have run
   */
  runDue(): Promise<number> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drain(): Promise<number> {
    const failures: unknown[] = [];
    let turns = 0;
    for (let entry = this.#takeDue(); entry; entry = this.#takeDue()) {
      turns += 1;
      try {
        await entry.run(this.#givingUp.signal);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return turns;
  }

  /** The entry whose turn it is, with its next turn noted. */
  #takeDue(): Entry | undefined {
    const now = this.#clock.now();
    const at = this.nextAt();
    if (at === undefined || at > now) return undefined;
    const entry = this.#entries.find((candidate) => nextOf(candidate) === at);
    if (!entry) return undefined;
    if (entry.dueAt === at) {
      const { everyMs } = entry.schedule;
      // Turns that were missed are not made up for: the next one is the first after now.
      entry.dueAt += everyMs * (Math.floor((now - entry.dueAt) / everyMs) + 1);
    }
    if (entry.triggeredAt === at) entry.triggeredAt = undefined;
    return entry;
  }
}

function nextOf({ dueAt, triggeredAt }: Entry): number {
  return Math.min(dueAt, triggeredAt ?? Infinity);
}
