import { randomBytes } from 'node:crypto';
import type { Message } from 'rhea';
import { SessionLocks } from './session-locks.ts';
import { CONDITION, type Consumer, type StoredMessage, propertiesOf } from './stored-message.ts';

export interface EntitySettings {
  lockMs: number;
  maxDeliveryCount: number;
  /** How long a message lives; Infinity: for ever. */
  ttlMs: number;
  deadLetterOnExpiry: boolean;
  readonly sessions: boolean;
}

const ENTITY_DEFAULTS: EntitySettings = {
  lockMs: 30_000,
  maxDeliveryCount: 10,
  ttlMs: Infinity,
  deadLetterOnExpiry: false,
  sessions: false,
};

export type Settlement = 'complete' | 'abandon' | 'defer' | 'deadletter';

/**
 * Messages that wait to be received: a queue, a subscription, or the dead letters of one. A message is *ready*, *locked*
 * by a receiver, *deferred*, or gone. A lock that runs out, and an abandoned message, count as a delivery.
 */
export class Entity {
  readonly settings: EntitySettings;
  /** Undefined: this is a queue of dead letters. */
  readonly deadLetters: Entity | undefined;
  readonly locks: SessionLocks;
  readonly #name: string;
  /** Ready messages of each session, oldest first; without sessions all are in one line. */
  readonly #lines = new Map<string, StoredMessage[]>();
  readonly #locked = new Map<string, StoredMessage>();
  readonly #deferred = new Map<number, StoredMessage>();
  readonly #consumers = new Set<Consumer>();
  #sequence = 0;
  /** Ready messages that will expire. */
  #mortal = false;

  constructor(name: string, settings: Partial<EntitySettings> = {}, isDeadLetters = false) {
    this.#name = name;
    this.settings = { ...ENTITY_DEFAULTS, ...settings };
    this.deadLetters = isDeadLetters
      ? undefined
      : new Entity(
          `${name}/$DeadLetterQueue`,
          { lockMs: this.settings.lockMs, maxDeliveryCount: Infinity },
          true,
        );
    this.locks = new SessionLocks(this);
  }

  get activeCount(): number {
    this.#expire();
    return this.#readyCount() + this.#locked.size + this.#deferred.size;
  }

  get lockedCount(): number {
    return this.#locked.size;
  }

  enqueue(message: Message): number {
    const stored = this.#store(message);
    this.#makeReady(stored);
    return stored.sequence;
  }

