import type { AnyEvent, EventType, RekindleEvent } from '../model/event.ts';
import type { Delivery } from '../ports/bus.ts';
import type { Arrival } from '../ports/inbox.ts';
import { type NoLongerWantedError, TakenAwayError } from './errors.ts';

/** Why an event is not to be handled to its end. */
export type AbortReason = NoLongerWantedError | TakenAwayError;

/** One delivery in hand. Its way is told in subscriber.ts. */
export class Task {
  readonly delivery: Delivery;
  readonly event: AnyEvent;
  /** What it is to the inbox. */
  readonly entry: Arrival;
  /** Events with the same line are handled one after another. */
  readonly line: string;
  stage: 'waiting' | 'preparing' | 'ready' | 'handling' | 'settling' = 'waiting';
  /** Where it is among the tasks in hand. */
  place = -1;
  /** When its claim was renewed last, or began. */
  renewedAt: number;
  /** It was taken into hands in the inbox and not out of them. */
  begun = false;
  mayBeRepeat = false;
  /** When it was asked whether it is wanted still. */
  askedAt = -Infinity;
  /** When its handler was called; undefined: it was not. */
  handledFrom: number | undefined;
  /** Whether nobody waits for its handler any more. */
  ended = false;
  /** A renewal that is under way. */
  renewing: Promise<void> | undefined;
  /** Until when its handler asked to hold it. */
  deferredTo: number | undefined;
  aborted: { readonly why: AbortReason; readonly at: number } | undefined;
  #controller: AbortController | undefined;
  /** Called once when the handler is not waited for any longer. */
  onGivenUp: (() => void) | undefined;

  constructor(delivery: Delivery, now: number) {
    this.delivery = delivery;
    this.event = delivery.event;
    this.entry = arrivalOf(delivery.event);
    this.line = `${this.entry.source} ${this.entry.subject}`;
    this.renewedAt = now;
  }

  /** Made for those who ask: most handlers do not. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.aborted.why);
    }
    return this.#controller.signal;
  }

  /** Nothing is under way for it: it may be settled at once. */
  get waits(): boolean {
    return this.stage === 'waiting' || this.stage === 'ready';
  }

  get announcement(): RekindleEvent<'cart.abandoned'> | undefined {
    return this.event.type === 'cart.abandoned' ? this.event : undefined;
  }

  get lost(): boolean {
    return this.aborted?.why instanceof TakenAwayError && this.aborted.why.reason === 'lost';
  }

  /** Tells the handler; the first reason stands, but for a loss: what is somebody else's is not settled here. */
  abort(why: AbortReason, now: number): void {
    const lost = why instanceof TakenAwayError && why.reason === 'lost';
    if (this.stage === 'settling' || this.lost || (this.aborted && !lost)) return;
    this.aborted = { why, at: this.aborted?.at ?? now };
    this.#controller?.abort(why);
  }
}

/** What happened: it stands whatever came later. The others say what is to be done, and only the latest counts. */
const FACTS: ReadonlySet<EventType> = new Set(['cart.touched', 'cart.recovered']);

function arrivalOf(event: AnyEvent): Arrival {
  const { id, source, sequence, subject, type } = event;
  const at = Date.parse(event.time);
  // That a user is erased holds whenever it was said; and after it no key of ours is to name the user.
  if (type === 'user.erased') return { subject: id, source, id, sequence, at, user: undefined };
  const { user } = event.data;
  return { subject, source, id, sequence, at, user, fact: FACTS.has(type) };
}
