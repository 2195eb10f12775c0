/** What became of the events that a subscriber received, since it was made. */
export interface Counts {
  /** Deliveries, repeats and retries among them. */
  received: number;
  /** The handler returned, and that is noted. */
  handled: number;
  /** Not for the handler: what takes an announcement back, and erasures. */
  consumed: number;
  /** Had taken effect before. */
  repeats: number;
  /** A later event of its subject was begun before. */
  overtaken: number;
  /** From before its user was erased. */
  erased: number;
  /** Announcements that did not hold any more, by reason, whether their handler was called or not. */
  unwanted: Record<string, number>;
  /** The handler asked to hold it. */
  deferred: number;
  /** Another event of its subject was in another subscriber's hands; it comes again. */
  busy: number;
  /** The hot tier was away; it comes again. */
  postponed: number;
  /** The handler failed or took too long; it comes again. */
  retried: number;
  deadLettered: number;
  /** The handler took too long. */
  timedOut: number;
  /** Somebody else had it by then: what the handler did does not count here. */
  lost: number;
  /** Given back, for the subscriber stopped. */
  givenBack: number;
  /** The bus, or the hot tier, was away when it was to be settled; it comes again. */
  unsettled: number;
}

export function noCounts(): Counts {
  return {
    received: 0,
    handled: 0,
    consumed: 0,
    repeats: 0,
    overtaken: 0,
    erased: 0,
    unwanted: {},
    deferred: 0,
    busy: 0,
    postponed: 0,
    retried: 0,
    deadLettered: 0,
    timedOut: 0,
    lost: 0,
    givenBack: 0,
    unsettled: 0,
  };
}
