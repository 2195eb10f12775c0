import { BusUnavailableError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type {
  Bus,
  DeadLetter,
  Delivery,
  GroupState,
  PublishResult,
  SubscribeOptions,
  Subscription,
} from '../../src/ports/bus.ts';
import type { Clock } from '../../src/ports/clock.ts';

/** An event that was read and is not settled: in somebody's hands until then, and from then on anybody's. */
interface Held {
  readonly event: AnyEvent;
  readonly attempts: number;
  readonly until: number;
  readonly token: number;
}

interface Group {
  /** How many events it has read, of all that were ever published. */
  read: number;
  readonly held: Map<number, Held>;
  dead: DeadLetter[];
  /** A lower bound of the instant at which the next one held is anybody's. */
  dueAt: number;
}

/** A broker in memory, by a clock that may be virtual. Cheap: for histories by the hundred thousand. */
export class MemoryBroker {
  readonly clock: Clock;
  /** All calls are refused while it is. */
  away = false;
  /** The `n`-th event that was ever published stands at `n - #trimmed`. */
  #events: AnyEvent[] = [];
  #trimmed = 0;
  #numbers = 0;
  readonly #groups = new Map<string, Group>();
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The bus as one process has it. */
  open(): MemoryBus {
    return new MemoryBus(this);
  }

  reach(): void {
    if (this.away)
      throw new BusUnavailableError('the bus is away', { cause: new Error('in a test') });
  }

  publish(events: readonly AnyEvent[]): void {
    for (const event of events) this.#events.push(event);
    this.wake();
  }

  group(name: string): Group {
    let group = this.#groups.get(name);
    if (!group) {
      group = { read: this.#trimmed, held: new Map(), dead: [], dueAt: Infinity };
      this.#groups.set(name, group);
    }
    return group;
  }

  groups(): GroupState[] {
    return [...this.#groups].map(([group, { read, held, dead }]) => ({
      group,
      behind: this.#trimmed + this.#events.length - read + held.size,
      deadLetters: dead.length,
    }));
  }

  trim(): number {
    const read = [...this.#groups.values()].map((group) => group.read);
    const removed = read.length === 0 ? 0 : Math.min(...read) - this.#trimmed;
    this.#events.splice(0, removed);
    this.#trimmed += removed;
    return removed;
  }

  /** The next event that the group has not read. */
  next(group: Group): AnyEvent | undefined {
    const event = this.#events[group.read - this.#trimmed];
    if (event) group.read += 1;
    return event;
  }

  hold(group: Group, entry: number, event: AnyEvent, attempts: number, forMs: number): number {
    const token = this.number();
    const until = this.clock.now() + forMs;
    group.held.set(entry, { event, attempts, until, token });
    if (until < group.dueAt) {
      group.dueAt = until;
      this.wake();
    }
    return token;
  }

  bury(group: Group, event: AnyEvent, reason: string, attempts: number): void {
    const id = String(this.number()).padStart(12, '0');
    const at = this.clock.now();
    group.dead.push({ id, event, body: JSON.stringify(event), reason, attempts, at });
  }

  number(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** Waits for news, at most until `at`. */
  async news(at: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    if (!signal.aborted) await this.clock.sleep(at - this.clock.now(), woken.signal);
    signal.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

/** The bus of a {@link MemoryBroker}. */
export class MemoryBus implements Bus {
  readonly #broker: MemoryBroker;
  readonly #subscriptions = new Set<MemorySubscription>();

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  async publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]> {
    signal?.throwIfAborted();
    this.#broker.reach();
    this.#broker.publish(events);
    return events.map(() => ({ durable: true }));
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.#broker.reach();
    const subscription = new MemorySubscription(this.#broker, options);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async deadLetters(group: string, limit: number, from = ''): Promise<DeadLetter[]> {
    this.#broker.reach();
    const { dead } = this.#broker.group(group);
    return dead.filter(({ id }) => id >= from).slice(0, limit);
  }

  async replay(name: string, ids?: readonly string[]): Promise<number> {
    this.#broker.reach();
    const group = this.#broker.group(name);
    const chosen = group.dead.filter(({ id }) => !ids || ids.includes(id));
    group.dead = group.dead.filter((letter) => !chosen.includes(letter));
    for (const { event } of chosen) {
      if (event) this.#broker.hold(group, this.#broker.number(), event, 0, 0);
    }
    return chosen.length;
  }

  async drop(name: string, ids: readonly string[]): Promise<number> {
    this.#broker.reach();
    const group = this.#broker.group(name);
    const before = group.dead.length;
    group.dead = group.dead.filter(({ id }) => !ids.includes(id));
    return before - group.dead.length;
  }

  async groups(): Promise<GroupState[]> {
    this.#broker.reach();
    return this.#broker.groups();
  }

  async trim(): Promise<number> {
    this.#broker.reach();
    return this.#broker.trim();
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) await subscription.close();
  }
}

/** While the broker is away, it is asked again as often. */
const AWAY_MS = 50;

class MemorySubscription implements Subscription {
  readonly #broker: MemoryBroker;
  readonly #group: Group;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #claimMs: number;
  readonly #maxDeliveries: number;
  readonly #closed = new AbortController();

  constructor(
    broker: MemoryBroker,
    { group, types, claimMs = 30_000, maxDeliveries = 5 }: SubscribeOptions,
  ) {
    this.#broker = broker;
    this.#group = broker.group(group);
    this.#types = types && new Set(types);
    this.#claimMs = claimMs;
    this.#maxDeliveries = maxDeliveries;
  }

  async receive(max: number, waitMs: number, signal?: AbortSignal): Promise<Delivery[]> {
    const { clock } = this.#broker;
    const deadline = clock.now() + waitMs;
    const over = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
    while (!over.aborted) {
      const found = this.#broker.away ? [] : this.#take(max);
      if (found.length > 0 || clock.now() >= deadline) return found;
      const next = this.#broker.away ? clock.now() + AWAY_MS : this.#group.dueAt;
      await this.#broker.news(Math.min(deadline, next), over);
    }
    return [];
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  #take(max: number): Delivery[] {
    const found = this.#takeDue(max);
    while (found.length < max) {
      const event = this.#broker.next(this.#group);
      if (!event) break;
      const wanted = !this.#types || this.#types.has(event.type);
      if (wanted) found.push(this.#deliver(this.#broker.number(), event, 1));
    }
    return found;
  }

  #takeDue(max: number): Delivery[] {
    const now = this.#broker.clock.now();
    const group = this.#group;
    const found: Delivery[] = [];
    if (group.dueAt > now) return found;
    for (const [entry, { event, attempts, until }] of [...group.held]) {
      if (until > now || found.length === max) continue;
      group.held.delete(entry);
      if (attempts < this.#maxDeliveries) found.push(this.#deliver(entry, event, attempts + 1));
      else
        this.#broker.bury(group, event, `delivered ${attempts} times and never settled`, attempts);
    }
    group.dueAt = Infinity;
    for (const { until } of group.held.values()) group.dueAt = Math.min(group.dueAt, until);
    return found;
  }

  #deliver(entry: number, event: AnyEvent, attempt: number): Delivery {
    const token = this.#broker.hold(this.#group, entry, event, attempt, this.#claimMs);
    return new MemoryDelivery(
      this.#broker,
      this.#group,
      { entry, event, attempt, token },
      { claimMs: this.#claimMs, maxDeliveries: this.#maxDeliveries },
    );
  }
}

class MemoryDelivery implements Delivery {
  readonly event: AnyEvent;
  readonly attempt: number;
  readonly #broker: MemoryBroker;
  readonly #group: Group;
  readonly #entry: number;
  readonly #options: { readonly claimMs: number; readonly maxDeliveries: number };
  #token: number;
  #settled = false;

  constructor(
    broker: MemoryBroker,
    group: Group,
    claim: {
      readonly entry: number;
      readonly event: AnyEvent;
      readonly attempt: number;
      readonly token: number;
    },
    options: { readonly claimMs: number; readonly maxDeliveries: number },
  ) {
    this.event = claim.event;
    this.attempt = claim.attempt;
    this.#broker = broker;
    this.#group = group;
    this.#entry = claim.entry;
    this.#token = claim.token;
    this.#options = options;
  }

  async done(): Promise<void> {
    this.#broker.reach();
    if (this.#settled) return;
    this.#settled = true;
    this.#group.held.delete(this.#entry);
  }

  async retry(delayMs: number, reason = 'the handler asked for another attempt'): Promise<boolean> {
    const { maxDeliveries } = this.#options;
    if (this.attempt < maxDeliveries) return this.#putOff(delayMs, this.attempt);
    return this.deadLetter(`attempt ${this.attempt} of ${maxDeliveries} failed: ${reason}`);
  }

  async defer(delayMs: number): Promise<boolean> {
    return this.#putOff(delayMs, this.attempt - 1);
  }

  async deadLetter(reason: string): Promise<boolean> {
    if (!this.#isOwn()) return false;
    this.#settled = true;
    this.#group.held.delete(this.#entry);
    this.#broker.bury(this.#group, this.event, reason, this.attempt);
    return true;
  }

  async renew(): Promise<boolean> {
    if (!this.#isOwn()) return false;
    this.#hold(this.#options.claimMs, this.attempt);
    return true;
  }

  #putOff(delayMs: number, attempts: number): boolean {
    if (!this.#isOwn()) return false;
    this.#settled = true;
    this.#hold(Math.max(0, delayMs), attempts);
    return true;
  }

  #hold(forMs: number, attempts: number): void {
    this.#token = this.#broker.hold(this.#group, this.#entry, this.event, attempts, forMs);
  }

  #isOwn(): boolean {
    this.#broker.reach();
    return !this.#settled && this.#group.held.get(this.#entry)?.token === this.#token;
  }
}
