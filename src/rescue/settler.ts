import type { UnwantedReason } from '../abandonment/wanted.ts';
import { SECOND_MS } from '../model/duration.ts';
import { errorMessage, isPermanent } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ended, Inbox, Outcome } from '../ports/inbox.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { Batched } from './batched.ts';
import type { Counts } from './counts.ts';
import { TakenAwayError } from './errors.ts';
import { Gathered } from './gathered.ts';
import type { Settings } from './options.ts';
import type { AbortReason, Task } from './task.ts';

/** How the way of an event through a subscriber ended. */
export type Ending =
  | {
      readonly as:
        | 'handled'
        | 'consumed'
        | 'repeat'
        | 'overtaken'
        | 'erased'
        | 'busy'
        | 'lost'
        | 'timed_out'
        | 'stopping';
    }
  | { readonly as: 'unwanted'; readonly reason: UnwantedReason }
  | { readonly as: 'deferred'; readonly at: number }
  | { readonly as: 'away'; readonly delayMs: number }
  | { readonly as: 'failed'; readonly error: unknown };

/** What becomes of a task that was aborted; undefined: it was not. */
export function abortedAs({ aborted }: Task): Ending | undefined {
  return aborted && endingOf(aborted.why);
}

export function endingOf(why: AbortReason): Ending {
  if (why instanceof TakenAwayError) return { as: why.reason };
  const { reason } = why;
  if (reason === 'erased' || reason === 'overtaken') return { as: reason };
  return { as: 'unwanted', reason };
}

/** When to look again at an event whose subject another subscriber has in hand. */
const BUSY_MS = SECOND_MS / 2;

/** A handler that defers to the past is not called in a circle. */
const SHORTEST_DEFERRAL_MS = SECOND_MS;

/** A reason is for a person to read. */
const REASON_LENGTH = 500;

const NOTHING_LEFT = Promise.resolve();

export interface SettlerTools {
  readonly inbox: Inbox;
  readonly clock: Clock;
  readonly token: string;
  readonly settings: Settings;
  readonly counts: Counts;
  readonly log: Logger;
  readonly random: () => number;
  /** Aborts when nothing more is waited for. */
  readonly over: AbortSignal;
  /** Nothing more is to be done about it. */
  readonly onSettled: (task: Task) => void;
}

/**
 * Says how it ended, first to the inbox and then to the bus: whoever dies in between leaves an event that comes again, and
 * that the inbox knows.
 */
export class Settler {
  readonly #tools: SettlerTools;
  readonly #ends: Gathered<Ended, boolean>;
  readonly #handled: Batched<Task>;

  constructor(tools: SettlerTools) {
    this.#tools = tools;
    const { inbox, settings, token } = tools;
    this.#ends = new Gathered((ended) => inbox.end(settings.group, ended, token));
    this.#handled = new Batched((tasks) => this.#settleHandled(tasks));
  }

  /** Tells `onSettled` at the end in any case: what cannot be settled comes again when its claim has run out. */
  settle(task: Task, ending: Ending): void {
    task.stage = 'settling';
    if (ending.as === 'handled') this.#handled.add(task);
    else this.#see(task, this.#settle(task, ending));
  }

