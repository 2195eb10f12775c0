import type { Wanted } from '../abandonment/wanted.ts';
import type { EventType, RekindleEvent } from '../model/event.ts';

/** What a handler may ask and say of the event in its hands, beside what the event itself says. */
export interface InHand {
  /** 1 for the first time that this group's handler is called with it. */
  readonly attempt: number;
  /** An earlier call may have taken effect: it failed half-way, or its process died before it could say so. */
  readonly mayBeRepeat: boolean;
  /**
   * Aborts when it is no longer to be acted on: it was taken back or overtaken, its claim was lost, the handler took too
   * long, or the subscriber stops. What the handler returns or throws then does not count.
   */
  readonly signal: AbortSignal;
  /**
   * Holds it until then, durably, and calls the handler again; it does not count as an attempt. Takes effect when the
   * handler returns.
   * @param at Unix milliseconds, or an ISO 8601 text such as `contact.not_before`
   */
  deferUntil(at: number | string): void;
}

/** What may be asked of an announcement in hand. */
export interface StillWanted {
  /**
   * Does it still hold, and may the user be contacted now? One round trip; ask right before you send.
   * @throws Error when the hot tier is away: then nobody knows
   */
  isStillWanted(): Promise<Wanted>;
}

/** An event as a handler receives it. Its own properties are those of the CloudEvent, and nothing else. */
export type ReceivedEvent<T extends EventType = EventType> = {
  [K in T]: RekindleEvent<K> & InHand & (K extends 'cart.abandoned' ? StillWanted : unknown);
}[T];

/** Acts on one event. Returning is success, whatever is returned; throwing asks for another attempt. */
export type Handler<T extends EventType = EventType> = (event: ReceivedEvent<T>) => unknown;
