import type { AnyEvent } from '../../../model/event.ts';
import type { Delivery } from '../../../ports/bus.ts';
import { failureOf } from './failure.ts';
import type { Given } from './hand.ts';
import { PROPERTY, attemptOf, copyMark } from './message.ts';

/** What a delivery needs of its subscription. */
export interface DeliveryTools {
  readonly maxDeliveries: number;
  /**
   * Schedules a copy for the group.
   * @returns what cancels it
   */
  readonly schedule: (given: Given, copy: ScheduledCopy) => Promise<() => Promise<void>>;
}

export interface ScheduledCopy {
  readonly delayMs: number;
  /** How many deliveries count before it. */
  readonly attempts: number;
  /** What its id ends in: the same for each try to schedule it, so that the broker keeps one. */
  readonly mark: string;
}

/** Below this a copy may be out before it is known that the message was ours: that is asked first. */
const SHORT_MS = 1_000;

/** The service takes so much of a reason. */
const REASON_LENGTH = 1_024;

/**
 * One event in the hands of one member: a message that is locked for it.
 *
 * `done`: completed. `retry` without a delay: abandoned, which is the broker's own way to give it again and count. With
 * one, and `defer`: a copy is scheduled, which carries the attempts so far, then the message is completed. In between
 * nothing is lost; who dies there leaves both, and the event comes twice. If the message turns out to be somebody
 * else's the copy is cancelled.
 */
export class ServiceBusDelivery implements Delivery {
  readonly event: AnyEvent;
  readonly attempt: number;
  readonly #given: Given;
  readonly #tools: DeliveryTools;
  readonly #mark = copyMark();
  #settled = false;
  /** A copy that is scheduled, while it is not known whether the message is completed. */
  #copied = false;
  #before: Promise<unknown> = Promise.resolve();

  constructor(given: Given, event: AnyEvent, tools: DeliveryTools) {
    this.event = event;
    this.attempt = attemptOf(given.message);
    this.#given = given;
    this.#tools = tools;
  }

  async done(): Promise<void> {
    const { hand, message } = this.#given;
    // Lost: somebody else has it, and is told by the inbox; there is no way to take it from there.
    await this.#settle(() => isOurs(hand.complete(message)));
  }

  retry(delayMs: number, reason = 'the handler asked for another attempt'): Promise<boolean> {
    const { maxDeliveries } = this.#tools;
    if (this.attempt >= maxDeliveries)
      return this.deadLetter(`attempt ${this.attempt} of ${maxDeliveries} failed: ${reason}`);
    if (delayMs > 0) return this.#putOff(delayMs, this.attempt);
    const { hand, message } = this.#given;
    return this.#settle(() => isOurs(hand.abandon(message)));
  }

  defer(delayMs: number): Promise<boolean> {
    return this.#putOff(delayMs, this.attempt - 1);
  }

  deadLetter(reason: string): Promise<boolean> {
    const { hand, message } = this.#given;
    const why = deadLettering(reason, this.attempt);
    return this.#settle(() => isOurs(hand.deadLetter(message, why)));
  }

  renew(): Promise<boolean> {
    const { hand, message } = this.#given;
    return this.#inTurn(async () => !this.#settled && (await isOurs(hand.renew(message))));
  }

  #putOff(delayMs: number, attempts: number): Promise<boolean> {
    const { hand, message } = this.#given;
    return this.#settle(async () => {
      // Told again after the broker was away: the copy is there.
      if (this.#copied) {
        await isOurs(hand.complete(message));
        return true;
      }
      if (delayMs < SHORT_MS && !(await isOurs(hand.renew(message)))) return false;
      const copy = { delayMs: Math.max(0, delayMs), attempts, mark: this.#mark };
      const cancel = await this.#tools.schedule(this.#given, copy);
      this.#copied = true;
      if (await isOurs(hand.complete(message))) return true;
      // It may be due by now: then the event comes once more, and the inbox knows it.
      await cancel().catch(() => undefined);
      return false;
    });
  }

  /** Runs `how` unless the delivery is settled; one that failed leaves it as it was. */
  #settle(how: () => Promise<boolean>): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#settled) return false;
      const took = await how();
      this.#settled = true;
      this.#given.release();
      return took;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#before.then(work);
    this.#before = turn.catch(() => undefined);
    return turn;
  }
}

export function deadLettering(
  reason: string,
  attempts: number,
): Parameters<Given['hand']['deadLetter']>[1] {
  const text = reason.slice(0, REASON_LENGTH);
  return {
    deadLetterReason: 'rekindle',
    deadLetterErrorDescription: text,
    [PROPERTY.attempts]: attempts,
    [PROPERTY.deadAt]: Date.now(),
  };
}

/** False where the broker says that it is somebody else's by now. */
export async function isOurs(told: Promise<void>): Promise<boolean> {
  try {
    await told;
    return true;
  } catch (error) {
    if (failureOf(error) !== 'lost') throw error;
    return false;
  }
}
