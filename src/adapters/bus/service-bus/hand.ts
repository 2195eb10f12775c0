import type { ServiceBusReceivedMessage } from '@azure/service-bus';

/**
 * Settles what one source received. Each rejects with what the broker answered (see `failureOf`), or with
 * BusUnavailableError.
 */
export interface Hand {
  complete: (message: ServiceBusReceivedMessage) => Promise<void>;
  /** It is given again at once, and that was a delivery. */
  abandon: (message: ServiceBusReceivedMessage) => Promise<void>;
  deadLetter: (message: ServiceBusReceivedMessage, why: DeadLettering) => Promise<void>;
  /** Its lock, or that of its session, lasts as long again. */
  renew: (message: ServiceBusReceivedMessage) => Promise<void>;
}

export interface DeadLettering {
  readonly deadLetterReason: string;
  readonly deadLetterErrorDescription: string;
  readonly [property: string]: string | number;
}

/** A message, and the hand that it is in. */
export interface Given {
  readonly message: ServiceBusReceivedMessage;
  readonly sessionId: string | undefined;
  readonly hand: Hand;
  /** Nothing more is done about it. */
  readonly release: () => void;
}

/** Where a subscription gets its messages from. */
export interface MessageSource {
  /**
   * Up to `max` messages; none where none came within `waitMs`, or it was interrupted. One call at a time.
   * @throws BusUnavailableError, or what the broker answered
   */
  take: (max: number, waitMs: number, interrupted: AbortSignal) => Promise<Given[]>;
  /** @returns what it holds and gave to nobody */
  close: () => Promise<readonly Given[]>;
}
