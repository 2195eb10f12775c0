import type { ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { decodeEvent } from '../../../model/decode-event.ts';
import type { DeadLetter } from '../../../ports/bus.ts';
import type { BrokerLink, OpenClient } from './broker-link.ts';
import { isOurs } from './delivery.ts';
import { failureOf } from './failure.ts';
import { PROPERTY, bodyOf, copyMark, copyOf, propertyOf } from './message.ts';
import { type Place, nameOf, pathOf } from './place.ts';
import { RECEIVER_OPTIONS } from './plain-source.ts';

/** The SDK's form of a sequence number. Its package is not ours to import: new ones are made of those it gave. */
type Long = NonNullable<ServiceBusReceivedMessage['sequenceNumber']>;

/** Outlives the calls on one connection. */
export interface Numbers {
  zero?: Long | undefined;
}

/** How long a replay or a drop may take in all; one that takes longer says so, and is called again for the rest. */
const LONG_MS = 60_000;

/** How many letters one call to the broker reads. */
const AT_ONCE = 100;

/** How long letters gather; what is there comes at once. */
const GATHER_MS = 100;

/** A sequence number, as the id of a letter. */
const ID = /^\d{1,19}$/;

/** The dead letters of one consumer group: the broker's own queue of them. */
export class DeadLetters {
  readonly #link: BrokerLink;
  readonly #place: Place;
  readonly #group: string;
  readonly #numbers: Numbers;

  constructor(link: BrokerLink, place: Place, group: string, numbers: Numbers) {
    this.#numbers = numbers;
    this.#link = link;
    this.#place = place;
    this.#group = group;
  }

  /** Oldest first, those that the broker itself put aside too. @param from this one at the earliest */
  async list(limit: number, from = '0'): Promise<DeadLetter[]> {
    if (!ID.test(from)) return [];
    const letters: DeadLetter[] = [];
    for await (const page of this.#pages(from)) {
      letters.push(...page.map(toDeadLetter));
      if (letters.length >= limit) break;
    }
    return letters.slice(0, limit);
  }

  /** @param ids undefined: all that are there now. @returns how many of them there were */
  replay(ids: readonly string[] | undefined): Promise<number> {
    const name = nameOf(this.#place);
    return this.#settle(ids, async (open, receiver, letter) => {
      await open.sender(name).sendMessages(copyOf(letter, this.#group, 0, copyMark()));
      await isOurs(receiver.completeMessage(letter));
    });
  }

  /** @returns how many of them there were */
  drop(ids: readonly string[]): Promise<number> {
    return this.#settle(ids, async (_open, receiver, letter) => {
      await isOurs(receiver.completeMessage(letter));
    });
  }

  async *#pages(from: string): AsyncGenerator<readonly ServiceBusReceivedMessage[], void> {
    let page = await this.#peek(AT_ONCE, from);
    while (page.length > 0) {
      yield page;
      page = await this.#peek(AT_ONCE, page.at(-1)?.sequenceNumber?.add(1).toString() ?? '');
    }
  }

  async #peek(count: number, from: string): Promise<readonly ServiceBusReceivedMessage[]> {
    try {
      // Without a number it goes on where it last ended, and that is the beginning as long as it never gave one.
      if (!this.#numbers.zero) {
        const [first] = await this.#peekFrom(1, undefined);
        this.#numbers.zero = first?.sequenceNumber?.sub(first.sequenceNumber);
      }
      const { zero } = this.#numbers;
      return zero ? await this.#peekFrom(count, zero.add(from)) : [];
    } catch (error) {
      // Nobody of this group was ever here.
      if (failureOf(error) === 'missing') return [];
      throw error;
    }
  }

  #peekFrom(count: number, from: Long | undefined): Promise<readonly ServiceBusReceivedMessage[]> {
    const options = from === undefined ? {} : { fromSequenceNumber: from };
    return this.#link.call((open) =>
      this.#withReceiver(open, (receiver) => receiver.peekMessages(count, options)),
    );
  }

  /**
   * Runs `how` for each of the letters. They can be had in their order only: those on the way to them are locked until
   * the end, and given back then.
   */
  async #settle(
    ids: readonly string[] | undefined,
    how: (
      open: OpenClient,
      receiver: ServiceBusReceiver,
      letter: ServiceBusReceivedMessage,
    ) => Promise<void>,
  ): Promise<number> {
    const wanted = await this.#known(ids);
    if (wanted.size === 0) return 0;
    let settled = 0;
    await this.#link.call(
      (open) =>
        this.#withReceiver(open, async (receiver) => {
          const others: ServiceBusReceivedMessage[] = [];
          try {
            while (wanted.size > 0) {
              const letters = await receiver.receiveMessages(AT_ONCE, {
                maxWaitTimeInMs: GATHER_MS,
              });
              // The rest is in the hands of somebody else who replays or drops.
              if (letters.length === 0) return;
              for (const letter of letters) {
                if (!wanted.delete(idOf(letter))) {
                  others.push(letter);
                  continue;
                }
                await how(open, receiver, letter);
                settled += 1;
              }
            }
          } finally {
            for (const letter of others)
              await receiver.abandonMessage(letter).catch(() => undefined);
          }
        }),
      { moreMs: LONG_MS },
    );
    return settled;
  }

  /** Those of them that are there. */
  async #known(ids: readonly string[] | undefined): Promise<Set<string>> {
    const known = new Set<string>();
    if (ids) {
      for (const id of new Set(ids.filter((one) => ID.test(one)))) {
        const [letter] = await this.#peek(1, id);
        if (letter && idOf(letter) === id) known.add(id);
      }
    } else {
      for await (const page of this.#pages('0')) for (const letter of page) known.add(idOf(letter));
    }
    return known;
  }

  async #withReceiver<T>(
    open: OpenClient,
    work: (receiver: ServiceBusReceiver) => Promise<T>,
  ): Promise<T> {
    const [entity, subscription] = pathOf(this.#place, this.#group);
    const options = { ...RECEIVER_OPTIONS, subQueueType: 'deadLetter' } as const;
    const receiver =
      subscription === undefined
        ? open.client.createReceiver(entity, options)
        : open.client.createReceiver(entity, subscription, options);
    try {
      return await work(receiver);
    } finally {
      receiver.close().catch(() => undefined);
    }
  }
}

function idOf({ sequenceNumber }: ServiceBusReceivedMessage): string {
  return sequenceNumber?.toString() ?? '';
}

function toDeadLetter(letter: ServiceBusReceivedMessage): DeadLetter {
  const body = bodyOf(letter);
  const counted = propertyOf(letter, PROPERTY.attempts);
  const putAsideByUs = propertyOf(letter, PROPERTY.deadAt);
  const reason = [letter.deadLetterReason, letter.deadLetterErrorDescription];
  return {
    id: idOf(letter),
    event: decodeEvent(body),
    body,
    reason:
      putAsideByUs === undefined
        ? reason.filter((text) => text !== undefined && text !== '').join(': ')
        : (letter.deadLetterErrorDescription ?? ''),
    attempts: Number(counted ?? 0) + (putAsideByUs === undefined ? (letter.deliveryCount ?? 0) : 0),
    at: Number(putAsideByUs ?? letter.enqueuedTimeUtc?.getTime() ?? 0),
  };
}
