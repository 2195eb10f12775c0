import { type Keys, isMessagesType } from '../../src/adapters/hot/redis/keys.ts';
import type { CartEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { decodeLedger, encodeLedger } from '../../src/model/ledger.ts';
import type { Ledger, Note } from '../../src/model/ledger.ts';
import { type OptOut, parseOptOut } from '../../src/model/opt-out.ts';
import type { Problem } from '../../src/model/problem.ts';
import { GUARD_FIELDS, POLICY_FIELDS, parseOwnMarks } from '../../src/model/session.ts';
import type { PolicyField } from '../../src/model/session.ts';
import type { Claim } from '../../src/ports/agenda.ts';
import type {
  CommitOutcome,
  LedgerStore,
  LedgerWrite,
  Quarantined,
  Reading,
  Recorded,
} from '../../src/ports/ledger.ts';
import type { HotOptions } from './hot-options.ts';
import type { TinyStore } from './tiny-store.ts';

/** As in sight.lua. */
const FIELD_MAX = 4_096;

const GUARDS: ReadonlySet<string> = new Set(GUARD_FIELDS);

const UNREADABLE: Problem = { reason: 'ledger_unreadable', detail: 'not what Rekindle wrote' };

interface Stored {
  readonly ledger: Ledger;
  readonly pending: readonly CartEvent[];
  readonly notes: readonly Note[];
}

interface Sight {
  readonly fields: Partial<Record<PolicyField, string>> | undefined;
  readonly problem: Problem | undefined;
  readonly optedOutAt: number | undefined;
  readonly optedOutOf: OptOut['of'];
  readonly digest: string;
}

/** What the ledgers need of the agenda beside them. */
interface MemoryAgenda {
  leaseOf(user: string): number | undefined;
  armAt(user: string, at: number): boolean;
  endLease(user: string, nextAt: number | undefined): void;
}

/** Ledgers in memory; see memory-hot.ts. */
export class MemoryLedgers implements LedgerStore {
  readonly #store: TinyStore;
  readonly #keys: Keys;
  readonly #agenda: MemoryAgenda;
  readonly #options: HotOptions;
  readonly #now: () => number;
  readonly told: CartEvent[] = [];
  readonly #quarantine = new Map<string, Quarantined>();
  readonly #contacted = new Map<string, { messages: Map<string, number>; until: number }>();
  /** Decoding is most of the work of a long history, and a text is always the same ledger. */
  readonly #decoded = new Map<string, Ledger | undefined>();

  constructor(
    store: TinyStore,
    keys: Keys,
    agenda: MemoryAgenda,
    options: HotOptions,
    now: () => number,
  ) {
    this.#store = store;
    this.#keys = keys;
    this.#agenda = agenda;
    this.#options = options;
    this.#now = now;
  }

  async read(users: readonly string[], now: number): Promise<Reading[]> {
    return users.map((user) => this.#readOne(user, now));
  }

  #readOne(user: string, now: number): Reading {
    const { problem, ...sight } = this.#sight(user);
    const ledgerKey = this.#keys.ledger(user);
    const ledgerType = this.#store.typeOf(ledgerKey);
    const text = ledgerType === 'string' ? this.#store.text(ledgerKey) : undefined;
    const stored = text === undefined ? undefined : this.#decode(text);
    const endsAt = this.#store.expiresAt(this.#keys.session(user));
    return {
      user,
      ...sight,
      problem: ledgerType !== 'none' && !stored ? UNREADABLE : problem,
      expiresAt: endsAt === undefined ? undefined : now + endsAt - this.#now(),
      overflow: this.#store.list(this.#keys.overflow(user)).length,
      contactedAt: this.#contactedAt(user, now),
      ledger: stored?.ledger,
      version: text?.slice(0, 8) ?? '',
      pending: stored?.pending ?? [],
      notes: stored?.notes ?? [],
    };
  }

  async unchanged(announced: readonly Recorded[]): Promise<(string | undefined)[]> {
    return announced.map((one) => this.#unchanged(one));
  }

  #unchanged({ user, sequence, activityAt, cart }: Recorded): string | undefined {
    const { fields, ledger, optedOutAt, optedOutOf } = this.#readOne(user, this.#now());
    if (!fields || !ledger?.episode || optedOutAt !== undefined || optedOutOf) return undefined;
    if (ledger.sequence !== sequence || ledger.activityAt !== activityAt) return undefined;
    if (fields.last_activity !== formatInstant(activityAt) || fields.cart !== cart)
      return undefined;
    if (fields.last_order_at !== undefined) return undefined;
    const marks = parseOwnMarks(fields.rekindle);
    const goesOn = marks?.endedAt === undefined && marks?.cartOpenedAt === ledger.episode.life;
    return fields.rekindle === undefined || goesOn ? (fields.consent ?? '') : undefined;
  }

  #sight(user: string): Sight {
    const key = this.#keys.session(user);
    const optedOut = this.#store.hash(this.#keys.optouts)?.get(this.#keys.names.ownerOf(user));
    const { at: optedOutAt, of: optedOutOf } = parseOptOut(optedOut);
    const type = this.#store.typeOf(key);
    const ofMessages = isMessagesType(type) && this.#keys.messagesUser(key) !== undefined;
    if (type === 'none' || ofMessages)
      return {
        fields: undefined,
        problem: undefined,
        optedOutAt,
        optedOutOf,
        digest: `none|${String(optedOut)}`,
      };
    if (type !== 'hash') {
      const problem: Problem = { reason: 'wrong_key_type', detail: `the key is a ${type}` };
      return { fields: {}, problem, optedOutAt, optedOutOf, digest: `${type}|${String(optedOut)}` };
    }
    const hash = this.#store.hash(key);
    const fields: Partial<Record<PolicyField, string>> = {};
    const parts: string[] = [String(optedOut)];
    let problem: Problem | undefined;
    for (const name of POLICY_FIELDS) {
      const value = hash?.get(name);
      const most = name === 'cart' ? this.#options.maxCart : FIELD_MAX;
      // UTF-16 units are never more than bytes, and never less than a third.
      const tooLarge =
        value !== undefined && value.length * 3 > most && Buffer.byteLength(value) > most;
      if (tooLarge) {
        problem = { reason: name === 'cart' ? 'cart_too_large' : 'field_too_large', detail: name };
        parts.push(`${name} ${String(value.length)}`);
        continue;
      }
      if (value !== undefined) fields[name] = value;
      if (!GUARDS.has(name)) continue;
      parts.push(value === undefined ? '-' : `${String(value.length)}:${value}`);
    }
    return { fields, problem, optedOutAt, optedOutOf, digest: parts.join('|') };
  }

  #contactedAt(user: string, now: number): number[] {
    const owner = this.#keys.names.ownerOf(user);
    const { contactWindowMs } = this.#options;
    const known = this.#contacted.get(owner);
    if (contactWindowMs === 0 || !known || known.until <= now) return [];
    return [...known.messages.values()];
  }

  async note(user: string, note: Note, now: number): Promise<boolean> {
    const key = this.#keys.ledger(user);
    const text = this.#store.typeOf(key) === 'string' ? this.#store.text(key) : undefined;
    const stored = text === undefined ? undefined : this.#decode(text);
    if (!text || !stored) return false;
    const { ledger, pending, notes } = stored;
    this.#store.replace(
      key,
      encode(nextVersion(text.slice(0, 8)), ledger, pending, [...notes, note]),
    );
    this.#agenda.armAt(user, now);
    const { contactWindowMs } = this.#options;
    if (note.what === 'touch' && contactWindowMs > 0) {
      const owner = this.#keys.names.ownerOf(user);
      const messages = this.#contacted.get(owner)?.messages ?? new Map<string, number>();
      const message = `${note.channel} ${note.messageId}`;
      if (!messages.has(message)) messages.set(message, note.at);
      this.#contacted.set(owner, { messages, until: now + contactWindowMs });
    }
    return true;
  }

  /** A ledger is 8 hex digits of its version and its text, then a line for each pending event, and one with + for each note. */
  #decode(text: string): Stored | undefined {
    const [json = '', ...lines] = text.slice(8).split('\n');
    if (!this.#decoded.has(json)) {
      if (this.#decoded.size > 10_000) this.#decoded.clear();
      this.#decoded.set(json, decodeLedger(json));
    }
    const ledger = this.#decoded.get(json);
    try {
      if (!ledger) return undefined;
      const [notes, events] = [lines.filter(isNote), lines.filter((line) => !isNote(line))];
      return {
        ledger,
        pending: events.map((line) => JSON.parse(line) as CartEvent),
        notes: notes.map((line) => JSON.parse(line.slice(1)) as Note),
      };
    } catch {
      return undefined;
    }
  }

  async commit(
    claim: Claim,
    writes: readonly LedgerWrite[],
    now: number,
  ): Promise<CommitOutcome[]> {
    return writes.map((write) => this.#commitOne(claim, write, now));
  }

  #commitOne(claim: Claim, write: LedgerWrite, now: number): CommitOutcome {
    const { reading, ledger, events, quarantine, last } = write;
    const { user } = reading;
    const lease = this.#agenda.leaseOf(user);
    if (lease !== claim.leasedUntil || lease <= now + this.#options.leaseMarginMs)
      return 'lease_lost';
    const key = this.#keys.ledger(user);
    const type = this.#store.typeOf(key);
    const version = type === 'string' ? (this.#store.text(key) ?? '').slice(0, 8) : '';
    if ((type !== 'none' && type !== 'string') || version !== reading.version) return 'changed';
    if (this.#sight(user).digest !== reading.digest) return 'changed';
    const { busCap = -Infinity } = this.#options;
    const waits = reading.pending.length > 0 || this.told.length + events.length > busCap;
    const pending = last && !waits ? [] : [...reading.pending, ...events];
    this.#store.set(key, encode(nextVersion(version), ledger, pending));
    if (quarantine === 'leave') this.#quarantine.delete(user);
    else if (quarantine) this.#quarantine.set(user, quarantine);
    while (this.#quarantine.size > this.#options.maxQuarantined) {
      const oldest = this.#latestFirst().at(-1);
      if (oldest) this.#quarantine.delete(oldest.user);
    }
    if (!last || pending.length > 0) return 'committed';
    this.told.push(...events);
    this.#agenda.endLease(user, last.nextAt);
    return 'settled';
  }

  /** For the agenda, which settles. */
  strike(user: string, ids: readonly string[]): void {
    const key = this.#keys.ledger(user);
    const text = this.#store.typeOf(key) === 'string' ? this.#store.text(key) : undefined;
    const stored = text === undefined ? undefined : this.#decode(text);
    const left = stored?.pending.filter(({ id }) => !ids.includes(id));
    if (!stored || !text || !left || left.length === stored.pending.length) return;
    const version = nextVersion(text.slice(0, 8));
    this.#store.replace(key, encode(version, stored.ledger, left, stored.notes));
  }

  async forget(readings: readonly Reading[]): Promise<number> {
    const spent = readings.filter(({ user, version }) => {
      const key = this.#keys.ledger(user);
      const text = this.#store.typeOf(key) === 'string' ? this.#store.text(key) : undefined;
      return version !== '' && text?.startsWith(version);
    });
    for (const { user } of spent) this.#store.del(this.#keys.ledger(user));
    return spent.length;
  }

  async scan(): Promise<{ cursor: string | undefined; users: readonly string[] }> {
    const users: string[] = [];
    for (const key of this.#store.keys()) {
      const user = this.#keys.recordUser(key);
      if (user !== undefined) users.push(user);
    }
    return { cursor: undefined, users };
  }

  async quarantine(entries: readonly Quarantined[]): Promise<Quarantined[]> {
    const room = this.#options.maxQuarantined - this.#quarantine.size;
    const entering = entries
      .filter(({ user }) => !this.#quarantine.has(user))
      .slice(0, Math.max(0, room));
    for (const entry of entering) this.#quarantine.set(entry.user, entry);
    return entering;
  }

  async release(users: readonly string[]): Promise<void> {
    for (const user of users) this.#quarantine.delete(user);
  }

  async quarantined(limit: number): Promise<{ total: number; entries: readonly Quarantined[] }> {
    return { total: this.#quarantine.size, entries: this.#latestFirst().slice(0, limit) };
  }

  #latestFirst(): Quarantined[] {
    return [...this.#quarantine.values()].sort((a, b) => b.at - a.at);
  }
}

function encode(
  version: string,
  ledger: Ledger,
  pending: readonly CartEvent[],
  notes: readonly Note[] = [],
): string {
  return [
    version + encodeLedger(ledger),
    ...pending.map((event) => JSON.stringify(event)),
    ...notes.map((note) => `+${JSON.stringify(note)}`),
  ].join('\n');
}

function isNote(line: string): boolean {
  return line.startsWith('+');
}

function nextVersion(version: string): string {
  return ((Number.parseInt(version || '0', 16) + 1) % 2 ** 32).toString(16).padStart(8, '0');
}
