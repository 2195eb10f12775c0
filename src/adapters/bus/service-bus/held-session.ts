import type { ServiceBusReceivedMessage, ServiceBusSessionReceiver } from '@azure/service-bus';
import type { BrokerLink, OpenClient } from './broker-link.ts';
import type { DeadLettering, Given, Hand } from './hand.ts';
import { EACH_MS } from './plain-source.ts';

/** One session that we hold the lock of. It ends with its link: then everything of it is somebody else's. */
export class HeldSession implements Hand {
  readonly #receiver: ServiceBusSessionReceiver;
  readonly #link: BrokerLink;
  readonly #over: OpenClient;
  readonly #onIdle: (session: HeldSession) => void;
  readonly #lockMs: number;
  #renewedAt = performance.now();
  #renewing: Promise<void> | undefined;
  #askedAt = -Infinity;
  /** The last time it was asked it had nothing. */
  #empty = false;
  #inHand = 0;

  constructor(
    receiver: ServiceBusSessionReceiver,
    { link, over }: { readonly link: BrokerLink; readonly over: OpenClient },
    onIdle: (session: HeldSession) => void,
  ) {
    this.#receiver = receiver;
    this.#link = link;
    this.#over = over;
    this.#onIdle = onIdle;
    this.#lockMs = receiver.sessionLockedUntilUtc.getTime() - Date.now();
  }

  /** Whether it is time to ask it for more. */
  isDue(everyMs: number): boolean {
    return performance.now() - this.#askedAt >= everyMs;
  }

  /** Whether nothing of it is in hand. */
  get isIdle(): boolean {
    return this.#inHand === 0;
  }

  /** Whether it can be let go. */
  get isOver(): boolean {
    return this.#receiver.isClosed || (this.#empty && this.#inHand === 0);
  }

  async receive(max: number, maxWaitTimeInMs: number): Promise<Given[]> {
    this.#askedAt = performance.now();
    if (this.#receiver.isClosed) return [];
    // What is on its way keeps it from being let go.
    this.#empty = false;
    const messages = await this.#call(
      () => this.#receiver.receiveMessages(max, { maxWaitTimeInMs }),
      maxWaitTimeInMs + max * EACH_MS,
    );
    this.#empty = messages.length === 0;
    // What is handed out is to have a lock that lasts.
    const isOld = performance.now() - this.#renewedAt > this.#lockMs / 3;
    if (!this.#empty && isOld) await this.#renew().catch(() => undefined);
    this.#inHand += messages.length;
    const { sessionId } = this.#receiver;
    const release = (): void => this.#release();
    return messages.map((message) => ({ message, sessionId, hand: this, release }));
  }

  #release(): void {
    this.#inHand -= 1;
    if (this.isOver) this.#onIdle(this);
  }

  complete(message: ServiceBusReceivedMessage): Promise<void> {
    return this.#call(() => this.#receiver.completeMessage(message));
  }

  abandon(message: ServiceBusReceivedMessage): Promise<void> {
    // It has something again.
    this.#empty = false;
    this.#askedAt = -Infinity;
    return this.#call(() => this.#receiver.abandonMessage(message));
  }

  deadLetter(message: ServiceBusReceivedMessage, why: DeadLettering): Promise<void> {
    return this.#call(() => this.#receiver.deadLetterMessage(message, why));
  }

  renew(): Promise<void> {
    return this.#renew();
  }

  /** One lock for all that is in hand: who asks meanwhile waits for the same answer. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#call(() => this.#receiver.renewSessionLock())
      .then(() => void (this.#renewedAt = performance.now()))
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  #call<T>(work: () => Promise<T>, moreMs = 0): Promise<T> {
    return this.#link.call(work, { over: this.#over, moreMs });
  }

  close(): Promise<void> {
    return this.#receiver.close();
  }
}
