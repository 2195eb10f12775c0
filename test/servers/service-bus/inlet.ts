import type { Message } from 'rhea';
import { annotationOf } from './stored-message.ts';

interface Scheduled {
  readonly sequence: number;
  readonly message: Message;
  readonly dueAt: number;
  readonly timer: NodeJS.Timeout;
}

/** Where messages are sent to: looks for duplicates, keeps what is for later, and passes on the rest. */
export class Inlet {
  /** 0: duplicates are not looked for. */
  duplicateWindowMs: number;
  /** How many messages were taken, and how many of those were swallowed as duplicates. */
  accepted = 0;
  duplicates = 0;
  readonly #seen = new Map<string, number>();
  readonly #scheduled = new Map<number, Scheduled>();
  readonly #deliver: (message: Message) => void;
  #sequence = 0;

  constructor(deliver: (message: Message) => void, duplicateWindowMs: number) {
    this.#deliver = deliver;
    this.duplicateWindowMs = duplicateWindowMs;
  }

  get scheduledCount(): number {
    return this.#scheduled.size;
  }

  /** @returns its sequence number where it is for later; 0 for one that is passed on, or was here before */
  send(message: Message): number {
    this.accepted += 1;
    if (this.#isDuplicate(message)) {
      this.duplicates += 1;
      return 0;
    }
    const at = annotationOf(message, 'x-opt-scheduled-enqueue-time');
    const dueAt = at == null ? 0 : Number(at);
    if (dueAt <= Date.now()) {
      this.#deliver(message);
      return 0;
    }
    // Apart from those of what is passed on: never the same number for two messages.
    this.#sequence += 1;
    const sequence = 1_000_000_000 + this.#sequence;
    // A timer counts no further.
    const waitMs = Math.min(dueAt - Date.now(), 2 ** 31 - 1);
    const timer = setTimeout(() => {
      this.#scheduled.delete(sequence);
      this.#deliver(message);
    }, waitMs);
    this.#scheduled.set(sequence, { sequence, message, dueAt, timer });
    return sequence;
  }

  /** @returns false if it is not there any more */
  cancel(sequence: number): boolean {
    const scheduled = this.#scheduled.get(sequence);
    clearTimeout(scheduled?.timer);
    return this.#scheduled.delete(sequence);
  }

  stop(): void {
    for (const { timer } of this.#scheduled.values()) clearTimeout(timer);
  }

  #isDuplicate({ message_id: id }: Message): boolean {
    if (this.duplicateWindowMs === 0 || id == null) return false;
    const now = Date.now();
    for (const [one, at] of this.#seen) {
      if (now - at <= this.duplicateWindowMs) break;
      this.#seen.delete(one);
    }
    const key = String(id);
    if (this.#seen.has(key)) return true;
    this.#seen.set(key, now);
    return false;
  }
}
