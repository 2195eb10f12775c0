import { setTimeout as sleep } from 'node:timers/promises';
import { decodeEvent } from '../../../model/decode-event.ts';
import { BusUnavailableError, errorMessage, UsageError } from '../../../model/errors.ts';
import type { EventType } from '../../../model/event.ts';
import type { Delivery, Subscription } from '../../../ports/bus.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { BrokerLink } from './broker-link.ts';
import {
  type DeliveryTools,
  type ScheduledCopy,
  ServiceBusDelivery,
  deadLettering,
  isOurs,
} from './delivery.ts';
import { failureOf, reasonOf } from './failure.ts';
import type { Given, MessageSource } from './hand.ts';
import { PROPERTY, attemptOf, bodyOf, copyOf, propertyOf } from './message.ts';
import { PlainSource } from './plain-source.ts';
import { type Place, missingPlace, nameOf, pathOf } from './place.ts';
import { SessionSource } from './session-source.ts';

/** Pauses between attempts while the bus is away: 50 ms at first, doubled up to a second. */
const PAUSE_MS = { first: 50, longest: 1_000 };

/** One receive of the kit asks for no more than this; the SDK would take 2,047. */
const MOST_AT_ONCE = 1_000;

export interface SubscriptionOptions {
  readonly link: BrokerLink;
  readonly place: Place;
  readonly group: string;
  readonly types: readonly EventType[] | undefined;
  readonly maxDeliveries: number;
  readonly sessions: number;
  readonly silentMs: number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly onClose: () => void;
}

/** One member of a consumer group, with a connection of its own. */
export class ServiceBusSubscription implements Subscription {
  readonly #options: SubscriptionOptions;
  readonly #plain: PlainSource;
  #source: MessageSource;
  #closed = false;
  #away = false;
  #running: { readonly interrupt: AbortController; readonly ended: Promise<unknown> } | undefined;

  constructor(options: SubscriptionOptions) {
    const { link, place, group, silentMs, log } = options;
    this.#options = options;
    this.#plain = new PlainSource({ link, path: pathOf(place, group), silentMs, log });
    this.#source = this.#plain;
  }

