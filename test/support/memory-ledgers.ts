import type { Keys } from '../../src/adapters/hot/redis/keys.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { decodeLedger, encodeLedger } from '../../src/model/ledger.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import type { Problem } from '../../src/model/problem.ts';
import { GUARD_FIELDS, POLICY_FIELDS } from '../../src/model/session.ts';
import type { PolicyField } from '../../src/model/session.ts';
import type { Claim } from '../../src/ports/agenda.ts';
import type {
  CommitOutcome,
  LedgerStore,
  LedgerWrite,
  Quarantined,
  Reading,
} from '../../src/ports/ledger.ts';
import type { HotOptions } from './hot-options.ts';
import type { TinyStore } from './tiny-store.ts';

/** As in sight.lua. */
const FIELD_MAX = 4_096;

const GUARDS: ReadonlySet<string> = new Set(GUARD_FIELDS);

const UNREADABLE: Problem = { reason: 'ledger_unreadable', detail: 'not what Rekindle wrote' };

interface Sight {
  readonly fields: Partial<Record<PolicyField, string>> | undefined;
  readonly problem: Problem | undefined;
  readonly optedOutAt: number | undefined;
  readonly digest: string;
}

/** Ledgers in memory; see memory-hot.ts. */
export class MemoryLedgers implements LedgerStore {
  readonly #store: TinyStore;
  readonly #keys: Keys;
  readonly #agenda: { leaseOf(user: string): number | undefined };
  readonly #options: HotOptions;
  readonly #now: () => number;
  readonly #quarantine = new Map<string, Quarantined>();
  /** Decoding is most of the work of a long history, and a text is always the same ledger. */
  readonly #decoded = new Map<string, Ledger | undefined>();

  constructor(
    store: TinyStore,
    keys: Keys,
    agenda: { leaseOf(user: string): number | undefined },
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
    const ledger = text === undefined ? undefined : this.#decode(text.slice(8));
    const pending = this.#pending(user);
    const unreadable = (ledgerType !== 'none' && ledger === undefined) || pending === undefined;
    const endsAt = this.#store.expiresAt(this.#keys.session(user));
    return {
      user,
      ...sight,
      problem: unreadable ? UNREADABLE : problem,
      expiresAt: endsAt === undefined ? undefined : now + endsAt - this.#now(),
      ledger,
      version: text?.slice(0, 8) ?? '',
      pending: pending ?? [],
    };
  }

  #sight(user: string): Sight {
    const key = this.#keys.session(user);
    const optoutKey = this.#keys.optout(user);
    const optedOut =
      this.#store.typeOf(optoutKey) === 'string' ? this.#store.text(optoutKey) : undefined;
    const optedOutAt = optedOut === undefined ? undefined : Number(optedOut);
    const type = this.#store.typeOf(key);
    if (type === 'none')
      return {
        fields: undefined,
        problem: undefined,
        optedOutAt,
        digest: `none|${String(optedOut)}`,
      };
    if (type !== 'hash') {
      const problem: Problem = { reason: 'wrong_key_type', detail: `the key is a ${type}` };
      return { fields: {}, problem, optedOutAt, digest: `${type}|${String(optedOut)}` };
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
    return { fields, problem, optedOutAt, digest: parts.join('|') };
  }

  #decode(text: string): Ledger | undefined {
    if (!this.#decoded.has(text)) {
      if (this.#decoded.size > 10_000) this.#decoded.clear();
      this.#decoded.set(text, decodeLedger(text));
    }
    return this.#decoded.get(text);
  }

  /** Undefined: not what was written there. */
  #pending(user: string): AnyEvent[] | undefined {
    const key = this.#keys.pending(user);
    const type = this.#store.typeOf(key);
    if (type === 'none') return [];
    if (type !== 'hash') return undefined;
    try {
      const events = [...(this.#store.hash(key)?.values() ?? [])].map(
        (text) => JSON.parse(text) as AnyEvent,
      );
      return events.sort((a, b) =>
        a.sequence < b.sequence ? -1 : Number(a.sequence > b.sequence),
      );
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
    const { reading, ledger, events, quarantine } = write;
    const { user } = reading;
    const lease = this.#agenda.leaseOf(user);
    if (lease !== claim.leasedUntil || lease <= now + this.#options.leaseMarginMs)
      return 'lease_lost';
    const key = this.#keys.ledger(user);
    const type = this.#store.typeOf(key);
    const version = type === 'string' ? (this.#store.text(key) ?? '').slice(0, 8) : '';
    if ((type !== 'none' && type !== 'string') || version !== reading.version) return 'changed';
    if (this.#sight(user).digest !== reading.digest) return 'changed';
    if (events.length > 0) {
      const pendingKey = this.#keys.pending(user);
      if (!['none', 'hash'].includes(this.#store.typeOf(pendingKey))) return 'changed';
      this.#store.hset(
        pendingKey,
        events.map((event) => [event.id, JSON.stringify(event)]),
      );
    }
    this.#store.set(key, nextVersion(version) + encodeLedger(ledger), this.#options.ledgerTtlMs);
    if (quarantine === 'leave') this.#quarantine.delete(user);
    else if (quarantine) this.#quarantine.set(user, quarantine);
    while (this.#quarantine.size > this.#options.maxQuarantined) {
      const oldest = this.#latestFirst().at(-1);
      if (oldest) this.#quarantine.delete(oldest.user);
    }
    return 'committed';
  }

  async strike(
    published: readonly { readonly user: string; readonly ids: readonly string[] }[],
  ): Promise<void> {
    for (const { user, ids } of published) {
      const pendingKey = this.#keys.pending(user);
      const pendingType = this.#store.typeOf(pendingKey);
      if (pendingType !== 'hash' || this.#store.hdel(pendingKey, ids) === 0) continue;
      const key = this.#keys.ledger(user);
      const text = this.#store.typeOf(key) === 'string' ? this.#store.text(key) : undefined;
      if (text !== undefined)
        this.#store.replace(key, nextVersion(text.slice(0, 8)) + text.slice(8));
    }
  }

  async scan(): Promise<{ cursor: string | undefined; users: readonly string[] }> {
    const users: string[] = [];
    for (const key of this.#store.keys()) {
      for (const kind of ['ledger', 'pending'] as const) {
        if (key.startsWith(this.#keys[kind](''))) users.push(this.#keys.userOf(kind, key));
      }
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

function nextVersion(version: string): string {
  return ((Number.parseInt(version || '0', 16) + 1) % 2 ** 32).toString(16).padStart(8, '0');
}
