import type { AnyEvent } from '../model/event.ts';
import type { Bus, Delivery, SubscribeOptions, Subscription } from '../ports/bus.ts';

/** An event that waits, and from when on it may be given. */
interface Held {
  readonly event: AnyEvent;
  readonly attempt: number;
  readonly dueAt: number;
}

/**
 * The bus as the agent of a replay has it: what came over the real stream is put here, and held by the virtual clock. The
 * stream itself holds what is deferred by the time of its server, in which a night takes a night.
 *
 * One member takes part. It is at rest when it waits for more, has nothing in hand, and nothing is due.
 */
export class AgentBus implements Pick<Bus, 'subscribe'> {
  readonly #clock: { now(): number };
  /** By instant, those of the same in the order in which they came. */
  readonly #held: Held[] = [];
  #types: ReadonlySet<string> | undefined;
  #inHand = 0;
  #given = 0;
  /** Ends the wait of the member. */
  #wake: (() => void) | undefined;
  #onRest: (() => void) | undefined;

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  async subscribe({ types }: SubscribeOptions): Promise<Subscription> {
    this.#types = types && new Set(types);
    const closed = new AbortController();
    return {
      receive: (max, _waitMs, signal) =>
        this.#receive(max, signal ? AbortSignal.any([signal, closed.signal]) : closed.signal),
      close: async () => closed.abort(),
    };
  }

  /** Gives the member an event at its next turn. */
  put(event: AnyEvent): void {
    if (!this.#types || this.#types.has(event.type)) this.#hold(event, 1, this.#clock.now());
  }

  /** When the next event that is held is due; undefined: none is held. */
  nextAt(): number | undefined {
    return this.#held[0]?.dueAt;
  }

  /** Events that are held. */
  get held(): number {
    return this.#held.length;
  }

  /** Lets the member take all that is due, and settles when it is at rest. @returns how many it was given */
  async rest(): Promise<number> {
    const before = this.#given;
    const rested = new Promise<void>((resolve) => (this.#onRest = resolve));
    if (this.#dueCount() > 0) this.#wake?.();
    else this.#restIfIdle();
    await rested;
    return this.#given - before;
  }

  async #receive(max: number, over: AbortSignal): Promise<Delivery[]> {
    while (!over.aborted) {
      const due = this.#held.splice(0, Math.min(max, this.#dueCount()));
      if (due.length > 0) {
        this.#inHand += due.length;
        this.#given += due.length;
        return due.map((held) => this.#delivery(held));
      }
      const news = new Promise<void>((resolve) => (this.#wake = resolve));
      const wake = (): void => this.#wake?.();
      over.addEventListener('abort', wake, { once: true });
      this.#restIfIdle();
      await news;
      this.#wake = undefined;
      over.removeEventListener('abort', wake);
    }
    return [];
  }

  #delivery({ event, attempt }: Held): Delivery {
    let settled = false;
    const settle = (again?: { readonly attempt: number; readonly delayMs: number }): boolean => {
      if (settled) return false;
      settled = true;
      this.#inHand -= 1;
      if (again) this.#hold(event, again.attempt, this.#clock.now() + again.delayMs);
      this.#restIfIdle();
      return true;
    };
    return {
      event,
      attempt,
      done: async () => void settle(),
      retry: async (delayMs) => settle({ attempt: attempt + 1, delayMs }),
      defer: async (delayMs) => settle({ attempt, delayMs }),
      deadLetter: async () => settle(),
      // Nobody else could have it.
      renew: async () => !settled,
    };
  }

  #hold(event: AnyEvent, attempt: number, dueAt: number): void {
    const after = this.#held.findLastIndex((other) => other.dueAt <= dueAt);
    this.#held.splice(after + 1, 0, { event, attempt, dueAt });
  }

  #dueCount(): number {
    const now = this.#clock.now();
    const later = this.#held.findIndex(({ dueAt }) => dueAt > now);
    return later === -1 ? this.#held.length : later;
  }

  #restIfIdle(): void {
    if (!this.#wake || this.#inHand > 0) return;
    if (this.#dueCount() > 0) {
      this.#wake();
      return;
    }
    this.#onRest?.();
    this.#onRest = undefined;
  }
}