  async receive(max: number, waitMs: number, signal?: AbortSignal): Promise<Delivery[]> {
    if (this.#running) throw new UsageError('receive() is waiting already: one call at a time');
    if (signal?.aborted || this.#closed) return [];
    const interrupt = new AbortController();
    const onAbort = (): void => interrupt.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const receiving = this.#receive(
      Math.min(max, MOST_AT_ONCE),
      performance.now() + waitMs,
      interrupt.signal,
    );
    this.#running = { interrupt, ended: receiving.catch(() => undefined) };
    try {
      return await receiving;
    } finally {
      this.#running = undefined;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#running?.interrupt.abort();
    await this.#running?.ended;
    // What came when nobody waited any more goes back, and that was no delivery.
    const caught = await this.#sift(await this.#source.close()).catch(() => []);
    await Promise.allSettled(caught.map((delivery) => delivery.defer(0)));
    await this.#options.link.close();
    this.#options.onClose();
  }

  async #receive(max: number, deadline: number, interrupted: AbortSignal): Promise<Delivery[]> {
    let pauseMs = PAUSE_MS.first;
    while (!interrupted.aborted) {
      const leftMs = Math.max(0, deadline - performance.now());
      try {
        const deliveries = await this.#sift(await this.#source.take(max, leftMs, interrupted));
        this.#isBack();
        if (deliveries.length > 0 || leftMs === 0) return deliveries;
        pauseMs = PAUSE_MS.first;
      } catch (error) {
        if (this.#needsSessions(error)) continue;
        this.#endure(error);
        if (leftMs === 0) return [];
        const ms = Math.min(pauseMs, leftMs);
        await sleep(ms, undefined, { signal: interrupted }).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
      }
    }
    return [];
  }

  /** The broker says by its refusal that the entity has sessions. */
  #needsSessions(error: unknown): boolean {
    if (failureOf(error) !== 'sessions-only' || this.#source !== this.#plain) return false;
    const { link, place, group, sessions } = this.#options;
    this.#source = new SessionSource({ link, path: pathOf(place, group), sessions });
    return true;
  }

  /** Waits out what passes. @throws what does not */
  #endure(error: unknown): void {
    const { place, group, log } = this.#options;
    if (failureOf(error) === 'missing')
      throw new BusUnavailableError(missingPlace(place, group), { cause: error });
    if (!(error instanceof BusUnavailableError) && failureOf(error) !== 'lost')
      throw new BusUnavailableError(`the event bus refuses: ${reasonOf(error)}`, { cause: error });
    if (!this.#away)
      log.warn({ group, error: errorMessage(error) }, 'the event bus is away: waiting for it');
    this.#away = true;
  }

  #isBack(): void {
    if (this.#away) this.#options.log.info({ group: this.#options.group }, 'the event bus is back');
    this.#away = false;
  }

  /** Settles what is not for us, puts aside what is no event or was given too often, and makes deliveries of the rest. */
  async #sift(found: readonly Given[]): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    const settling: Promise<unknown>[] = [];
    for (const given of found) {
      const sifted = this.#siftOne(given);
      if (sifted instanceof ServiceBusDelivery) deliveries.push(sifted);
      else settling.push(sifted.finally(given.release));
    }
    const failed = (await Promise.allSettled(settling)).find(({ status }) => status === 'rejected');
    // They come round again when their locks have run out; the others are not to wait for that.
    if (failed && deliveries.length === 0) throw (failed as PromiseRejectedResult).reason;
    return deliveries;
  }

  #siftOne(given: Given): ServiceBusDelivery | Promise<unknown> {
    const { message, hand } = given;
    const { place, group, types, maxDeliveries, log } = this.#options;
    const wanted = types as readonly string[] | undefined;
    const type = propertyOf(message, PROPERTY.type);
    const copyFor = propertyOf(message, PROPERTY.group);
    // Where no rule keeps the copies of others away.
    const isOthers = 'topic' in place && copyFor !== undefined && copyFor !== group;
    if (isOthers || (wanted && type !== undefined && !wanted.includes(String(type))))
      return isOurs(hand.complete(message));
    const attempt = attemptOf(message);
    const event = decodeEvent(bodyOf(message));
    if (!event) {
      log.warn({ group, entry: message.sequenceNumber?.toString() }, 'an entry is no event');
      const why = 'not an event: no CloudEvents JSON of ours in the body';
      return isOurs(hand.deadLetter(message, deadLettering(why, attempt)));
    }
    if (wanted && !wanted.includes(event.type)) return isOurs(hand.complete(message));
    if (attempt > maxDeliveries) {
      log.warn({ group, event: event.id }, 'an event went to the dead letters unsettled');
      const why = `given ${attempt - 1} times, and never settled`;
      return isOurs(hand.deadLetter(message, deadLettering(why, attempt - 1)));
    }
    return new ServiceBusDelivery(given, event, this.#tools);
  }

  get #tools(): DeliveryTools {
    const { maxDeliveries } = this.#options;
    return { maxDeliveries, schedule: (given, copy) => this.#schedule(given, copy) };
  }

  async #schedule(
    { message, sessionId }: Given,
    { delayMs, attempts, mark }: ScheduledCopy,
  ): Promise<() => Promise<void>> {
    const { link, place, group } = this.#options;
    const name = nameOf(place);
    const copy = copyOf({ ...message, sessionId }, group, attempts, mark);
    const [sequence] = await link.call((open) =>
      open.sender(name).scheduleMessages([copy], new Date(Date.now() + delayMs)),
    );
    return async () => {
      if (sequence) await link.call((open) => open.sender(name).cancelScheduledMessages(sequence));
    };
  }
}
