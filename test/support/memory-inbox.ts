import type { Arrival, Begun, Ended, Entry, Hold, Inbox } from '../../src/ports/inbox.ts';

/** How many ids that took effect are kept, as in Redis. */
const KEPT = 32;

interface Note {
  /** The latest call to act that was begun. */
  mark: { readonly sequence: string; readonly id: string } | undefined;
  /** Undefined: nothing is in anybody's hands. */
  held: { readonly id: string; readonly until: number; readonly token: string } | undefined;
  tried: readonly string[];
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
      if (one.outcome === 'failed') note.tried = latest(note.tried, one.id);
      if (one.outcome === 'done') {
        note.tried = note.tried.filter((id) => id !== one.id);
        note.tookEffect = latest(note.tookEffect, one.id);
      }
      return true;
    });
  }

  async renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]> {
    this.#reach();
    const { now, holdMs, token } = hold;
    return held.map((one) => {
      const note = this.#ownNote(group, one, token);
      if (note) {
        note.held = { id: one.id, until: now + holdMs, token };
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
    const { id, sequence, at, user, fact = false } = arrival;
    const erasedAt = user === undefined ? undefined : this.#options.erasedAt?.(user);
    if (erasedAt !== undefined && !(at > erasedAt)) return 'erased';
    const subject = this.#subjectOf(arrival.subject);
    const name = nameOf(group, arrival);
    const note: Note = subject.notes.get(name) ?? {
      mark: undefined,
      held: undefined,
      tried: [],
      tookEffect: [],
    };
    const { mark, held } = note;
    if (note.tookEffect.includes(id)) return 'repeat';
    if (!fact && mark && mark.id !== id && sequence <= mark.sequence) return 'overtaken';
    if (held && held.until > now) return 'busy';
    if (held) note.tried = latest(note.tried, held.id);
    if (!fact) note.mark = { sequence, id };
    note.held = { id, until: now + holdMs, token };
    subject.notes.set(name, note);
    this.#touch(arrival.subject, subject);
    return note.tried.includes(id) ? 'again' : 'new';
  }

  #ownNote(group: string, entry: Entry, token: string): Note | undefined {
    const subject = this.#subjectOf(entry.subject);
    const note = subject.notes.get(nameOf(group, entry));
    return note?.held?.id === entry.id && note.held.token === token ? note : undefined;
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

function latest(ids: readonly string[], id: string): readonly string[] {
  return ids.includes(id) ? ids : [id, ...ids].slice(0, KEPT);
}

function nameOf(group: string, { source }: Entry): string {
  return `${group.length}:${group}${source}`;
}
