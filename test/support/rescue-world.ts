import { Activity } from '../../src/abandonment/activity.ts';
import { Announcer } from '../../src/abandonment/announce.ts';
import { Looker } from '../../src/abandonment/look.ts';
import type { LookSettings } from '../../src/abandonment/look.ts';
import { areStillWanted, doStillHold } from '../../src/abandonment/wanted.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { BusUnavailableError } from '../../src/model/errors.ts';
import type { AnyEvent, RekindleEvent } from '../../src/model/event.ts';
import type { Bus, Delivery, Subscription } from '../../src/ports/bus.ts';
import type { Inbox } from '../../src/ports/inbox.ts';
import type { Outbox, OutgoingMessage, Sent } from '../../src/ports/outbox.ts';
import type { Recalled } from '../../src/recall/recalled.ts';
import { createRescueHandler } from '../../src/rescue/agent/agent.ts';
import { type Counts, noCounts } from '../../src/rescue/counts.ts';
import { noteReply, noteTouch } from '../../src/rescue/outcome.ts';
import type { ReceivedEvent } from '../../src/rescue/received-event.ts';
import { Subscriber } from '../../src/rescue/subscriber.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Hot } from './hot-options.ts';
import { replacing } from './replacing.ts';
import { Process, type Sleeper, type StandingClock } from './rescue-process.ts';
import { RESCUE_SETTINGS } from './rescue-settings.ts';
import type { Call, RescueTruth } from './rescue-truth.ts';

export const GROUP = 'rescue';

const CLAIM_MS = 30 * SECOND_MS;

/** More often than any history stops a process or takes a port away: only what fails for ever gets there. */
const MAX_DELIVERIES = 24;

/** More would be a world that goes round and round. */
const TURNS_MAX = 20_000;

