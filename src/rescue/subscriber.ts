import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Verdict, Wanted } from '../abandonment/wanted.ts';
import { MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import type { AnyEvent, EventType, RekindleEvent } from '../model/event.ts';
import type { Bus, Delivery, Subscription } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import type { Begun, Inbox } from '../ports/inbox.ts';
import { backoffMs } from '../runtime/backoff.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import { BaseService } from '../runtime/service.ts';
import { Batched } from './batched.ts';
import { Calls } from './calls.ts';
import { type Counts, noCounts } from './counts.ts';
import { NoLongerWantedError, TakenAwayError } from './errors.ts';
import { Gathered } from './gathered.ts';
import { Lines } from './lines.ts';
import { type AnySubscriberOptions, type Settings, settingsOf } from './options.ts';
import { type Ending, Settler, abortedAs, endingOf } from './settler.ts';
import { type AbortReason, Task } from './task.ts';
import { Tasks } from './tasks.ts';
import { Tender } from './tender.ts';

/** What takes an announcement back is heard by every subscriber, whatever it asked for. */
const TAKES_BACK: readonly EventType[] = ['cart.rescue_cancelled', 'user.erased'];

/** An outage of the bus is waited out by the bus; nothing else ends this wait but news and the stop. */
const RECEIVE_WAIT_MS = 10 * MINUTE_MS;

/**
 * How many are read at once, at the most a quarter of what may be in hand: while these are on their way others are worked
 * on, here and in the stores.
 */
const READ_AT_ONCE = 125;

/** While the hot tier is away: up to 1 s at first, doubled up to 30 s. */
const AWAY_BACKOFF = { baseMs: SECOND_MS, capMs: 30 * SECOND_MS };

/** How long a stop waits for handlers where nobody says how long. */
const STOP_WITHIN_MS = 10 * SECOND_MS;

/** Of the second that a stop may take when its time is up: for handlers to end, then for the bus to be told. */
const LAST_MOMENT_MS = 300;

type Announced = RekindleEvent<'cart.abandoned'>;

/** What a subscriber works with. */
export interface SubscriberPorts {
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly inbox: Inbox;
  readonly clock: Clock;
  /** Which announcements hold still, in their order; one round trip. */
  readonly wanted: (events: readonly Announced[]) => Promise<Wanted[]>;
  /** The same without what contacting them depends on, which may be much cheaper. Default: `wanted`. */
  readonly holds?: (events: readonly Announced[]) => Promise<Verdict[]>;
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
 *   waiting ──first of its subject──▶ preparing: begun in the inbox, asked after ──▶ ready ──a handler is free──▶ handled
 *      │                                  │                                            │                             │
 *      └─taken back, lost, stopped────────┴────────────────────────────────────────────┴──────────▶ settled ◀────────┘
 *
 * - preparing: many in one round trip, as many as were read, not as many as there are handlers. `repeat`, `overtaken` and
 *   `erased` are settled; `busy` comes again soon.
 * - ready: the answer may be no older than a second when the handler is called; else it is asked again.
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
  readonly #token = randomBytes(12).toString('base64url');
  readonly #preparing: Batched<Task>;
  readonly #asks: Gathered<Announced, Wanted>;
  readonly #settler: Settler;
  readonly #tender: Tender;
  readonly #calls: Calls;

  readonly #tasks = new Tasks();
  readonly #lines = new Lines();
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
    this.#preparing = new Batched((tasks) => this.#prepare(tasks));
    this.#asks = new Gathered((events) => ports.wanted(events));
    const shared = { inbox, clock, token: this.#token, settings };
    this.#settler = new Settler({
      ...shared,
      counts: this.#counts,
      log: this.#log,
      random: this.#random,
      over: this.#over.signal,
      onSettled: (task) => this.#leave(task),
    });
    this.#tender = new Tender(this.#tasks, {
      ...shared,
      asks: this.#asks,
      onLost: (task) => this.#takeAway(task, new TakenAwayError('lost')),
    });
    this.#calls = new Calls({
      ...shared,
      asks: this.#asks,
      tender: this.#tender,
      settler: this.#settler,
      onAway: (error) => this.#away(error),
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
    const quieting = this.#quieting.signal;
    let reading: Promise<Delivery[]> | undefined;
    for (let failures = 0; reading || !quieting.aborted; ) {
      reading ??= this.#read(subscription);
      if (!reading) {
        await this.#mayRead();
        continue;
      }
      try {
        const deliveries = await reading;
        // Before these are worked on: the bus looks meanwhile.
        reading = this.#read(subscription, deliveries.length);
        failures = 0;
        for (const delivery of deliveries) this.#arrive(delivery);
      } catch (error) {
        reading = undefined;
        failures += 1;
        this.#log.warn({ group: this.#settings.group, err: error }, 'the event bus refuses');
        await clock.sleep(backoffMs(failures), quieting);
      }
    }
  }

  /** @param arriving what is to be taken into hand first. @returns undefined where none are to be read now */
  #read(subscription: Subscription, arriving = 0): Promise<Delivery[]> | undefined {
    const quieting = this.#quieting.signal;
    if (quieting.aborted || this.#ports.clock.now() < this.#pausedUntil) return undefined;
    const room = this.#room(arriving);
    return room > 0 ? subscription.receive(room, RECEIVE_WAIT_MS, quieting) : undefined;
  }

  /** How many are to be read at once. */
  #room(arriving: number): number {
    const { concurrency, readAhead } = this.#settings;
    const capacity = concurrency + readAhead;
    const most = Math.min(READ_AT_ONCE, Math.ceil(capacity / 4));
    // Some at a time: a call for each one that leaves would be a round trip for each.
    const some = Math.max(1, Math.min(most, Math.floor(readAhead / 4)));
    const room = capacity - this.#tasks.size - arriving;
    return room < some ? 0 : Math.min(most, room);
  }

  /** Waits until something may be read. */
  async #mayRead(): Promise<void> {
    const { clock } = this.#ports;
    if (this.#room(0) === 0) {
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
      return;
    }
    const pauseMs = this.#pausedUntil - clock.now();
    if (pauseMs > 0) await clock.sleep(pauseMs, this.#quieting.signal);
  }

  #arrive(delivery: Delivery): void {
    const task = new Task(delivery, this.#ports.clock.now());
    this.#counts.received += 1;
    this.#tasks.add(task);
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
        for (const other of [...this.#lines.of(task)])
          if (other.event.id === event.data.announcement_id) this.#revoke(other, event.data.reason);
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
    this.#takeAway(task, new NoLongerWantedError(reason));
  }

  #takeAway(task: Task, why: AbortReason): void {
    if (task.waits) this.#withdraw(task, endingOf(why));
    else task.abort(why, this.#ports.clock.now());
  }

  /** Settles a task that waits. */
  #withdraw(task: Task, ending: Ending): void {
    if (!task.waits) return;
    // One that waits and is not begun keeps nobody up; who comes behind one that is begun would be busy.
    const next = task.begun ? undefined : this.#lines.leave(task);
    this.#settler.settle(task, ending);
    this.#next(next);
  }

  /** Sends a task that has become the first of its line on its way. */
  #next(task: Task | undefined): void {
    // A stop gives back what waits.
    if (!task || this.#quieting.signal.aborted) return;
    task.stage = 'preparing';
    // Where it takes nothing back from anybody else, and the tombstone stands for it.
    if (task.event.type === 'user.erased' && !this.#isHandled(task.event))
      this.#settler.settle(task, { as: 'consumed' });
    else if (this.#tender.isStale(task))
      void this.#tender.assure(task).then(() => this.#preparing.add(task));
    else this.#preparing.add(task);
  }

  /** Begins tasks and asks after them, all in one round trip; never rejects. */
  async #prepare(tasks: readonly Task[]): Promise<void> {
    const { inbox, clock, wanted, holds = wanted } = this.#ports;
    const { group, claimMs: holdMs } = this.#settings;
    const some = tasks.filter((task) => this.#isOurs(task));
    if (some.length === 0) return;
    const announced = some.filter((task) => task.announcement && this.#isHandled(task.event));
    const now = clock.now();
    const begin = async (): Promise<Begun[]> => {
      const arrivals = some.map(({ entry }) => entry);
      return inbox.begin(group, arrivals, { now, holdMs, token: this.#token });
    };
    const ask = async (): Promise<Verdict[]> =>
      announced.length > 0 ? holds(announced.map(({ event }) => event as Announced)) : [];
    const [begun, answers] = await Promise.allSettled([begin(), ask()]);
    if (begun.status === 'rejected') {
      const away = this.#away(begun.reason);
      for (const task of some) this.#settler.settle(task, away);
      return;
    }
    const refused = answers.status === 'rejected' ? this.#away(answers.reason) : undefined;
    if (!refused) this.#failures = 0;
    let asked = 0;
    for (const [index, task] of some.entries()) {
      let answer: Verdict | undefined;
      if (announced[asked] === task && answers.status === 'fulfilled')
        answer = answers.value[asked];
      if (announced[asked] === task) asked += 1;
      task.askedAt = now;
      const ending = this.#begunAs(task, begun.value[index], answer, refused);
      if (ending) {
        this.#settler.settle(task, ending);
      } else {
        this.#calls.add(task);
        if (this.#quieting.signal.aborted) this.#withdraw(task, { as: 'stopping' });
      }
    }
    this.#calls.dispatch();
  }

  /** @returns false for one that was taken away, which is settled */
  #isOurs(task: Task): boolean {
    const aborted = abortedAs(task);
    if (aborted) this.#settler.settle(task, aborted);
    return !aborted;
  }

  /** What becomes of a task that the inbox and the hot tier said this of; undefined: its handler is to be called. */
  #begunAs(
    task: Task,
    begun: Begun | undefined,
    answer: Verdict | undefined,
    refused: Ending | undefined,
  ): Ending | undefined {
    if (begun === 'unreadable' || begun === undefined)
      return { as: 'failed', error: new Error('the record of its subject in the inbox is spoilt') };
    if (begun !== 'new' && begun !== 'again') return { as: begun };
    task.begun = true;
    task.mayBeRepeat = begun === 'again';
    const aborted = abortedAs(task);
    if (aborted) return aborted;
    if (!this.#isHandled(task.event)) return { as: 'consumed' };
    if (!task.announcement) return undefined;
    if (refused) return refused;
    if (answer?.wanted) return undefined;
    return { as: 'unwanted', reason: answer?.reason ?? 'unknown' };
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
    this.#next(this.#lines.leave(task));
    this.#tasks.delete(task);
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
