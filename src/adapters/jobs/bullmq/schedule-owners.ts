import type { StoreAccess } from './connection.ts';
import { type Turns, removeTurns } from './turns.ts';

/**
 * Who registers which schedule: one that its owner no longer registers is removed at the next start, those of other
 * owners on the same prefix are left alone.
 */
export class ScheduleOwners {
  readonly #owner: string;
  readonly #access: StoreAccess;

  constructor(owner: string, access: StoreAccess) {
    this.#owner = owner;
    this.#access = access;
  }

  /** Registers a schedule as ours. */
  async enlist(turns: Turns): Promise<void> {
    await this.#access.connections.commands.hset(this.#key, turns.schedule.name, this.#owner);
    await turns.register();
  }

  /** Removes what was ours and is not among the registered ones. */
  async removeForgotten(registered: { has: (name: string) => boolean }): Promise<void> {
    const { commands } = this.#access.connections;
    const owners = await commands.hgetall(this.#key);
    for (const [name, owner] of Object.entries(owners)) {
      if (owner !== this.#owner || registered.has(name)) continue;
      await removeTurns(name, this.#access);
      await commands.hdel(this.#key, name);
      this.#access.log.info({ schedule: name }, 'removed a schedule that is no longer registered');
    }
  }

  get #key(): string {
    return `${this.#access.prefix}:owners`;
  }
}
