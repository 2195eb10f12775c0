import type { Redis } from 'ioredis';
import { assertValidEvent } from './schemas.ts';
import { inEffect, readWire, told } from './told.ts';

/**
 * A shop that writes plain keys and knows nothing of Rekindle, and what should be told of its users. What is told it
 * reads off the stream, which nobody trims while no group subscribes.
 */
export class PlainShop {
  readonly #sessions: Redis;
  readonly #bus: Redis;
  readonly #expected = new Map<string, string[]>();
  #users = 0;

  constructor(sessions: Redis, bus: Redis) {
    this.#sessions = sessions;
    this.#bus = bus;
  }

  /** New users fill a cart each and leave. */
  async leaveCarts(count: number): Promise<string[]> {
    const users = Array.from({ length: count }, () => `user-${(this.#users += 1)}`);
    for (const user of users) this.#expected.set(user, ['announced 0']);
    await this.#touch(users);
    return users;
  }

  /** Users who were announced do something. */
  async comeBack(users: readonly string[]): Promise<void> {
    for (const user of users) this.#expected.get(user)?.push('cancelled 0: resumed');
    await this.#touch(users);
  }

  /** What was told of them is gone with the stream. */
  forget(users: readonly string[]): void {
    for (const user of users) this.#expected.set(user, []);
  }

  /** How many events that are due are not on the wire. */
  async missing(): Promise<number> {
    const due = [...this.#expected.values()].flat();
    return due.length - inEffect(await readWire(this.#bus)).length;
  }

  /** What was told and what should have been, each once, and how often something was repeated on the wire. */
  async outcome(): Promise<{
    readonly told: Record<string, string[]>;
    readonly expected: Record<string, string[]>;
    readonly repeats: number;
  }> {
    const wire = await readWire(this.#bus);
    const effects = inEffect(wire);
    effects.forEach(assertValidEvent);
    const expected = [...this.#expected].filter(([, events]) => events.length > 0);
    return {
      told: told(wire),
      expected: Object.fromEntries(expected),
      repeats: wire.length - effects.length,
    };
  }

  async #touch(users: readonly string[]): Promise<void> {
    const pipeline = this.#sessions.pipeline();
    for (const user of users) {
      const at = (Date.now() / 1_000).toFixed(3);
      pipeline.hset(`session:${user}`, {
        last_activity: at,
        cart: '[{"product_id":"p1","price":5}]',
      });
    }
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  }
}
