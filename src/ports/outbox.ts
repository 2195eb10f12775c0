/** A rescue message, for whoever delivers it. Instants are ISO 8601 in UTC. */
export interface OutgoingMessage {
  readonly user: string;
  readonly session_id: string | null;
  readonly channel: string;
  /** Of the text, as a tag. */
  readonly language: string;
  /** Of a mail. */
  readonly subject?: string;
  readonly text: string;
  /** The channel's service window is over: it may leave as a template that was approved beforehand, or not at all. */
  readonly template: boolean;
  /** `id` of the `cart.abandoned` that it answers. */
  readonly announcement_id: string;
  readonly episode: string;
  readonly stage: number;
  /** From then on it is not to be delivered any more. */
  readonly valid_until: string;
  /** Who wrote it. */
  readonly drafter: string;
}

/** A message that left. */
export interface Sent {
  /** The sender's id of the message. */
  readonly messageId: string;
  readonly channel: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Where messages leave. */
export interface Outbox {
  /**
   * Sends a message; when it resolves, the message is in safe hands. Of several with the same key one is sent, and all
   * are told of that one: here, or by the receiver whom the key is given to.
   * @throws PermanentError if it will never be taken; else anything: try again with the same key. The reason of `signal`
   */
  send(message: OutgoingMessage, idempotencyKey: string, signal?: AbortSignal): Promise<Sent>;
  /** What was sent under this key. Undefined: nothing was, or nobody here knows. */
  sent(idempotencyKey: string): Promise<Sent | undefined>;
  close(): Promise<void>;
}
