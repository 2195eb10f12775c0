import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Wanted } from '../abandonment/wanted.ts';
import { MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import type { AnyEvent, EventType, RekindleEvent } from '../model/event.ts';
import type { Bus, Delivery, Subscription } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import type { Arrival, Begun, Inbox } from '../ports/inbox.ts';
import { backoffMs } from '../runtime/backoff.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import { BaseService } from '../runtime/service.ts';
import { type Counts, noCounts } from './counts.ts';
import { NoLongerWantedError, TakenAwayError } from './errors.ts';
import { Gathered } from './gathered.ts';
import { Lines } from './lines.ts';
import { type AnySubscriberOptions, type Settings, settingsOf } from './options.ts';
import { received } from './received.ts';
import { type Ending, Settler } from './settler.ts';
import { Task } from './task.ts';
import { Tender } from './tender.ts';

/** What takes an announcement back is heard by every subscriber, whatever it asked for. */
const TAKES_BACK: readonly EventType[] = ['cart.rescue_cancelled', 'user.erased'];

/** An outage of the bus is waited out by the bus; nothing else ends this wait but news and the stop. */
const RECEIVE_WAIT_MS = 10 * MINUTE_MS;

/** While the hot tier is away: up to 1 s at first, doubled up to 30 s. */
const AWAY_BACKOFF = { baseMs: SECOND_MS, capMs: 30 * SECOND_MS };

/** How long a stop waits for handlers where nobody says how long. */
const STOP_WITHIN_MS = 10 * SECOND_MS;

/** Of the second that a stop may take when its time is up: for handlers to end, then for the bus to be told. */
const LAST_MOMENT_MS = 300;

/** What a subscriber works with. */
export interface SubscriberPorts {
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly inbox: Inbox;
  readonly clock: Clock;
  /** Which announcements hold still, in their order; one round trip. */
  readonly wanted: (events: readonly RekindleEvent<'cart.abandoned'>[]) => Promise<Wanted[]>;
}

export interface SubscriberTools {
  readonly log?: Logger;
  /** From 0 to below 1; for tests. */
  readonly random?: () => number;
}

/**
 * Calls a handler with the events of a consumer group: once in effect for each, those of a subject in their order, others
 * side by side. The way of one event:
 *
 *   waiting ──first of its subject, and a handler is free──▶ begun in the inbox ──wanted──▶ handled ──▶ settled
 *      │                                                        │            │                 │
 *      └─taken back, lost, stopped───────────────────▶──────────┴────────────┴─────────────────┘
 *
 * - begun: `repeat`, `overtaken` and `erased` are settled; `busy` comes again soon.
 * - handled: the handler returned, threw, deferred it; or its signal aborted and it ended, or a grace ran out. After an
 *   abort the reason says what becomes of the event, whatever the handler says.
 * - settled: noted in the inbox, then told to the bus. The inbox has the last word on whose the event was.
 *
 * What takes an announcement back goes the same way without a handler, and what it takes back is told when it arrives.
 */
export class Subscriber extends BaseService {
  /** What became of what was received. */
  readonly counts: Readonly<Counts>;
  readonly #counts = noCounts();
  readonly #ports: SubscriberPorts;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #random: () => number;
  /** Names this member in the inbox. */
  readonly #token = randomUUID();
  readonly #begins: Gathered<Arrival, Begun>;
  readonly #asks: Gathered<RekindleEvent<'cart.abandoned'>, Wanted>;
  readonly #settler: Settler;
  readonly #tender: Tender;

  readonly #tasks = new Set<Task>();
  readonly #byId = new Map<string, Task>();
  readonly #lines = new Lines();
  /** Those that are first of their line, and some that were. */
  #ready: Task[] = [];
  #handling = 0;
  /** Called when something has left. */
  #onRoom: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;
  /** Failures of the hot tier in a row, and until when nothing more is received for it. */
  #failures = 0;
  #pausedUntil = 0;

  readonly #quieting = new AbortController();
  readonly #over = new AbortController();
  #subscription: Subscription | undefined;
  #receiving: Promise<void> | undefined;
  #tending: Promise<void> | undefined;

  /** @throws UsageError for options that cannot be used */
  constructor(ports: SubscriberPorts, options: AnySubscriberOptions, tools: SubscriberTools = {}) {
    super(`subscriber ${options.group}`);
    const settings = settingsOf(options);
    const { inbox, clock } = ports;
    this.counts = this.#counts;
    this.#ports = ports;
    this.#settings = settings;
    this.#log = tools.log ?? silentLogger;
    this.#random = tools.random ?? Math.random;
    this.#begins = new Gathered((arrivals) =>
      inbox.begin(settings.group, arrivals, {
        now: clock.now(),
        holdMs: settings.claimMs,
        token: this.#token,
      }),
    );
    this.#asks = new Gathered((events) => ports.wanted(events));
    const shared = { inbox, clock, token: this.#token, settings };
    this.#settler = new Settler({
      ...shared,
      counts: this.#counts,
      log: this.#log,
      random: this.#random,
      over: this.#over.signal,
    });
    this.#tender = new Tender(this.#tasks, {
      ...shared,
      asks: this.#asks,
      onLost: (task) => this.#withdraw(task, { as: 'lost' }),
    });
  }

  /** Lets handlers finish until `signal` aborts, by default for 10 s; then gives back what is in hand. */
  override stop(signal: AbortSignal = AbortSignal.timeout(STOP_WITHIN_MS)): Promise<void> {
    return super.stop(signal);
  }

  protected override async onStart(): Promise<void> {
    const { group, types, claimMs, maxDeliveries } = this.#settings;
    this.#subscription = await this.#ports.bus.subscribe({
      group,
      types: [...new Set([...types, ...TAKES_BACK])],
      claimMs,
      maxDeliveries,
    });
    this.#receiving = this.#receive(this.#subscription).catch((error: unknown) => this.die(error));
    this.#tending = this.#tender.run(this.#over.signal);
  }

  protected override async onQuiet(): Promise<void> {
    this.#quieting.abort();
    this.#onRoom?.();
    await this.#receiving;
    for (const task of this.#tasks) this.#withdraw(task, { as: 'stopping' });
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    await this.onQuiet();
    const empty = this.#empty();
    await Promise.race([empty, hasAborted(signal)]);
    const now = this.#ports.clock.now();
    for (const task of this.#tasks) task.abort(new TakenAwayError('stopping'), now);
    await atMost(LAST_MOMENT_MS, empty);
    for (const task of this.#tasks) task.onGivenUp?.();
    await atMost(LAST_MOMENT_MS, empty);
    this.#over.abort();
    await this.#tending;
    const closed = this.#subscription?.close();
    await (signal.aborted && closed ? atMost(LAST_MOMENT_MS, closed) : closed);
  }

  async #receive(subscription: Subscription): Promise<void> {
    const { clock } = this.#ports;
    const { concurrency, readAhead } = this.#settings;
    const capacity = concurrency + readAhead;
    // Some at a time: a call for each one that leaves would be a round trip for each.
    const some = Math.max(1, Math.floor(readAhead / 2));
    const quieting = this.#quieting.signal;
    for (let failures = 0; !quieting.aborted; ) {
      const pauseMs = this.#pausedUntil - clock.now();
      if (pauseMs > 0) {
        await clock.sleep(pauseMs, quieting);
      } else if (capacity - this.#tasks.size < some) {
        await new Promise<void>((resolve) => (this.#onRoom = resolve));
      } else {
        try {
          const room = capacity - this.#tasks.size;
          const deliveries = await subscription.receive(room, RECEIVE_WAIT_MS, quieting);
          failures = 0;
          for (const delivery of deliveries) this.#arrive(delivery);
        } catch (error) {
          failures += 1;
          this.#log.warn({ group: this.#settings.group, err: error }, 'the event bus refuses');
          await clock.sleep(backoffMs(failures), quieting);
        }
      }
    }
  }

  #arrive(delivery: Delivery): void {
    const task = new Task(delivery, this.#ports.clock.now());
    this.#counts.received += 1;
    this.#tasks.add(task);
    this.#byId.set(task.event.id, task);
    if (this.#tasks.size === 1) this.#tender.wake();
    const first = this.#lines.enter(task);
    this.#takeBack(task);
    if (first) this.#next(task);
  }

  /** Tells those in hand of which this event says that they do not hold any more. */
  #takeBack(task: Task): void {
    const { event } = task;
    switch (event.type) {
      case 'cart.rescue_cancelled': {
        const announcement = this.#byId.get(event.data.announcement_id);
        if (announcement) this.#revoke(announcement, event.data.reason);
        return;
      }
      case 'cart.abandoned':
        for (const other of [...this.#lines.of(task)])
          if (other.announcement && other.event.sequence < event.sequence)
            this.#revoke(other, 'overtaken');
        return;
      case 'user.erased': {
        const erasedAt = Date.parse(event.data.erased_at);
        for (const other of this.#tasks)
          if (other.entry.user === event.data.user && !(other.entry.at > erasedAt))
            this.#revoke(other, 'erased');
        return;
      }
      case 'cart.touched':
      case 'cart.recovered':
    }
  }

  #revoke(task: Task, reason: NoLongerWantedError['reason']): void {
    const why = new NoLongerWantedError(reason);
    if (task.stage === 'waiting') this.#withdraw(task, endingOf(why));
    else task.abort(why, this.#ports.clock.now());
  }

  /** Settles a task that waits. */
  #withdraw(task: Task, ending: Ending): void {
    if (task.stage !== 'waiting') return;
    const settled = this.#settler.settle(task, ending);
    this.#next(this.#lines.leave(task));
    void settled.then(() => this.#leave(task));
  }

  /** Sends a task that has become the first of its line on its way, as soon as may be. */
  #next(task: Task | undefined): void {
    if (!task) return;
    if (this.#isHandled(task.event)) this.#ready.push(task);
    else void this.#walk(task);
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#handling < this.#settings.concurrency) {
      const task = this.#ready.shift();
      if (!task) return;
      // One that was withdrawn, or before which another has stepped since.
      if (task.stage === 'waiting' && this.#lines.isFirst(task)) void this.#walk(task);
    }
  }

  async #walk(task: Task): Promise<void> {
    task.stage = 'walking';
    const handled = this.#isHandled(task.event);
    if (handled) this.#handling += 1;
    const ending = await this.#act(task, handled);
    if (handled) this.#handling -= 1;
    const settled = this.#settler.settle(task, ending);
    this.#dispatch();
    await settled;
    this.#next(this.#lines.leave(task));
    this.#leave(task);
  }

  async #act(task: Task, handled: boolean): Promise<Ending> {
    // Where it takes nothing back from anybody else, and the tombstone stands for it.
    if (!handled && task.event.type === 'user.erased') return { as: 'consumed' };
    try {
      await this.#tender.assure(task);
      const early = abortedAs(task);
      if (early) return early;
      const begun = await this.#begins.ask(task.entry);
      if (begun === 'unreadable')
        return {
          as: 'failed',
          error: new Error('the record of its subject in the inbox is spoilt'),
        };
      if (begun !== 'new' && begun !== 'again') return { as: begun };
      task.begun = true;
      task.mayBeRepeat = begun === 'again';
      if (!handled) return { as: 'consumed' };
      if (task.announcement) {
        const answer = await this.#asks.ask(task.announcement);
        if (!answer.wanted) return { as: 'unwanted', reason: answer.reason };
      }
      this.#failures = 0;
    } catch (error) {
      return this.#away(error);
    }
    // Who was held up on the way here may have lost it without a word; so may a handler that blocked the event loop.
    await this.#tender.assure(task);
    const takenBack = abortedAs(task);
    if (takenBack) return takenBack;
    const failure = await this.#handle(task);
    await this.#tender.assure(task);
    const aborted = abortedAs(task);
    if (aborted) return aborted;
    if (failure) return { as: 'failed', error: failure.error };
    return task.deferredTo === undefined
      ? { as: 'handled' }
      : { as: 'deferred', at: task.deferredTo };
  }

  /** Settles when the handler has ended, or nobody waits for it any more. @returns what it threw, if it did */
  async #handle(task: Task): Promise<{ readonly error: unknown } | undefined> {
    const handler = this.#settings.handler as (event: AnyEvent) => unknown;
    const call = async (): Promise<void> => {
      await handler(received(task, { isStillWanted: (of) => this.#isStillWanted(of) }));
    };
    const givenUp = new Promise<undefined>((resolve) => {
      task.onGivenUp = () => resolve(undefined);
    });
    task.handledFrom = this.#ports.clock.now();
    const ended = call().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const failure = await Promise.race([ended, givenUp]);
    task.ended = true;
    return failure;
  }

  async #isStillWanted(task: Task): Promise<Wanted> {
    if (!task.announcement) throw new TypeError('this is asked of a cart.abandoned');
    await this.#tender.assure(task);
    if (task.aborted) throw task.aborted.why;
    const wanted = await this.#asks.ask(task.announcement);
    task.signal.throwIfAborted();
    return wanted;
  }

  /** The hot tier is away: nothing is handled unknowing, and the rest of the stream stays where it is. */
  #away(error: unknown): Ending {
    const { clock } = this.#ports;
    const now = clock.now();
    if (now >= this.#pausedUntil) {
      this.#failures += 1;
      const delayMs = backoffMs(this.#failures, { ...AWAY_BACKOFF, random: this.#random });
      this.#pausedUntil = now + delayMs;
      this.#log.warn(
        { group: this.#settings.group, failures: this.#failures, err: error },
        'the hot tier is away: events wait',
      );
    }
    return { as: 'away', delayMs: this.#pausedUntil - now };
  }

  #isHandled({ type }: AnyEvent): boolean {
    return this.#settings.types.has(type);
  }

  #leave(task: Task): void {
    this.#tasks.delete(task);
    if (this.#byId.get(task.event.id) === task) this.#byId.delete(task.event.id);
    this.#onRoom?.();
    this.#onRoom = undefined;
    if (this.#tasks.size === 0) this.#onEmpty?.();
  }

  #empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.#tasks.size === 0) resolve();
    });
  }
}

/** What becomes of a task that was aborted; undefined: it was not. */
function abortedAs({ aborted }: Task): Ending | undefined {
  return aborted && endingOf(aborted.why);
}

function endingOf(why: NoLongerWantedError | TakenAwayError): Ending {
  if (why instanceof TakenAwayError) return { as: why.reason };
  const { reason } = why;
  if (reason === 'erased' || reason === 'overtaken') return { as: reason };
  return { as: 'unwanted', reason };
}

function hasAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Waits in the host's own time: a stop ends even while a clock stands. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const patience = sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([work, patience]).finally(() => over.abort());
}
