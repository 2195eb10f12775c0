import type { AnyEvent, EventType } from '../model/event.ts';

/** What became of one event: durable on the bus, or refused (retryable or for good) with a reason. */
export type PublishResult =
  | { readonly durable: true }
  | { readonly durable: false; readonly retryable: boolean; readonly reason: string };

/** The event bus. At least once: a repeat has the same id. */
export interface Bus {
  /**
   * Puts events on the bus, in order, and settles when they are durable there.
   * @returns one result for each event, in their order
   * @throws BusUnavailableError when the bus takes none now (away, or a consumer group is too far behind)
   */
  publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]>;

  /** Opens a subscription for one member of a consumer group; the group is created if need be. */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /** Dead letters of a group, oldest first. */
  deadLetters(group: string, limit: number): Promise<DeadLetter[]>;

  /** How far each group is behind. */
  groups(): Promise<readonly GroupState[]>;

  /** Gives back the space of events that every group has settled; called now and then. */
  trim(): Promise<number>;

  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** Each group gets every event; the members of a group share them. */
  readonly group: string;
  /** Only these types; others are settled unseen. Default: all. */
  readonly types?: readonly EventType[];
  /** After this long without `done`, `retry` or `renew`, a delivery is given to another member. Default 30 s. */
  readonly claimMs?: number;
  /** After this many deliveries without `done` an event is dead-lettered. Default 5. */
  readonly maxDeliveries?: number;
}

export interface Subscription {
  /** Waits for up to `max` deliveries; empty when none came within `waitMs` or `signal` aborted. */
  receive(max: number, waitMs: number, signal?: AbortSignal): Promise<Delivery[]>;
  /** Leaves what is unsettled to other members. */
  close(): Promise<void>;
}

export interface Delivery {
  readonly event: AnyEvent;
  /** 1 for the first delivery of this event to the group. */
  readonly attempt: number;
  /** It took effect: never given to this group again. */
  done(): Promise<void>;
  /** Give it again, after `delayMs` at the earliest. */
  retry(delayMs: number): Promise<void>;
  /** Put it aside for a person to see. */
  deadLetter(reason: string): Promise<void>;
  /** It is still being worked on. @returns false if it was given to another member meanwhile */
  renew(): Promise<boolean>;
}

export interface DeadLetter {
  readonly id: string;
  readonly event: AnyEvent;
  readonly reason: string;
  readonly attempts: number;
  readonly at: number;
}

export interface GroupState {
  readonly group: string;
  /** Events that the group has not settled yet. */
  readonly behind: number;
}