/** Where things are kept and sent: in memory, or in Redis. */
export interface Places {
  readonly clock: StandingClock;
  readonly hot: Hot;
  readonly inbox: Inbox;
  readonly openBus: () => Bus;
  /** Removes what the hot tier holds of the user, and tells `bus`. */
  readonly erase: (user: string, bus: Pick<Bus, 'publish'>) => Promise<void>;
  /** Resolves when nothing moves any more. @param busy how many calls are under way */
  readonly settled: (busy: () => number) => Promise<void>;
  /** Time has moved on by so much. */
  readonly onMoved: (ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What may refuse: the next calls to it throw, some after they took effect. */
export type Port = 'publish' | 'bus' | 'hot' | 'inbox' | 'outbox' | 'notes';

interface Fault {
  times: number;
  readonly effective: boolean;
}

interface Watcher {
  readonly process: Process;
  readonly looker: Looker;
  looking: boolean;
}

interface Member {
  readonly process: Process;
  readonly subscriber: Subscriber;
  readonly subscriptions: Subscription[];
}

const NOTHING: Recalled = {
  immediate: { cart: [], state: {}, messages: [] },
  relevant: [],
  insights: [],
  tokens: 0,
  dropped: [],
};

/**
 * A watcher, the members of a group of example agents, an application: the whole way from a cart that was left to the
 * message, in time that is moved by hand. Who watches over it is told of what leaves and of what is recorded.
 */
export class RescueWorld {
  readonly library: Activity;
  readonly settings: LookSettings;
  readonly members: Member[] = [];
  watcher: Watcher;
  readonly stopped: Watcher[] = [];
  readonly poisoned = new Set<string>();
  crashes = 0;
  repeats = 0;
  readonly #places: Places;
  readonly #truth: RescueTruth;
  readonly #bus: Bus;
  readonly #faults = new Map<Port, Fault>();
  readonly #sent = new Map<string, Sent>();
  readonly #retired: Subscriber[] = [];
  #busy = 0;
  /** Called when there may be something new on the bus. */
  #news: (() => void)[] = [];
  #dueAt = Infinity;
  /** When a watcher read what is known of each user. */
  readonly #readAt = new Map<string, number>();

  private constructor(places: Places, truth: RescueTruth) {
    const { hot, clock } = places;
    this.#places = places;
    this.#truth = truth;
    this.#bus = places.openBus();
    this.settings = {
      ...RESCUE_SETTINGS,
      sessionKey: (ref) => hot.sessions.keyOf(ref),
      nameOf: (ref) => hot.keys.names.nameOf(ref),
    };
    const limits = { hotTtlMs: DAY_MS, maxCart: 65_536 };
    this.library = new Activity(hot.sessions, clock, limits, (text) => text.length);
    this.watcher = this.#newWatcher();
  }

  static async open(places: Places, truth: RescueTruth, members: number): Promise<RescueWorld> {
    const world = new RescueWorld(places, truth);
    for (let n = 0; n < members; n += 1) world.members.push(await world.#newMember());
    return world;
  }

  get now(): number {
    return this.#places.clock.now();
  }

  get hot(): Hot {
    return this.#places.hot;
  }

  /** What became of what all members received. */
  get counts(): Counts {
    const sum = noCounts();
    for (const { counts } of [...this.members.map((one) => one.subscriber), ...this.#retired])
      for (const name of Object.keys(sum) as (keyof Counts)[])
        if (name !== 'unwanted') sum[name] += counts[name];
    return sum;
  }

  /** Whether something is out of order at the moment. */
  get troubled(): boolean {
    const still = ({ process }: { readonly process: Process }): boolean =>
      process.haltedAt !== undefined;
    return this.#faults.size > 0 || this.members.some(still) || still(this.watcher);
  }

  fail(port: Port, times: number, effective: boolean): void {
    this.#faults.set(port, { times, effective });
  }

  mend(): void {
    this.#faults.clear();
  }

  /** Everybody does what is due until `at`. */
  async runUntil(at: number): Promise<void> {
    const { clock } = this.#places;
    await this.settle();
    for (let turns = 0; ; ) {
      if ((turns += 1) > TURNS_MAX) throw new Error(`turns for ever at ${this.now}`);
      if (await this.#look()) continue;
      const next = Math.min(this.#dueAt, clock.nextAt);
      if (next > at) break;
      await this.jumpTo(next);
      clock.wake();
      await this.settle();
    }
    await this.jumpTo(at);
  }

  /** Time passes, and nobody notices: the machine sleeps. */
  async jumpTo(at: number): Promise<void> {
    const before = this.now;
    this.#places.clock.moveTo(at);
    if (this.now > before) await this.#places.onMoved(this.now - before);
  }

  settle(): Promise<void> {
    return this.#places.settled(() => this.#busy);
  }

  /** The watcher dies, and another one takes its place. */
  killWatcher(): void {
    this.crashes += 1;
    this.watcher.process.kill();
    this.watcher = this.#newWatcher();
  }

  /** A member dies, and another one takes its place. */
  async killMember(which: number): Promise<void> {
    const member = this.members[which];
    if (!member) return;
    this.crashes += 1;
    member.process.kill();
    this.#retired.push(member.subscriber);
    for (const one of member.subscriptions) await one.close();
    this.members[which] = await this.#newMember();
  }

  resumeAll(): void {
    for (const { process } of [...this.members, ...this.stopped, this.watcher]) process.resume();
  }

  /** An event comes on the wire again. */
  async repeat(event: AnyEvent): Promise<void> {
    this.repeats += 1;
    await this.#bus.publish([event]);
    this.#tellNews();
  }

  async erase(user: string): Promise<void> {
    await this.#places.erase(user, {
      publish: async (events) => {
        const results = await this.#bus.publish(events);
        for (const event of events) this.#truth.told(event, this.now);
        return results;
      },
    });
    this.#tellNews();
  }

  async reply(event: RekindleEvent<'cart.abandoned'>): Promise<boolean> {
    const { hot, clock } = this.#places;
    return noteReply(event.data.user, event, this.now, { ledgers: hot.ledgers, clock });
  }

  /** What is left at the end. */
  async leftOver(users: readonly string[]): Promise<{ behind: number; dead: AnyEvent[] }> {
    const readings = await this.hot.ledgers.read(users, this.now);
    for (const { user, pending, notes } of readings)
      if (pending.length > 0 || notes.length > 0) throw new Error(`${user} has something pending`);
    for (const user of users) {
      const { leasedUntil, dueAt = Infinity } = await this.hot.agenda.inspect(user);
      if (leasedUntil !== undefined || dueAt <= this.now)
        throw new Error(`${user} is not looked at`);
    }
    const groups = await this.#bus.groups();
    const letters = await this.#bus.deadLetters(GROUP, 100);
    return {
      behind: groups.find(({ group }) => group === GROUP)?.behind ?? NaN,
      dead: letters.flatMap(({ event }) => (event ? [event] : [])),
    };
  }

  async close(): Promise<void> {
    for (const { process, subscriptions } of this.members) {
      process.kill();
      for (const one of subscriptions) await one.close();
    }
    await this.#bus.close();
    await this.#places.close();
  }

  /** Whether the watcher looked at somebody, or another one took the place of one that halted. */
  async #look(): Promise<boolean> {
    const { watcher } = this;
    let looked: { readonly users: number; readonly nextDueAt: number | undefined } | undefined;
    if (!watcher.looking) {
      watcher.looking = true;
      watcher.looker.lookOnce().then(
        (result) => {
          looked = result;
          watcher.looking = false;
        },
        (error: unknown) => this.#truth.fail(`a look failed: ${String(error)}`),
      );
      await this.settle();
    }
    if (!looked) {
      // It stands still, or has died there; its lease runs out.
      this.stopped.push(watcher);
      this.watcher = this.#newWatcher();
      return true;
    }
    this.#dueAt = looked.nextDueAt ?? Infinity;
    if (looked.users === 0) await this.#seen();
    return looked.users > 0;
  }

  /** Who was read, and is neither due nor in somebody's hands, was looked at to the end. */
  async #seen(): Promise<void> {
    for (const [user, readAt] of this.#readAt) {
      if (!this.#truth.isUnseen(user, readAt)) continue;
      const { dueAt = Infinity, leasedUntil } = await this.hot.agenda.inspect(user);
      if (leasedUntil === undefined && dueAt > this.now) this.#truth.seen(user, readAt, this.now);
    }
  }

  #newWatcher(): Watcher {
    const { hot, clock } = this.#places;
    const process = new Process(clock);
    const gate = <P extends object>(port: P): P =>
      process.gated(port, (_, run) => this.#count(run));
    const ports = {
      clock: process.clock,
      agenda: gate(hot.agenda),
      ledgers: gate(
        replacing(hot.ledgers, {
          read: (users, now) => {
            for (const user of users) this.#readAt.set(user, this.now);
            return hot.ledgers.read(users, now);
          },
        }),
      ),
      sessions: hot.sessions,
      jobs: { add: async () => undefined },
    };
    const bus = {
      publish: (events: readonly AnyEvent[]) => process.call(() => this.#publish(events)),
    } as unknown as Bus;
    const announcer = new Announcer(bus, process.clock, () => undefined);
    const looker = new Looker(
      ports,
      announcer,
      this.settings,
      () => undefined,
      (user, error) => this.#truth.fail(`a look at ${user} failed: ${String(error)}`),
    );
    return { process, looker, looking: false };
  }

  async #publish(events: readonly AnyEvent[]): ReturnType<Bus['publish']> {
    return this.#run('publish', async () => {
      const results = await this.#bus.publish(events);
      for (const event of events) if (this.#truth.told(event, this.now)) this.repeats += 1;
      this.#tellNews();
      return results;
    });
  }

  async #newMember(): Promise<Member> {
    const { hot, clock, inbox } = this.#places;
    const process = new Process(clock);
    const subscriptions: Subscription[] = [];
    const calls = new Map<string, Call>();
    const callOf = new WeakMap<object, Call>();
    const gate = <P extends object>(port: P, name: Port): P =>
      process.gated(port, (_, run) => this.#run(name, run));
    const ledgers = gate(hot.ledgers, 'hot');
    const agent = createRescueHandler({
      recall: async () => NOTHING,
      drafter: {
        draft: async ({ about }) => {
          const call = callOf.get(about);
          if (call) this.#truth.wrote(call);
          return { text: 'Your cart waits.', language: 'en', by: 'nobody' };
        },
      },
      outbox: this.#outbox(process, calls),
      recordTouch: (event, sent) =>
        process.call(() => this.#run('notes', () => this.#note(event, sent))),
      clock: process.clock,
      log: silentLogger,
    });
    const subscriber = new Subscriber(
      {
        bus: { subscribe: async (options) => this.#subscribe(process, options, subscriptions) },
        inbox: gate(inbox, 'inbox'),
        clock: process.clock,
        wanted: (events) =>
          areStillWanted(
            events.map(({ data }) => ({ ref: data.user, data })),
            { ledgers, clock: process.clock },
            this.settings,
          ),
        holds: (events) =>
          doStillHold(
            events.map((event) => ({ ref: event.data.user, event })),
            { ledgers, clock: process.clock },
            this.settings,
          ),
      },
      {
        group: GROUP,
        types: ['cart.abandoned'],
        claimMs: CLAIM_MS,
        maxDeliveries: MAX_DELIVERIES,
        backoff: { firstMs: SECOND_MS, longestMs: MINUTE_MS },
        handler: async (event: ReceivedEvent<'cart.abandoned'>) => {
          const call = this.#truth.called(event, event.mayBeRepeat);
          calls.set(event.id, call);
          callOf.set(event.data, call);
          const ask = event.isStillWanted.bind(event);
          Object.defineProperty(event, 'isStillWanted', {
            value: async () => {
              this.#truth.check(call, event, this.now);
              const wanted = await ask();
              this.#truth.answered(call, event, this.now);
              return wanted;
            },
          });
          await agent(event);
        },
      },
      { random: () => 0.5 },
    );
    await subscriber.start();
    return { process, subscriber, subscriptions };
  }

  #outbox(process: Process, calls: ReadonlyMap<string, Call>): Outbox {
    return {
      sent: (key) => process.call(() => this.#run('outbox', async () => this.#sent.get(key))),
      send: (message, key) =>
        process.call(() =>
          this.#run('outbox', async () => this.#send(message, key, calls.get(key))),
        ),
      close: async () => undefined,
    };
  }

  #send(message: OutgoingMessage, key: string, call: Call | undefined): Sent {
    if (this.poisoned.has(message.user)) throw new Error('the message is never taken');
    const known = this.#sent.get(key);
    if (known) return known;
    const sent = { messageId: `m-${key}`, channel: message.channel, at: this.now };
    this.#sent.set(key, sent);
    this.#truth.sent(message, call, this.now);
    return sent;
  }

  async #note(
    event: RekindleEvent<'cart.abandoned'>,
    touch: { readonly channel: string; readonly message_id: string; readonly at: number },
  ): Promise<boolean> {
    const { hot, clock } = this.#places;
    const noted = await noteTouch(event.data.user, event, touch, { ledgers: hot.ledgers, clock });
    if (noted) this.#truth.noted(event, touch, this.now);
    return noted;
  }

  async #subscribe(
    process: Process,
    options: Parameters<Bus['subscribe']>[0],
    opened: Subscription[],
  ): Promise<Subscription> {
    const own = await this.#bus.subscribe(options);
    opened.push(own);
    return {
      receive: async (max, _waitMs, signal) => {
        const take = async (): Promise<Delivery[]> => {
          const found = await own.receive(max, 0);
          // Whether or not anybody hears of them, they are held for so long.
          return found.map((one) => this.#delivery(process, one, this.#tellNewsIn(CLAIM_MS)));
        };
        for (;;) {
          const news = new Promise<void>((resolve) => this.#news.push(resolve));
          const found = await process.call(() => this.#run('bus', take));
          if (signal?.aborted) return [];
          if (found.length > 0) return found;
          await news;
        }
      },
      close: () => own.close(),
    };
  }

  /** @param claim tells others when it has run out */
  #delivery(process: Process, own: Delivery, claim: Sleeper): Delivery {
    const settle = <T>(run: () => Promise<T>): Promise<T> =>
      process.call(() =>
        this.#run('bus', async () => {
          const settled = await run();
          this.#places.clock.cancel(claim);
          return settled;
        }),
      );
    const putOff = (delayMs: number, run: () => Promise<boolean>): Promise<boolean> =>
      settle(() => {
        this.#tellNewsIn(delayMs);
        return run();
      });
    // Each delivery is told apart by its own copy.
    const event = { ...own.event, data: { ...own.event.data } } as AnyEvent;
    this.#truth.received(event);
    return {
      event,
      attempt: own.attempt,
      done: () => settle(() => own.done()),
      retry: (delayMs, reason) => putOff(delayMs, () => own.retry(delayMs, reason)),
      defer: (delayMs) => putOff(delayMs, () => own.defer(delayMs)),
      deadLetter: (reason) => settle(() => own.deadLetter(reason)),
      renew: () => putOff(CLAIM_MS, () => own.renew()),
    };
  }

  #tellNews(): void {
    const news = this.#news;
    this.#news = [];
    for (const tell of news) tell();
  }

  #tellNewsIn(ms: number): Sleeper {
    return this.#places.clock.at(this.now + ms, () => this.#tellNews());
  }

  /** A call that may find its port away. */
  async #run<T>(port: Port, effect: () => Promise<T>): Promise<T> {
    const fault = this.#faults.get(port);
    if (!fault) return this.#count(effect);
    fault.times -= 1;
    if (fault.times <= 0) this.#faults.delete(port);
    this.#truth.trouble(this.now);
    if (fault.effective) await this.#count(effect);
    throw new BusUnavailableError(`the ${port} is away`);
  }

  async #count<T>(effect: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await effect();
    } finally {
      this.#busy -= 1;
    }
  }
}