  #see(task: Task, settling: Promise<void>): void {
    this.#seeAll([task], settling);
  }

  #seeAll(tasks: readonly Task[], settling: Promise<void>): void {
    const { counts, log, onSettled } = this.#tools;
    settling.then(
      () => {
        for (const task of tasks) onSettled(task);
      },
      (error: unknown) => {
        for (const task of tasks) {
          counts.unsettled += 1;
          log.debug({ event: task.event.id, err: error }, 'an event could not be settled');
          onSettled(task);
        }
      },
    );
  }

  /** What most come to goes together: noted in one call, and then told to the bus, which gathers by itself. */
  async #settleHandled(tasks: readonly Task[]): Promise<void> {
    const { inbox, settings, token, counts } = this.#tools;
    const ended = tasks.map(({ entry: { subject, source, id } }): Ended => {
      return { subject, source, id, outcome: 'done' };
    });
    let own: readonly boolean[];
    try {
      own = await inbox.end(settings.group, ended, token);
    } catch {
      // Each for itself, for as long as its claim would last.
      for (const task of tasks) this.#see(task, this.#settle(task, { as: 'handled' }));
      return;
    }
    // A bus that gathers gives all of a moment one promise.
    let together: Task[] = [];
    let settling: Promise<void> | undefined;
    for (const [index, task] of tasks.entries()) {
      task.begun = false;
      if (own[index]) counts.handled += 1;
      else counts.lost += 1;
      const done = own[index] ? task.delivery.done() : NOTHING_LEFT;
      if (settling && done !== settling) {
        this.#seeAll(together, settling);
        together = [];
      }
      settling = done;
      together.push(task);
    }
    if (settling) this.#seeAll(together, settling);
  }

  async #settle(task: Task, ending: Ending): Promise<void> {
    const { counts, clock } = this.#tools;
    const { delivery } = task;
    switch (ending.as) {
      case 'handled':
        if (!(await this.#end(task, 'done'))) return this.#lose();
        counts.handled += 1;
        return delivery.done();
      case 'consumed':
        await this.#end(task, 'done');
        counts.consumed += 1;
        return delivery.done();
      case 'unwanted':
        counts.unwanted[ending.reason] = (counts.unwanted[ending.reason] ?? 0) + 1;
        return this.#drop(task);
      case 'repeat':
        counts.repeats += 1;
        return this.#drop(task);
      case 'overtaken':
        counts.overtaken += 1;
        return this.#drop(task);
      case 'erased':
        counts.erased += 1;
        return this.#drop(task);
      case 'busy':
        counts.busy += 1;
        return this.#deferFor(task, BUSY_MS);
      case 'away':
        counts.postponed += 1;
        return this.#deferFor(task, ending.delayMs);
      case 'stopping':
        counts.givenBack += 1;
        return this.#deferFor(task, 0);
      case 'deferred':
        if (!(await this.#end(task, 'free'))) return this.#lose();
        counts.deferred += 1;
        return this.#told(delivery.defer(Math.max(SHORTEST_DEFERRAL_MS, ending.at - clock.now())));
      case 'timed_out':
        counts.timedOut += 1;
        return this.#retry(
          task,
          `the handler took longer than ${this.#tools.settings.handlerTimeoutMs} ms`,
        );
      case 'failed':
        return this.#fail(task, ending.error);
      case 'lost':
        // If the inbox has it still, whoever the bus gave it to need not wait.
        await this.#end(task, untouchedOr('failed', task)).catch(() => undefined);
        return this.#lose();
    }
  }

  /** It is not to be handled, by nobody. */
  async #drop(task: Task): Promise<void> {
    // Where it is not this subscriber's any more it is not anybody's concern either.
    await this.#end(task, 'done');
    await task.delivery.done();
  }

  async #deferFor(task: Task, delayMs: number): Promise<void> {
    // Held in the inbox, it would be busy for whoever gets it.
    await this.#end(task, untouchedOr('failed', task), 1).catch(() => undefined);
    await this.#told(task.delivery.defer(delayMs));
  }

  #fail(task: Task, error: unknown): Promise<void> {
    const { event, delivery } = task;
    const { log } = this.#tools;
    const name = error instanceof Error ? nameOf(error) : typeof error;
    log.warn(
      { event: event.id, type: event.type, attempt: delivery.attempt, error: name },
      'a handler failed',
    );
    log.debug({ event: event.id, err: error }, 'why a handler failed');
    const reason = `${name}: ${describe(error)}`.slice(0, REASON_LENGTH);
    return isPermanent(error) ? this.#deadLetter(task, reason) : this.#retry(task, reason);
  }

  async #retry(task: Task, reason: string): Promise<void> {
    const { settings, counts, random } = this.#tools;
    const { firstMs, longestMs } = settings.backoff;
    const { attempt } = task.delivery;
    if (!(await this.#end(task, 'failed'))) return this.#lose();
    const delayMs = backoffMs(attempt, { baseMs: firstMs, capMs: longestMs, random });
    if (!(await task.delivery.retry(delayMs, reason))) return this.#lose();
    if (attempt < settings.maxDeliveries) counts.retried += 1;
    else this.#tellBuried(task);
  }

  async #deadLetter(task: Task, reason: string): Promise<void> {
    if (!(await this.#end(task, 'failed'))) return this.#lose();
    if (!(await task.delivery.deadLetter(reason))) return this.#lose();
    this.#tellBuried(task);
  }

  #tellBuried({ event, delivery: { attempt } }: Task): void {
    this.#tools.counts.deadLettered += 1;
    const { id, type } = event;
    this.#tools.log.warn({ event: id, type, attempt }, 'an event went to the dead letters');
  }

  async #told(own: Promise<boolean>): Promise<void> {
    if (!(await own)) await this.#lose();
  }

  async #lose(): Promise<void> {
    this.#tools.counts.lost += 1;
  }

  /**
   * Notes it in the inbox, trying again for as long as the claim would last: what took effect and is not noted is
   * handled again.
   * @returns false if somebody else has it by now
   */
  async #end(task: Task, outcome: Outcome, attempts = Infinity): Promise<boolean> {
    if (!task.begun) return true;
    const { clock, settings, over } = this.#tools;
    const giveUpAt = clock.now() + settings.claimMs;
    for (let failures = 1; ; failures += 1) {
      try {
        const own = await this.#ends.ask({ ...task.entry, outcome });
        task.begun = false;
        return own;
      } catch (error) {
        if (failures >= attempts || clock.now() >= giveUpAt || over.aborted) throw error;
        await clock.sleep(backoffMs(failures), over);
      }
    }
  }
}

/** Whoever did not call the handler leaves nothing that may be a repeat. */
function untouchedOr(outcome: Outcome, task: Task): Outcome {
  return task.handledFrom === undefined ? 'free' : outcome;
}

/** Somebody's error may have anything for a name. */
function nameOf(error: Error): string {
  try {
    const name: unknown = error.name;
    return String(name);
  } catch {
    return 'Error';
  }
}

function describe(error: unknown): string {
  try {
    return errorMessage(error);
  } catch {
    return 'an error that cannot be shown';
  }
}
