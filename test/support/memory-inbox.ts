import type { Arrival, Begun, Ended, Entry, Hold, Inbox } from '../../src/ports/inbox.ts';

/** How many ids that took effect are kept, as in Redis. */
const KEPT = 8;

interface Note {
  sequence: string;
  id: string;
  /** Undefined: in nobody's hands. */
  held: { readonly until: number; readonly token: string } | undefined;
  tried: boolean;
  tookEffect: readonly string[];
}

interface Subject {
  forgetAt: number;
  readonly notes: Map<string, Note>;
}

export interface MemoryInboxOptions {
  readonly clock: { readonly now: () => number };
  readonly retentionMs: number;
  /** When a user was erased, Unix milliseconds. */
  readonly erasedAt?: (user: string) => number | undefined;
}

/** An inbox in memory, by a clock that may be virtual. */
export class MemoryInbox implements Inbox {
  readonly #subjects = new Map<string, Subject>();
  readonly #options: MemoryInboxOptions;
  /** Rejects every call. */
  away = false;

  constructor(options: MemoryInboxOptions) {
    this.#options = options;
  }

  async begin(group: string, arrivals: readonly Arrival[], hold: Hold): Promise<Begun[]> {
    this.#reach();
    return arrivals.map((arrival) => this.#begin(group, arrival, hold));
  }

  async end(group: string, ended: readonly Ended[], token: string): Promise<boolean[]> {
    this.#reach();
    return ended.map((one) => {
      const note = this.#ownNote(group, one, token);
      if (!note) return false;
      note.held = undefined;
      if (one.outcome === 'failed') note.tried = true;
      if (one.outcome === 'done') note.tookEffect = [one.id, ...note.tookEffect].slice(0, KEPT);
      return true;
    });
  }

  async renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]> {
    this.#reach();
    const { now, holdMs, token } = hold;
    return held.map((one) => {
      const note = this.#ownNote(group, one, token);
      if (note) {
        note.held = { until: now + holdMs, token };
        this.#touch(one.subject, this.#subjectOf(one.subject));
      }
      return note !== undefined;
    });
  }

  /** Forgets a user's events, as an erasure does. */
  forget(subject: string): void {
    this.#subjects.delete(subject);
  }

  #begin(group: string, arrival: Arrival, { now, holdMs, token }: Hold): Begun {
    const { id, sequence, at, user } = arrival;
    const erasedAt = user === undefined ? undefined : this.#options.erasedAt?.(user);
    if (erasedAt !== undefined && !(at > erasedAt)) return 'erased';
    const subject = this.#subjectOf(arrival.subject);
    const name = nameOf(group, arrival);
    const known = subject.notes.get(name);
    if (known) {
      if (known.tookEffect.includes(id)) return 'repeat';
      const same = known.id === id;
      if (!same && sequence <= known.sequence) return 'overtaken';
      if (known.held && known.held.until > now) return 'busy';
      known.tried = same && (known.tried || known.held !== undefined);
    }
    const note = known ?? { sequence, id, held: undefined, tried: false, tookEffect: [] };
    Object.assign(note, { sequence, id, held: { until: now + holdMs, token } });
    subject.notes.set(name, note);
    this.#touch(arrival.subject, subject);
    return note.tried ? 'again' : 'new';
  }

  #ownNote(group: string, entry: Entry, token: string): Note | undefined {
    const subject = this.#subjectOf(entry.subject);
    const note = subject.notes.get(nameOf(group, entry));
    return note?.id === entry.id && note.held?.token === token ? note : undefined;
  }

  #subjectOf(name: string): Subject {
    const known = this.#subjects.get(name);
    if (known && known.forgetAt > this.#options.clock.now()) return known;
    return { forgetAt: 0, notes: new Map() };
  }

  #touch(name: string, subject: Subject): void {
    subject.forgetAt = this.#options.clock.now() + this.#options.retentionMs;
    this.#subjects.set(name, subject);
  }

  #reach(): void {
    if (this.away) throw new Error('the inbox is away');
  }
}

function nameOf(group: string, { source }: Entry): string {
  return `${group.length}:${group}${source}`;
}
