import { nextByCron } from '../../../model/cron.ts';
import type { Clock } from '../../../ports/clock.ts';
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
import { VirtualQueue } from './virtual-queue.ts';

interface Entry {
  readonly schedule: Schedule;
  readonly run: JobRun;
  /** When the next regular turn is due. */
  dueAt: number;
  triggeredAt: number | undefined;
}

/**
 * Turns and jobs by a clock that somebody else moves: `replay` and tests call `runDue` before each step. What is due runs
 * one at a time, in the order of time, then of registration (schedules before queues), so a run is the same every time.
 */
export class VirtualJobs implements Jobs {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #entries: Entry[] = [];
  readonly #queues = new Map<string, VirtualQueue>();
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

  handle(queue: QueueSettings, run: KeyedJobRun): void {
    if (this.#state !== 'new') throw new Error('register handlers before the start');
    this.#queue(queue.name).handle(queue, run);
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    const now = this.#clock.now();
    for (const entry of this.#entries)
      entry.dueAt = 'everyMs' in entry.schedule ? now : nextTurn(entry, now);
  }

  async trigger(name: string): Promise<void> {
    const entry = this.#entries.find(({ schedule }) => schedule.name === name);
    if (!entry) throw new Error(`there is no schedule ${name}`);
    entry.triggeredAt ??= this.#clock.now();
  }

  async revive(): Promise<string[]> {
    return [];
  }

  async add(queue: string, keys: readonly string[], delayMs = 0): Promise<void> {
    this.#queue(queue).add(keys, delayMs);
  }

  async counts(queue: string): Promise<JobCounts> {
    return this.#queue(queue).counts();
  }

  async inspect(queue: string, key: string): Promise<JobState> {
    return this.#queue(queue).inspect(key);
  }

  async deadLetters(
    queue: string,
    limit: number,
  ): Promise<{ total: number; letters: DeadLetter[] }> {
    return this.#queue(queue).deadLetters(limit);
  }

  async replay(queue: string, keys?: readonly string[]): Promise<number> {
    return this.#queue(queue).replay(keys);
  }

  async drop(queue: string, keys: readonly string[]): Promise<number> {
    return this.#queue(queue).drop(keys);
  }

  async forget(queue: string, key: string): Promise<number> {
    return this.#queue(queue).forget(key);
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

  /** When the next turn or job is due; undefined: none comes. */
  nextAt(): number | undefined {
    if (this.#state !== 'started') return undefined;
    const at = Math.min(
      ...this.#entries.map(nextOf),
      ...[...this.#queues.values()].map((queue) => queue.nextAt() ?? Infinity),
    );
    return at === Infinity ? undefined : at;
  }

  /**
   * Runs all turns and jobs that are due now, and those that come due meanwhile.
   * @returns how many ran
   * @throws the first failure of a turn, after the others have run; that of a job is tried again, or in its dead letter
   */
  runDue(): Promise<number> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drain(): Promise<number> {
    const failures: unknown[] = [];
    let ran = 0;
    for (let run = this.#takeDue(); run; run = this.#takeDue()) {
      ran += 1;
      try {
        await run();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return ran;
  }

  /** What is due first, taken from those that wait. */
  #takeDue(): (() => Promise<void>) | undefined {
    const at = this.nextAt();
    if (at === undefined || at > this.#clock.now()) return undefined;
    const entry = this.#entries.find((candidate) => nextOf(candidate) === at);
    if (entry) return this.#takeTurn(entry, at);
    const queue = [...this.#queues.values()].find((candidate) => candidate.nextAt() === at);
    return queue?.take(this.#givingUp.signal);
  }

  /** The turn of this instant, with the next one noted. */
  #takeTurn(entry: Entry, at: number): () => Promise<void> {
    const now = this.#clock.now();
    // Turns that were missed are not made up for: the next one is the first after now.
    if (entry.dueAt === at) entry.dueAt = nextTurn(entry, now);
    if (entry.triggeredAt === at) entry.triggeredAt = undefined;
    return () => entry.run(this.#givingUp.signal);
  }

  #queue(name: string): VirtualQueue {
    if (this.#state === 'stopped') throw new Error('the jobs have been stopped');
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new VirtualQueue(this.#clock);
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

function nextTurn({ schedule, dueAt }: Entry, now: number): number {
  if ('cron' in schedule) return nextByCron(schedule.cron, schedule.timezone, now);
  const { everyMs } = schedule;
  return dueAt + everyMs * (Math.floor((now - dueAt) / everyMs) + 1);
}

function nextOf({ dueAt, triggeredAt }: Entry): number {
  return Math.min(dueAt, triggeredAt ?? Infinity);
}