  #store(message: Message): StoredMessage {
    this.#sequence += 1;
    return {
      sequence: this.#sequence,
      message: { ...message },
      enqueuedAt: Date.now(),
      deliveryCount: 0,
      deferred: false,
      lockedUntil: 0,
    };
  }

  addConsumer(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.pump();
  }

  removeConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.locks.release(consumer);
  }

  /** Every receiver that is there now gets nothing any more, and is not told. */
  silence(): void {
    for (const consumer of this.#consumers) consumer.silent = true;
  }

  /** Gives what is ready to whoever may have it. */
  pump(): void {
    this.#expire();
    for (const consumer of this.#consumers) {
      if (consumer.silent) continue;
      const key = this.#keyOf(consumer.sessionId);
      const line = this.#lines.get(key);
      while (line && line.length > 0 && consumer.room() > 0) {
        const stored = line.shift();
        if (!stored) break;
        if (!consumer.deletes) this.#lock(stored);
        consumer.give(stored);
      }
      if (line?.length === 0) this.#lines.delete(key);
    }
    this.locks.serve();
  }

  /** The session whose oldest ready message is the oldest of those that `isFree`. */
  nextSession(isFree: (id: string) => boolean): string | undefined {
    let oldest = Infinity;
    let next: string | undefined;
    for (const [id, [head]] of this.#lines) {
      if (!head || head.sequence > oldest || !isFree(id)) continue;
      oldest = head.sequence;
      next = id;
    }
    return next;
  }

  /** @returns the condition why not */
  settle(
    token: string,
    how: Settlement,
    info: Readonly<Record<string, unknown>> = {},
  ): string | undefined {
    const stored = this.#locked.get(token);
    if (!stored) return CONDITION.lockLost;
    if (how === 'abandon') {
      const { message } = stored;
      message.application_properties = { ...propertiesOf(message), ...info };
      this.#release(stored, true);
      return undefined;
    }
    this.#unlock(stored);
    if (how === 'defer') {
      stored.deferred = true;
      this.#deferred.set(stored.sequence, stored);
    } else if (how === 'deadletter') {
      this.#bury(stored, info);
    }
    return undefined;
  }

  /** @returns until when it is locked now, or undefined where it was not */
  renew(token: string): number | undefined {
    const stored = this.#locked.get(token);
    if (!stored) return undefined;
    this.#hold(stored);
    return stored.lockedUntil;
  }

  /** Takes every lock away, as a failover of the service may. */
  dropLocks(): void {
    this.locks.dropAll();
    for (const stored of [...this.#locked.values()]) this.#release(stored, true);
  }

  /** Gives back what the holder of a session had in hand. */
  releaseSession(id: string, counts: boolean): void {
    for (const stored of [...this.#locked.values()])
      if (this.#keyOf(stored.message.group_id) === id) this.#release(stored, counts);
  }

  peek(from: number, count: number, sessionId: string | undefined): StoredMessage[] {
    this.#expire();
    return [
      ...[...this.#lines.values()].flat(),
      ...this.#locked.values(),
      ...this.#deferred.values(),
    ]
      .filter(({ sequence }) => sequence >= from)
      .filter(({ message }) => sessionId === undefined || message.group_id === sessionId)
      .toSorted((one, other) => one.sequence - other.sequence)
      .slice(0, count);
  }

  /** @returns undefined if one of them is not there */
  receiveDeferred(sequences: readonly number[]): StoredMessage[] | undefined {
    const found = sequences.flatMap((sequence) => this.#deferred.get(sequence) ?? []);
    if (found.length < sequences.length) return undefined;
    for (const stored of found) {
      this.#deferred.delete(stored.sequence);
      this.#lock(stored);
    }
    return found;
  }

  stop(): void {
    for (const { timer } of this.#locked.values()) clearTimeout(timer);
    this.locks.stop();
    this.deadLetters?.stop();
  }

  #readyCount(): number {
    let count = 0;
    for (const line of this.#lines.values()) count += line.length;
    return count;
  }

  #keyOf(sessionId: string | undefined): string {
    return this.settings.sessions ? (sessionId ?? '') : '';
  }

  /** What was given before goes back to its place. */
  #makeReady(stored: StoredMessage): void {
    const key = this.#keyOf(stored.message.group_id);
    const line = this.#lines.get(key) ?? [];
    this.#lines.set(key, line);
    let at = line.length;
    while (at > 0 && (line[at - 1]?.sequence ?? 0) > stored.sequence) at -= 1;
    line.splice(at, 0, stored);
    if (stored.message.ttl !== undefined || this.settings.ttlMs < Infinity) this.#mortal = true;
    this.pump();
  }

  #lock(stored: StoredMessage): void {
    stored.token = randomBytes(16).toString('hex');
    this.#locked.set(stored.token, stored);
    this.#hold(stored);
  }

  #hold(stored: StoredMessage): void {
    clearTimeout(stored.timer);
    stored.lockedUntil = Date.now() + this.settings.lockMs;
    // Of a session the one lock counts.
    if (this.settings.sessions) return;
    stored.timer = setTimeout(() => this.#release(stored, true), this.settings.lockMs);
    stored.timer.unref();
  }

  #unlock(stored: StoredMessage): void {
    clearTimeout(stored.timer);
    if (stored.token !== undefined) this.#locked.delete(stored.token);
    delete stored.token;
  }

  #release(stored: StoredMessage, counts: boolean): void {
    this.#unlock(stored);
    if (counts) stored.deliveryCount += 1;
    const { maxDeliveryCount } = this.settings;
    if (stored.deliveryCount < maxDeliveryCount) this.#makeReady(stored);
    else
      this.#bury(stored, {
        DeadLetterReason: 'MaxDeliveryCountExceeded',
        DeadLetterErrorDescription: `Message could not be consumed after ${maxDeliveryCount} delivery attempts.`,
      });
  }

  #bury(stored: StoredMessage, info: Readonly<Record<string, unknown>>): void {
    if (!this.deadLetters) return;
    // Dead letters live for ever.
    const { ttl: _ttl, ...message } = stored.message;
    const dead = this.deadLetters.#store({
      ...message,
      application_properties: { ...propertiesOf(message), ...info },
      message_annotations: {
        ...message.message_annotations,
        'x-opt-deadletter-source': this.#name,
      },
    });
    dead.deliveryCount = stored.deliveryCount;
    this.deadLetters.#makeReady(dead);
  }

  #expire(): void {
    if (!this.#mortal) return;
    const now = Date.now();
    for (const [key, line] of this.#lines) {
      const living = line.filter((stored) => {
        const ttlMs = Math.min(stored.message.ttl ?? Infinity, this.settings.ttlMs);
        if (now - stored.enqueuedAt < ttlMs) return true;
        if (this.settings.deadLetterOnExpiry)
          this.#bury(stored, {
            DeadLetterReason: 'TTLExpiredException',
            DeadLetterErrorDescription: 'The message expired and was dead lettered.',
          });
        return false;
      });
      if (living.length > 0) line.splice(0, line.length, ...living);
      else this.#lines.delete(key);
    }
  }
}
