import { isDeepStrictEqual } from 'node:util';
import { openBus } from '../../src/compose.ts';
import type { Config } from '../../src/config.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Bus, Subscription } from '../../src/ports/bus.ts';

const RECEIVE_BATCH = 100;
const RECEIVE_WAIT_MS = 1_000;

type Matches = (event: AnyEvent) => boolean;

/** A subscriber that remembers all it hears, and tells who waits for something. */
export class BusEar {
  /** Each event once, in the order in which it first came. */
  readonly events: AnyEvent[] = [];
  /** Events that came again. */
  repeats = 0;
  /** Events that came again and said something else. */
  readonly changed: AnyEvent[] = [];
  /** Events that a subscriber drops who goes by `sequence`: another of their user took effect before. */
  readonly fenced: AnyEvent[] = [];
  readonly #byId = new Map<string, AnyEvent>();
  readonly #byUser = new Map<string, AnyEvent[]>();
  readonly #waiting = new Map<string, Set<(event: AnyEvent) => void>>();
  readonly #bus: Bus;
  readonly #subscription: Subscription;
  readonly #over = new AbortController();
  readonly #listening: Promise<void>;

  private constructor(bus: Bus, subscription: Subscription) {
    this.#bus = bus;
    this.#subscription = subscription;
    this.#listening = this.#listen();
    this.#listening.catch(() => undefined);
  }

  static async open(config: Config): Promise<BusEar> {
    const bus = await openBus(config);
    return new BusEar(bus, await bus.subscribe({ group: 'ear' }));
  }

  /** How many events are on the bus and not heard yet. */
  async behind(): Promise<number> {
    return (await this.#bus.groups()).reduce((sum, { behind }) => sum + behind, 0);
  }

  /** What was heard of the user, in the order of `sequence`. */
  of(user: string): AnyEvent[] {
    return (this.#byUser.get(user) ?? []).toSorted((a, b) => (a.sequence < b.sequence ? -1 : 1));
  }

  /** Waits for an event of the user that was heard, or is. Undefined when `signal` aborts. */
  async until(user: string, matches: Matches, signal?: AbortSignal): Promise<AnyEvent | undefined> {
    const known = this.#byUser.get(user)?.find(matches);
    if (known || signal?.aborted) return known;
    const { promise, resolve } = Promise.withResolvers<AnyEvent | undefined>();
    const listener = (event: AnyEvent): void => {
      if (matches(event)) resolve(event);
    };
    const giveUp = (): void => resolve(undefined);
    const listeners = this.#waiting.get(user) ?? new Set();
    this.#waiting.set(user, listeners.add(listener));
    signal?.addEventListener('abort', giveUp, { once: true });
    const found = await promise;
    listeners.delete(listener);
    signal?.removeEventListener('abort', giveUp);
    return found;
  }

  async close(): Promise<void> {
    this.#over.abort();
    await this.#listening;
    await this.#subscription.close();
    await this.#bus.close();
  }

  async #listen(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const deliveries = await this.#subscription.receive(RECEIVE_BATCH, RECEIVE_WAIT_MS, signal);
      for (const { event, attempt } of deliveries) if (attempt === 1) this.#hear(event);
      await Promise.all(deliveries.map((delivery) => delivery.done()));
    }
  }

  #hear(event: AnyEvent): void {
    const { user } = event.data;
    const known = this.#byId.get(event.id);
    if (known) {
      this.repeats += 1;
      if (!isDeepStrictEqual(known, event)) this.changed.push(event);
      return;
    }
    const others = this.#byUser.get(user) ?? [];
    if (others.some(({ sequence }) => sequence >= event.sequence)) this.fenced.push(event);
    this.#byId.set(event.id, event);
    this.#byUser.set(user, [...others, event]);
    this.events.push(event);
    for (const listener of this.#waiting.get(user) ?? []) listener(event);
  }
}
