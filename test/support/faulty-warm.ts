import { WarmUnavailableError } from '../../src/model/errors.ts';
import type { EntryWrite, PutOptions, WarmStore, WriteOutcome } from '../../src/ports/warm.ts';

const REFUSED: WriteOutcome = {
  outcome: 'failed',
  retryable: true,
  reason: 'this one was not taken',
};

/** A warm store whose faults can be called up: what a store in a network may do, and a file does not. */
export class FaultyWarm {
  readonly store: WarmStore;
  readonly #behind: WarmStore;
  #refused: string | undefined;
  #away = false;
  #throttled = false;

  constructor(behind: WarmStore) {
    this.#behind = behind;
    this.store = new Proxy(behind, {
      get: (target, name: keyof WarmStore) => {
        if (name === 'put') return this.#put.bind(this);
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        const call = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          this.#assertServing(name);
          return call(...args);
        };
      },
    });
  }

  async failOne(_agentId: string, memoryId: string): Promise<() => Promise<void>> {
    this.#refused = memoryId;
    return async () => void (this.#refused = undefined);
  }

  async throttle(): Promise<() => Promise<void>> {
    this.#throttled = true;
    return async () => void (this.#throttled = false);
  }

  async away(): Promise<() => Promise<void>> {
    this.#away = true;
    return async () => void (this.#away = false);
  }

  async #put(
    agentId: string,
    writes: readonly EntryWrite[],
    how?: PutOptions,
  ): Promise<readonly WriteOutcome[]> {
    this.#assertServing('put');
    const isTaken = ({ entry }: EntryWrite): boolean => entry.memoryId !== this.#refused;
    if (how?.together && !writes.every(isTaken))
      return writes.map((write) => (isTaken(write) ? { outcome: 'withheld' } : REFUSED));
    const taken = [...(await this.#behind.put(agentId, writes.filter(isTaken), how))];
    return writes.map(
      (write): WriteOutcome => (isTaken(write) ? taken.shift() : undefined) ?? REFUSED,
    );
  }

  #assertServing(name: keyof WarmStore): void {
    const writes = name === 'put' || name === 'remove' || name === 'erase';
    if (this.#away) throw new WarmUnavailableError('nobody answers');
    if (this.#throttled && writes)
      throw new WarmUnavailableError('too much to do', { retryAfterMs: 5 });
  }
}
