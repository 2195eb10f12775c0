import type { Wanted } from '../abandonment/wanted.ts';
import { SECOND_MS } from '../model/duration.ts';
import type { AnyEvent, RekindleEvent } from '../model/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Gathered } from './gathered.ts';
import type { Settings } from './options.ts';
import { type Asking, received } from './received.ts';
import { type Ending, type Settler, abortedAs } from './settler.ts';
import type { Task } from './task.ts';
import type { Tender } from './tender.ts';

/** What was asked longer ago is asked again before a handler is called. */
const FRESH_MS = SECOND_MS;

export interface CallsTools {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly asks: Gathered<RekindleEvent<'cart.abandoned'>, Wanted>;
  readonly tender: Tender;
  readonly settler: Settler;
  /** The hot tier is away. @returns what becomes of what was asked */
  readonly onAway: (error: unknown) => Ending;
}

/** Calls the handler with what is ready, as many at a time as may be; what came of a call goes to the settler. */
export class Calls {
  readonly #tools: CallsTools;
  readonly #asking: Asking = { isStillWanted: (task) => this.#isStillWanted(task) };
  /** Those for whom a handler may be called, and some that were withdrawn since. */
  readonly #ready: Task[] = [];
  #handling = 0;
  /** Whether handlers go on being called in another turn of the event loop. */
  #dispatching = false;

  constructor(tools: CallsTools) {
    this.#tools = tools;
  }

  /** The task was begun, and is wanted. Takes effect with the next `dispatch`. */
  add(task: Task): void {
    task.stage = 'ready';
    this.#ready.push(task);
  }

  /**
   * Calls the handlers of those that are ready; in one turn of the event loop as many as may run side by side, for what
   * looks after claims is to have its turn too.
   */
  dispatch(): void {
    if (this.#dispatching) return;
    const { concurrency } = this.#tools.settings;
    let called = 0;
    for (let next = 0; ; next += 1) {
      const task = this.#ready[next];
      if (!task || this.#handling >= concurrency || called >= concurrency) {
        this.#ready.splice(0, next);
        break;
      }
      if (task.stage !== 'ready') continue;
      called += 1;
      this.#start(task);
    }
    if (called < concurrency || this.#handling >= concurrency || this.#ready.length === 0) return;
    this.#dispatching = true;
    setImmediate(() => {
      this.#dispatching = false;
      this.dispatch();
    });
  }

  /** Calls the handler, at once where all that is known of the task is fresh. */
  #start(task: Task): void {
    task.stage = 'handling';
    this.#handling += 1;
    const now = this.#tools.clock.now();
    if (this.#tools.tender.isStale(task) || (task.announcement && now - task.askedAt > FRESH_MS))
      void this.#startLate(task);
    else this.#call(task, now);
  }

  async #startLate(task: Task): Promise<void> {
    const ending = await this.#freshen(task);
    if (ending) this.#finish(task, ending);
    else this.#call(task, this.#tools.clock.now());
    this.dispatch();
  }

  /** @returns what becomes of it where it is not to be handled any more */
  async #freshen(task: Task): Promise<Ending | undefined> {
    // Who was held up on the way here may have lost it without a word; so may a handler that blocked the event loop.
    await this.#tools.tender.assure(task);
    // Bus and inbox are away: nobody can say whether another had it meanwhile.
    if (this.#tools.tender.isStale(task)) task.mayBeRepeat = true;
    const aborted = abortedAs(task);
    if (aborted || !task.announcement) return aborted;
    try {
      const answer = await this.#tools.asks.ask(task.announcement);
      if (!answer.wanted) return { as: 'unwanted', reason: answer.reason };
    } catch (error) {
      return this.#tools.onAway(error);
    }
    return abortedAs(task);
  }

  #call(task: Task, now: number): void {
    const handler = this.#tools.settings.handler as (event: AnyEvent) => unknown;
    task.handledFrom = now;
    let returned: unknown;
    try {
      returned = handler(received(task, this.#asking));
      if (isThenable(returned)) {
        void this.#outlast(task, returned);
        return;
      }
    } catch (error) {
      this.#handled(task, { error });
      return;
    }
    this.#handled(task, undefined);
  }

  /** Waits until the handler has ended, or nobody waits for it any more. */
  async #outlast(task: Task, returned: PromiseLike<unknown>): Promise<void> {
    const givenUp = new Promise<undefined>((resolve) => {
      task.onGivenUp = () => resolve(undefined);
    });
    const ended = Promise.resolve(returned).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    this.#handled(task, await Promise.race([ended, givenUp]));
    this.dispatch();
  }

  /** @param failure what the handler threw, if it did */
  #handled(task: Task, failure: { readonly error: unknown } | undefined): void {
    task.ended = true;
    if (!this.#tools.tender.isStale(task)) {
      this.#finish(task, endingOfCall(task, failure));
      return;
    }
    void this.#tools.tender.assure(task).then(() => {
      this.#finish(task, endingOfCall(task, failure));
      this.dispatch();
    });
  }

  #finish(task: Task, ending: Ending): void {
    this.#handling -= 1;
    this.#tools.settler.settle(task, ending);
  }

  async #isStillWanted(task: Task): Promise<Wanted> {
    if (!task.announcement) throw new TypeError('this is asked of a cart.abandoned');
    await this.#tools.tender.assure(task);
    if (task.aborted) throw task.aborted.why;
    const wanted = await this.#tools.asks.ask(task.announcement);
    task.signal.throwIfAborted();
    return wanted;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return typeof (value as { readonly then?: unknown }).then === 'function';
}

function endingOfCall(task: Task, failure: { readonly error: unknown } | undefined): Ending {
  const aborted = abortedAs(task);
  if (aborted) return aborted;
  if (failure) return { as: 'failed', error: failure.error };
  return task.deferredTo === undefined ? HANDLED : { as: 'deferred', at: task.deferredTo };
}

const HANDLED: Ending = { as: 'handled' };
