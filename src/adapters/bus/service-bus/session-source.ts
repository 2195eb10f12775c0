import type { ServiceBusClient, ServiceBusSessionReceiver } from '@azure/service-bus';
import type { BrokerLink } from './broker-link.ts';
import { atMost } from './broker-link.ts';
import { failureOf } from './failure.ts';
import type { Given, MessageSource } from './hand.ts';
import { HeldSession } from './held-session.ts';
import { RECEIVER_OPTIONS } from './plain-source.ts';

/** How long messages of one session gather. */
const GATHER_MS = 10;

/** How many messages one session may bring at once, while others wait. */
const EACH_AT_ONCE = 50;

/** How often a session that has something in hand is asked for more, while somebody waits. */
const ASK_EVERY_MS = 100;

/** How many sessions are accepted side by side: each takes three round trips. */
const ACCEPT_AT_ONCE = 8;

/** How long sessions that were accepted in advance wait for somebody who takes. */
const LEAVE_MS = 500;

/** How soon the broker says that there is one more session with messages. */
const ANSWER_MS = 30;

const ANSWER_LATE_MS = 1_000;

const CLOSE_WITHIN_MS = 500;

export interface SessionSourceOptions {
  readonly link: BrokerLink;
  readonly path: readonly [string, string?];
  /** How many sessions are held at once. */
  readonly sessions: number;
}

/**
 * Receives from an entity with sessions, one for each user. While somebody waits, sessions that have messages are
 * accepted, up to a bound; each is emptied, and let go once it is empty and nothing of it is in hand. So the events of a
 * user come in their order, and to one member at a time.
 */
export class SessionSource implements MessageSource {
  readonly #options: SessionSourceOptions;
  readonly #held = new Set<HeldSession>();
  readonly #accepting = new Set<Promise<void>>();
  #failure: unknown;
  #taking = false;
  #leaving: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SessionSourceOptions) {
    this.#options = options;
  }

  async take(max: number, waitMs: number, interrupted: AbortSignal): Promise<Given[]> {
    clearTimeout(this.#leaving);
    this.#taking = true;
    try {
      return await this.#take(max, waitMs, interrupted);
    } finally {
      this.#taking = false;
      // Whoever is busy for longer keeps no session from others that nobody here works on.
      this.#leaving = setTimeout(() => this.#letGoIdle(), LEAVE_MS);
    }
  }

  #letGoIdle(): void {
    for (const session of this.#held) if (session.isIdle) this.#letGo(session);
  }

  async #take(max: number, waitMs: number, interrupted: AbortSignal): Promise<Given[]> {
    const until = performance.now() + waitMs;
    const taken: Given[] = [];
    // Even who may not wait gives the broker the time to answer.
    let patienceMs = ANSWER_MS;
    for (;;) {
      const before = taken.length;
      taken.push(...(await this.#ask(max - before)));
      // What else is there comes at once; what is not there yet is not waited for.
      if (taken.length >= max || (before > 0 && taken.length === before)) return taken;
      if (taken.length === 0) this.#throwFailure();
      if (interrupted.aborted || patienceMs <= 0) return taken;
      this.#accept();
      await this.#accepted(taken.length > 0 ? ANSWER_MS : patienceMs, interrupted);
      patienceMs = Math.min(ASK_EVERY_MS, until - performance.now());
    }
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure as Error;
  }

  /** Takes what the held sessions have. */
  async #ask(room: number): Promise<Given[]> {
    const asked: Promise<Given[]>[] = [];
    let left = room;
    for (const session of this.#held) {
      if (left <= 0) break;
      if (!session.isDue(ASK_EVERY_MS)) continue;
      const share = Math.min(left, EACH_AT_ONCE);
      left -= share;
      asked.push(this.#receive(session, share));
    }
    return (await Promise.all(asked)).flat();
  }

  async #receive(session: HeldSession, share: number): Promise<Given[]> {
    let messages: Given[] = [];
    try {
      messages = await session.receive(share, GATHER_MS);
    } catch (error) {
      this.#failure = error;
      this.#letGo(session);
      return [];
    }
    if (session.isOver) this.#letGo(session);
    return messages;
  }

  #letGo(session: HeldSession): void {
    if (!this.#held.delete(session)) return;
    // If the connection is gone, so is the session.
    session.close().catch(() => undefined);
  }

  /** Accepts sessions in the background: the broker answers when there is one, or after a while. */
  #accept(): void {
    const { sessions } = this.#options;
    while (
      !this.#closed &&
      this.#accepting.size < ACCEPT_AT_ONCE &&
      this.#held.size + this.#accepting.size < sessions
    ) {
      const accepting: Promise<void> = this.#acceptOne().then((accepted) => {
        this.#accepting.delete(accepting);
        if (accepted && this.#taking) this.#accept();
      });
      this.#accepting.add(accepting);
    }
  }

  /** @returns whether there may be more */
  async #acceptOne(): Promise<boolean> {
    const { link, path } = this.#options;
    try {
      const over = link.current;
      const receiver = await link.call(({ client }) => acceptFrom(client, path), {
        over,
        mayBringNothing: true,
        // The broker takes all the time it has, and then says so.
        moreMs: ANSWER_LATE_MS,
      });
      if (this.#closed) await receiver.close();
      else
        this.#held.add(
          new HeldSession(receiver, { link, over }, (session) => this.#letGo(session)),
        );
      return true;
    } catch (error) {
      if (failureOf(error) !== 'nothing') this.#failure = error;
      return false;
    }
  }

  /** Waits until one more is accepted, or one attempt failed, at most so long. */
  async #accepted(ms: number, interrupted: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<undefined>();
    const onAbort = (): void => aborted.resolve(undefined);
    if (interrupted.aborted) onAbort();
    interrupted.addEventListener('abort', onAbort, { once: true });
    await atMost(ms, Promise.race([...this.#accepting, aborted.promise]));
    interrupted.removeEventListener('abort', onAbort);
  }

  async close(): Promise<readonly Given[]> {
    this.#closed = true;
    clearTimeout(this.#leaving);
    // What of a session that is let go was in hand is given again, and that is no delivery.
    const closing = [...this.#held].map((session) => session.close().catch(() => undefined));
    this.#held.clear();
    await atMost(CLOSE_WITHIN_MS, Promise.all(closing));
    return [];
  }
}

function acceptFrom(
  client: ServiceBusClient,
  [entity, subscription]: readonly [string, string?],
): Promise<ServiceBusSessionReceiver> {
  return subscription === undefined
    ? client.acceptNextSession(entity, RECEIVER_OPTIONS)
    : client.acceptNextSession(entity, subscription, RECEIVER_OPTIONS);
}
