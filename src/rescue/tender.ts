import type { Wanted } from '../abandonment/wanted.ts';
import { SECOND_MS } from '../model/duration.ts';
import type { RekindleEvent } from '../model/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Entry, Inbox } from '../ports/inbox.ts';
import { NoLongerWantedError, TakenAwayError } from './errors.ts';
import { Gathered } from './gathered.ts';
import type { Settings } from './options.ts';
import type { Task } from './task.ts';
import type { Tasks } from './tasks.ts';

/** How often what is in hand is looked at, at least. */
const TICK_MS = SECOND_MS;

/** How long a handler whose signal has aborted may take to end. */
const GRACE_MS = SECOND_MS;

export interface TenderTools {
  readonly inbox: Inbox;
  readonly clock: Clock;
  readonly token: string;
  readonly settings: Settings;
  readonly asks: Gathered<RekindleEvent<'cart.abandoned'>, Wanted>;
  /** A task belongs to somebody else. */
  readonly onLost: (task: Task) => void;
}

/**
 * Looks after what is in hand: renews claims, asks whether what is being handled is wanted still, ends the patience with
 * handlers that take too long.
 */
export class Tender {
  readonly #tasks: Tasks;
  readonly #tools: TenderTools;
  readonly #renewals: Gathered<Entry, boolean>;
  readonly #tickMs: number;
  #wake: (() => void) | undefined;

  constructor(tasks: Tasks, tools: TenderTools) {
    this.#tasks = tasks;
    this.#tools = tools;
    const { claimMs, group, handlerTimeoutMs } = tools.settings;
    this.#tickMs = Math.min(TICK_MS, Math.floor(claimMs / 3), handlerTimeoutMs);
    this.#renewals = new Gathered((held) =>
      tools.inbox.renew(group, held, {
        now: tools.clock.now(),
        holdMs: claimMs,
        token: tools.token,
      }),
    );
  }

  /** Looks until `over` aborts; sleeps while nothing is in hand. */
  async run(over: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    over.addEventListener('abort', wake, { once: true });
    while (!over.aborted) {
      if (this.#tasks.size === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#tools.clock.sleep(this.#tickMs, over);
      this.#look();
    }
    over.removeEventListener('abort', wake);
  }

  /** To be called when there is something in hand again. */
  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Renews a claim that is not as fresh as it should be: the event loop was blocked, and somebody else may have it. */
  async assure(task: Task): Promise<void> {
    if (this.isStale(task)) await this.#renew(task);
  }

  /** Whether its claim is not as fresh as it should be. */
  isStale(task: Task): boolean {
    return this.#tools.clock.now() - task.renewedAt > this.#tools.settings.claimMs / 2;
  }

  #look(): void {
    const { clock, settings } = this.#tools;
    const now = clock.now();
    for (const task of this.#tasks) {
      if (now - task.renewedAt >= settings.claimMs / 3 - this.#tickMs / 2) void this.#renew(task);
      if (task.handledFrom === undefined || task.ended) continue;
      const tookMs = now - task.handledFrom;
      if (tookMs >= settings.handlerTimeoutMs) task.abort(new TakenAwayError('timed_out'), now);
      if (!task.aborted) {
        if (task.announcement && tookMs >= TICK_MS) void this.#ask(task, task.announcement);
      } else if (now - task.aborted.at >= GRACE_MS) {
        task.onGivenUp?.();
      }
    }
  }

  #renew(task: Task): Promise<void> {
    task.renewing ??= this.#claimAgain(task).finally(() => (task.renewing = undefined));
    return task.renewing;
  }

  async #claimAgain(task: Task): Promise<void> {
    const now = this.#tools.clock.now();
    const held = task.begun ? this.#renewals.ask(task.entry) : true;
    const answers = await Promise.allSettled([task.delivery.renew(), held]);
    // One that says no is enough, whether or not the other answers.
    const lost = answers.some((answer) => answer.status === 'fulfilled' && !answer.value);
    // Away: nobody knows. The inbox has the last word when the event is settled.
    if (!lost && answers.some(({ status }) => status === 'rejected')) return;
    if (lost) this.#tools.onLost(task);
    else task.renewedAt = now;
  }

  async #ask(task: Task, event: RekindleEvent<'cart.abandoned'>): Promise<void> {
    const answer = await this.#tools.asks.ask(event).catch(() => undefined);
    if (answer?.wanted === false)
      task.abort(new NoLongerWantedError(answer.reason), this.#tools.clock.now());
  }
}
