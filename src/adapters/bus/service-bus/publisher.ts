import type { ServiceBusMessageBatch } from '@azure/service-bus';
import { BusUnavailableError, errorMessage } from '../../../model/errors.ts';
import type { AnyEvent } from '../../../model/event.ts';
import type { PublishResult } from '../../../ports/bus.ts';
import type { BrokerLink } from './broker-link.ts';
import { failureOf, reasonOf } from './failure.ts';
import { messageOf } from './message.ts';
import { type Place, missingPlace, nameOf } from './place.ts';

interface Packed {
  readonly batch: ServiceBusMessageBatch;
  /** Which of the events are in it. */
  readonly from: number;
  readonly to: number;
}

/** Sends events in as few messages as the broker's limit of size allows, one after another: their order is kept. */
export class Publisher {
  readonly #link: BrokerLink;
  readonly #place: Place;

  constructor(link: BrokerLink, place: Place) {
    this.#link = link;
    this.#place = place;
  }

  /**
   * @returns one result for each event, in their order
   * @throws BusUnavailableError where none of them is on the bus and all may be sent again; the signal's reason likewise
   */
  async publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]> {
    const results: PublishResult[] = [];
    try {
      for (let from = 0; from < events.length; ) {
        signal?.throwIfAborted();
        const packed = await this.#pack(events, from, signal);
        if (packed.to === packed.from) {
          results.push(tooLarge(packed.batch.maxSizeInBytes));
          from += 1;
          continue;
        }
        await this.#send(packed, signal);
        for (let i = packed.from; i < packed.to; i += 1) results.push({ durable: true });
        from = packed.to;
      }
    } catch (error) {
      if (results.length === 0) throw error;
      const refused = { durable: false, retryable: true, reason: errorMessage(error) } as const;
      while (results.length < events.length) results.push(refused);
    }
    return results;
  }

  async #pack(
    events: readonly AnyEvent[],
    from: number,
    signal: AbortSignal | undefined,
  ): Promise<Packed> {
    const batch = await this.#call((sender) => sender.createMessageBatch(), signal);
    let to = from;
    for (let event = events[to]; event && batch.tryAddMessage(messageOf(event)); event = events[to])
      to += 1;
    return { batch, from, to };
  }

  async #send({ batch }: Packed, signal: AbortSignal | undefined): Promise<void> {
    await this.#call((sender) => sender.sendMessages(batch, abortable(signal)), signal);
  }

  async #call<T>(
    work: (sender: ReturnType<BrokerLink['current']['sender']>) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      return await this.#link.call((open) => work(open.sender(nameOf(this.#place))), { signal });
    } catch (error) {
      if (error instanceof BusUnavailableError || signal?.aborted) throw error;
      const reason =
        failureOf(error) === 'missing'
          ? missingPlace(this.#place)
          : `the event bus refuses: ${reasonOf(error)}`;
      throw new BusUnavailableError(reason, { cause: error });
    }
  }
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}

function tooLarge(maxBytes: number): PublishResult {
  return {
    durable: false,
    retryable: false,
    reason: `the event is larger than a message may be: the broker takes ${maxBytes} bytes`,
  };
}
