import type { Entity } from './entity.ts';
import { CONDITION, type Consumer } from './stored-message.ts';

interface SessionLock {
  readonly consumer: Consumer;
  lockedUntil: number;
  timer?: NodeJS.Timeout;
}

/** A receiver that waits for a session: any, or the one it names. */
export interface Applicant {
  readonly wanted: string | undefined;
  readonly accept: (sessionId: string, lockedUntil: number) => Consumer;
  readonly refuse: (condition: string, description: string) => void;
  readonly waitMs: number;
}

/** Who holds which session of an entity, and what sessions remember. */
export class SessionLocks {
  readonly #entity: Entity;
  readonly #locks = new Map<string, SessionLock>();
  readonly #states = new Map<string, Buffer>();
  readonly #waiting = new Map<Applicant, NodeJS.Timeout>();

  constructor(entity: Entity) {
    this.#entity = entity;
  }

  /** Lets somebody in, at once or when a session has messages and is free. */
  apply(applicant: Applicant): void {
    const { wanted } = applicant;
    if (wanted !== undefined) {
      if (this.#locks.has(wanted))
        applicant.refuse(
          CONDITION.sessionCannotBeLocked,
          `The requested session '${wanted}' cannot be accepted. It may be locked by another receiver.`,
        );
      else this.#admit(applicant, wanted);
      return;
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(applicant);
      applicant.refuse(
        CONDITION.timeout,
        'The operation did not complete within the allotted time.',
      );
    }, applicant.waitMs);
    timer.unref();
    this.#waiting.set(applicant, timer);
    this.serve();
  }

  withdraw(applicant: Applicant): void {
    clearTimeout(this.#waiting.get(applicant));
    this.#waiting.delete(applicant);
  }

  serve(): void {
    for (const [applicant, timer] of this.#waiting) {
      const id = this.#entity.nextSession((one) => !this.#locks.has(one));
      if (id === undefined) return;
      clearTimeout(timer);
      this.#waiting.delete(applicant);
      this.#admit(applicant, id);
    }
  }

  #admit(applicant: Applicant, id: string): void {
    const lockedUntil = Date.now() + this.#entity.settings.lockMs;
    const lock = { consumer: applicant.accept(id, lockedUntil), lockedUntil };
    this.#locks.set(id, lock);
    this.#arm(id, lock);
    this.#entity.addConsumer(lock.consumer);
  }

  #arm(id: string, lock: SessionLock): void {
    clearTimeout(lock.timer);
    lock.timer = setTimeout(() => this.#lose(id, lock), this.#entity.settings.lockMs);
    lock.timer.unref();
  }

  #lose(id: string, { consumer, timer }: SessionLock): void {
    clearTimeout(timer);
    this.#locks.delete(id);
    // First: what is released must not go to who has just lost it.
    this.#entity.removeConsumer(consumer);
    this.#entity.releaseSession(id, true);
    this.serve();
    consumer.end(CONDITION.sessionLockLost, `The session lock has expired on the session '${id}'.`);
  }

  /** @returns until when it is locked now, or undefined where it is not */
  renew(id: string): number | undefined {
    const lock = this.#locks.get(id);
    if (!lock) return undefined;
    lock.lockedUntil = Date.now() + this.#entity.settings.lockMs;
    this.#arm(id, lock);
    return lock.lockedUntil;
  }

  /** The holder left: what it had in hand is given again, and that is no delivery. */
  release(consumer: Consumer): void {
    const id = consumer.sessionId;
    const lock = id === undefined ? undefined : this.#locks.get(id);
    if (id === undefined || lock?.consumer !== consumer) return;
    clearTimeout(lock.timer);
    this.#locks.delete(id);
    this.#entity.releaseSession(id, false);
    this.serve();
  }

  dropAll(): void {
    for (const [id, lock] of this.#locks) this.#lose(id, lock);
  }

  stateOf(id: string): Buffer | undefined {
    return this.#states.get(id);
  }

  setState(id: string, state: Buffer | undefined): void {
    if (state) this.#states.set(id, state);
    else this.#states.delete(id);
  }

  stop(): void {
    for (const { timer } of this.#locks.values()) clearTimeout(timer);
    for (const timer of this.#waiting.values()) clearTimeout(timer);
  }
}
