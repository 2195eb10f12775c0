import type { AnyEvent, EventType } from '../model/event.ts';

/** What became of one event: durable on the bus, or refused (retryable or for good) with a reason. */
export type PublishResult =
  | { readonly durable: true }
  | {
      readonly durable: false;
      readonly retryable: boolean;
      readonly reason: string;
      /** The consumer group that is too far behind, where that is the reason. */
      readonly group?: string | undefined;
    };

/** The event bus. At least once: a repeat has the same id. */
export interface Bus {
  /**
   * Puts events on the bus, in order, and settles when they are durable there. Once `signal` aborts, what is not known
   * to be durable counts as refused; some of it may be on the bus all the same.
   * @returns one result for each event, in their order
   * @throws BusUnavailableError when the bus takes none now: away, a consumer group is too far behind, or there is no
   *   group yet and it would keep nothing until there is
   */
  publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]>;

  /**
   * Opens a subscription for one member of a consumer group; the group is created if need be, and then gets what is
   * still on the bus.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /** Dead letters of a group, oldest first. @param from the id of the first one */
  deadLetters(group: string, limit: number, from?: string): Promise<DeadLetter[]>;

  /**
   * Gives a group its dead letters again, as if nobody had tried them: those of `ids`, or all.
   * @returns how many
   */
  replay(group: string, ids?: readonly string[]): Promise<number>;

  /** Removes dead letters. @returns how many of them there were */
  drop(group: string, ids: readonly string[]): Promise<number>;

  /** How far each group is behind; none where the bus may not be asked. */
  groups(): Promise<readonly GroupState[]>;

  /**
   * Gives back the space of events that every group has settled; called now and then. Without a group nothing is.
   * @returns how many events were removed
   */
  trim(): Promise<number>;

  /** Closes the subscriptions that are still open, and the bus's connections. What is in hand then is left to others. */
  close(): Promise<void>;
}

/** Which events, for whom, and how often they are tried. */
export interface SubscribeOptions {
  /** Each group gets every event; the members of a group share them. */
  readonly group: string;
  /** Only these types; others are settled unseen. The same for all members of a group. Default: all. */
  readonly types?: readonly EventType[];
  /**
   * After this long without `done`, `retry`, `defer` or `renew`, a delivery is given to another member. Default 30 s.
   * Where the group has a time of its own at the broker, that counts.
   */
  readonly claimMs?: number;
  /** After this many deliveries without `done` an event is dead-lettered. Default 5. */
  readonly maxDeliveries?: number;
}

/** One member of a consumer group. */
export interface Subscription {
  /**
   * Waits for up to `max` deliveries; empty when none came within `waitMs` or `signal` aborted. One call at a time. An
   * outage of the bus is waited out.
   */
  receive(max: number, waitMs: number, signal?: AbortSignal): Promise<Delivery[]>;
  /** Leaves what is unsettled to other members. */
  close(): Promise<void>;
}

/**
 * One event in the hands of one member. What it is told takes effect once; the calls after that change nothing. All
 * reject with BusUnavailableError when the bus is away: say it again, or let another member have the event.
 */
export interface Delivery {
  readonly event: AnyEvent;
  /** 1 for the first delivery of this event to the group. Deliveries that were deferred do not count. */
  readonly attempt: number;
  /**
   * It took effect: not given to this group again. Where another member has it by now, the bus takes it from there if
   * it can, for an effect that happened need not happen twice.
   */
  done(): Promise<void>;
  /**
   * It failed: give it again, after `delayMs` at the earliest, or put it aside with `reason` if this was the last
   * attempt. Survives crashes.
   * @returns false if it was given to another member meanwhile; nothing happened then
   */
  retry(delayMs: number, reason?: string): Promise<boolean>;
  /** It is too early: give it again, after `delayMs` at the earliest, without counting this as an attempt. Else as `retry`. */
  defer(delayMs: number): Promise<boolean>;
  /**
   * Put it aside for a person to see.
   * @returns false if it was given to another member meanwhile; nothing happened then
   */
  deadLetter(reason: string): Promise<boolean>;
  /** It is still being worked on, for another `claimMs`. @returns false if it was given to another member meanwhile */
  renew(): Promise<boolean>;
}

export interface DeadLetter {
  /** Names this dead letter within its group. */
  readonly id: string;
  /** Undefined if what was on the bus is no event. */
  readonly event: AnyEvent | undefined;
  /** What was on the bus, as it was. */
  readonly body: string;
  readonly reason: string;
  readonly attempts: number;
  /** When it was put aside, Unix milliseconds. */
  readonly at: number;
}

export interface GroupState {
  readonly group: string;
  /** Events that the group has not settled yet; a bus that cannot tell leaves out those that wait for another attempt. */
  readonly behind: number;
  /** Events of the group that were put aside. */
  readonly deadLetters: number;
}
