import { BusUnavailableError } from '../../src/model/errors.ts';
import type { AnyEvent, CartEvent } from '../../src/model/event.ts';
import type { Bus, PublishResult } from '../../src/ports/bus.ts';
import { assertValidEvent } from './schemas.ts';
import { inEffect, told } from './told.ts';

/** A bus in memory that can be away and can refuse: for faults that no real one makes to order. Nobody subscribes. */
export class FakeBus implements Bus {
  /** All that ever became durable, repeats included, in the order of the wire. */
  readonly wire: CartEvent[] = [];
  /** What subscribers are told of users that were erased. */
  readonly erasures: AnyEvent[] = [];
  away = false;
  /** Ids that are refused while others are taken. */
  readonly refused = new Set<string>();
  attempts = 0;

  async publish(events: readonly AnyEvent[]): Promise<PublishResult[]> {
    this.attempts += 1;
    if (this.away) throw new BusUnavailableError('the bus is away');
    return events.map((event) => {
      assertValidEvent(event);
      if (this.refused.has(event.id)) return { durable: false, retryable: true, reason: 'refused' };
      if (event.type === 'user.erased') this.erasures.push(event);
      else this.wire.push(event);
      return { durable: true };
    });
  }

  /** Each event once: what happened in effect. */
  get heard(): CartEvent[] {
    return inEffect(this.wire);
  }

  /** What a user was told of, in the order of its sequence: `announced 0`, `cancelled 0: resumed`. */
  of(user: string): string[] {
    return told(this.wire)[user] ?? [];
  }

  subscribe(): Promise<never> {
    throw new Error('nobody subscribes to this bus');
  }

  async deadLetters(): Promise<[]> {
    return [];
  }

  async replay(): Promise<number> {
    return 0;
  }

  async drop(): Promise<number> {
    return 0;
  }

  async groups(): Promise<[]> {
    return [];
  }

  async trim(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}
