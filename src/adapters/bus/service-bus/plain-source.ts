import type { ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import type { Logger } from '../../../runtime/logger.ts';
import type { BrokerLink, OpenClient } from './broker-link.ts';
import { atMost } from './broker-link.ts';
import type { DeadLettering, Given, Hand, MessageSource } from './hand.ts';

/**
 * How long one wait of the SDK lasts. It cannot be cut short without the risk that a message that is on its way is locked
 * for nobody, so a close waits for its end.
 */
const SLICE_MS = 500;

/** How long messages gather that are there already; the broker is asked for all it has at the end in any case. */
const GATHER_MS = 20;

/** What a message may take to arrive: if the wait for many were given up, those that had come would be locked for nobody. */
export const EACH_MS = 10;

/** The SDK keeps at most 2,048 unsettled messages of a link, and does not say when it is full. */
const MOST_IN_HAND = 2_000;

export interface SourceOptions {
  readonly link: BrokerLink;
  /** Topic and subscription, or the queue. */
  readonly path: readonly [string, string?];
  /** After so long without a message the receiver is replaced. */
  readonly silentMs: number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export const RECEIVER_OPTIONS = {
  // Claims are renewed by whoever works on them.
  maxAutoLockRenewalDurationInMs: 0,
  // The text as it is: it is parsed once, and junk is shown as it was.
  skipParsingBodyAsJson: true,
  skipConvertingDate: true,
} as const;

/**
 * Receives from an entity without sessions. Credit is given only while somebody waits, so that no lock runs out in a
 * buffer: first for what is there, then for one message, and when that came, for what came with it.
 */
export class PlainSource implements MessageSource, Hand {
  readonly #options: SourceOptions;
  #receiver: { readonly of: OpenClient; readonly it: ServiceBusReceiver } | undefined;
  /** A wait that nobody waits for any more; what it brings is for the next. */
  #waiting: Promise<readonly ServiceBusReceivedMessage[]> | undefined;
  #inHand = 0;
  /** When something last came, or the receiver was made. On the monotonic clock. */
  #heardAt = performance.now();
  #replaced = false;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  async take(max: number, waitMs: number, interrupted: AbortSignal): Promise<Given[]> {
    const until = performance.now() + waitMs;
    const left = this.#waiting ?? this.#slice(max, GATHER_MS);
    this.#waiting = undefined;
    const there = await this.#unless(interrupted, left);
    if (there.length > 0) return this.#give(there);
    for (;;) {
      const leftMs = until - performance.now();
      if (leftMs <= 0 || interrupted.aborted) return [];
      this.#renewIfSilent();
      const [first] = await this.#unless(
        interrupted,
        this.#slice(1, Math.min(SLICE_MS, Math.ceil(leftMs))),
      );
      if (!first) continue;
      const rest = max > 1 ? await this.#slice(max - 1, 1).catch(() => []) : [];
      return this.#give([first, ...rest]);
    }
  }

  /** Waits for a slice, or leaves it to the next who takes. */
  async #unless(
    interrupted: AbortSignal,
    slice: Promise<readonly ServiceBusReceivedMessage[]>,
  ): Promise<readonly ServiceBusReceivedMessage[]> {
    const aborted = Promise.withResolvers<undefined>();
    const onAbort = (): void => aborted.resolve(undefined);
    if (interrupted.aborted) onAbort();
    interrupted.addEventListener('abort', onAbort, { once: true });
    try {
      const messages = await Promise.race([slice, aborted.promise]);
      if (messages) return messages;
      slice.catch(() => undefined);
      this.#waiting = slice;
      return [];
    } finally {
      interrupted.removeEventListener('abort', onAbort);
    }
  }

  async #slice(
    max: number,
    maxWaitTimeInMs: number,
  ): Promise<readonly ServiceBusReceivedMessage[]> {
    const room = Math.min(max, MOST_IN_HAND - this.#inHand);
    if (room <= 0) return [];
    const messages = await this.#options.link.call(
      (open) => this.#receiverOf(open).receiveMessages(room, { maxWaitTimeInMs }),
      { moreMs: maxWaitTimeInMs + room * EACH_MS },
    );
    if (messages.length > 0) {
      this.#heardAt = performance.now();
      if (this.#replaced) this.#options.log.warn({}, 'a receiver had stopped silently: replaced');
      this.#replaced = false;
    }
    return messages;
  }

  #give(messages: readonly ServiceBusReceivedMessage[]): Given[] {
    this.#inHand += messages.length;
    return messages.map((message) => {
      const { sessionId } = message;
      // With it the SDK takes the message for one of a session, and settles it over the link it came by or not at all.
      delete message.sessionId;
      return { message, sessionId, hand: this, release: () => void (this.#inHand -= 1) };
    });
  }

  /** A link may look open on both sides and bring nothing; a new one costs two round trips. */
  #renewIfSilent(): void {
    if (performance.now() - this.#heardAt < this.#options.silentMs) return;
    this.#heardAt = performance.now();
    const old = this.#receiver;
    this.#receiver = undefined;
    this.#replaced = true;
    old?.it.close().catch(() => undefined);
  }

  #receiverOf(open: OpenClient): ServiceBusReceiver {
    if (this.#receiver?.of === open) return this.#receiver.it;
    const [entity, subscription] = this.#options.path;
    const { client } = open;
    const it =
      subscription === undefined
        ? client.createReceiver(entity, RECEIVER_OPTIONS)
        : client.createReceiver(entity, subscription, RECEIVER_OPTIONS);
    this.#receiver = { of: open, it };
    return it;
  }

  complete(message: ServiceBusReceivedMessage): Promise<void> {
    return this.#settle((receiver) => receiver.completeMessage(message));
  }

  abandon(message: ServiceBusReceivedMessage): Promise<void> {
    return this.#settle((receiver) => receiver.abandonMessage(message));
  }

  deadLetter(message: ServiceBusReceivedMessage, why: DeadLettering): Promise<void> {
    return this.#settle((receiver) => receiver.deadLetterMessage(message, why));
  }

  async renew(message: ServiceBusReceivedMessage): Promise<void> {
    await this.#settle(async (receiver) => {
      await receiver.renewMessageLock(message);
    });
  }

  /** What came over a receiver that is no more is settled by its token. */
  #settle(work: (receiver: ServiceBusReceiver) => Promise<void>): Promise<void> {
    return this.#options.link.call((open) => work(this.#receiverOf(open)));
  }

  async close(): Promise<readonly Given[]> {
    const caught = await this.#waiting?.catch(() => []);
    this.#waiting = undefined;
    return this.#give(caught ?? []);
  }

  /** To be called when nothing more is settled. */
  async end(): Promise<void> {
    const closing = this.#receiver?.it.close().catch(() => undefined);
    if (closing) await atMost(SLICE_MS, closing);
  }
}
