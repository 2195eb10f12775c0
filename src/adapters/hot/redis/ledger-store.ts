import type { Redis } from 'ioredis';
import { type AnyEvent, eventText } from '../../../model/event.ts';
import { decodeLedger, encodeLedger } from '../../../model/ledger.ts';
import type { Problem } from '../../../model/problem.ts';
import { GUARD_FIELDS, POLICY_FIELDS, type PolicyField } from '../../../model/session.ts';
import type { Claim } from '../../../ports/agenda.ts';
import type {
  CommitOutcome,
  LedgerStore,
  LedgerWrite,
  Quarantined,
  Reading,
} from '../../../ports/ledger.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

type Row = [
  fault: string,
  exists: number,
  pttl: number,
  optedOutAt: string | null,
  digest: string,
  ledger: string | null,
  pending: string[],
  ...values: (string | null)[],
];

const readScript = new Script<Row[]>('read.lua');
const commitScript = new Script<number[]>('commit.lua');
const strikeScript = new Script<number>('strike.lua');

/** What commit.lua returns. */
const OUTCOMES: ReadonlyMap<number, CommitOutcome> = new Map([
  [1, 'committed'],
  [0, 'changed'],
  [-1, 'lease_lost'],
]);

/** What stands before the text of a ledger: see ledger-head.lua. */
const HEAD_LENGTH = 9;

/** Keys a page of a scan looks at: 1,000 take Redis 0.4 ms. */
const SCAN_COUNT = 1_000;

export interface LedgerStoreOptions {
  readonly ledgerTtlMs: number;
  /** A larger cart is not read, in bytes. */
  readonly maxCart: number;
  /** Time that a lease must still have for a commit: what the clocks of two hosts may differ. */
  readonly leaseMarginMs: number;
  /** The quarantine keeps the latest so many. */
  readonly maxQuarantined: number;
}

export class RedisLedgerStore implements LedgerStore {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: LedgerStoreOptions;

  constructor(redis: Redis, keys: Keys, options: LedgerStoreOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
  }

  async read(users: readonly string[], now: number): Promise<Reading[]> {
    const readings: Reading[] = [];
    while (readings.length < users.length) {
      const rest = users.slice(readings.length);
      const keys = rest.flatMap((user) => [
        this.#keys.session(user),
        this.#keys.optout(user),
        this.#keys.ledger(user),
        this.#keys.pending(user),
      ]);
      const rows = await readScript.run(this.#redis, keys, [
        this.#options.maxCart,
        GUARD_FIELDS.length,
        ...POLICY_FIELDS,
      ]);
      for (const [index, row] of rows.entries())
        readings.push(toReading(rest[index] ?? '', row, now));
    }
    return readings;
  }

  async commit(
    claim: Claim,
    writes: readonly LedgerWrite[],
    now: number,
  ): Promise<CommitOutcome[]> {
    const outcomes: CommitOutcome[] = [];
    const { ledgerTtlMs, maxCart, leaseMarginMs, maxQuarantined } = this.#options;
    while (outcomes.length < writes.length) {
      const keys = [this.#keys.leased, this.#keys.quarantine, this.#keys.quarantineDetails];
      const args: (string | number)[] = [
        now + leaseMarginMs,
        claim.leasedUntil,
        ledgerTtlMs,
        maxCart,
        maxQuarantined,
      ];
      args.push(GUARD_FIELDS.length, ...GUARD_FIELDS);
      for (const { reading, ledger, events, quarantine } of writes.slice(outcomes.length)) {
        const { user, digest, version } = reading;
        keys.push(
          this.#keys.session(user),
          this.#keys.optout(user),
          this.#keys.ledger(user),
          this.#keys.pending(user),
        );
        args.push(user, digest, version, encodeLedger(ledger));
        if (quarantine === undefined || quarantine === 'leave') args.push(quarantine ? '-' : '', 0);
        else args.push(JSON.stringify(quarantine), quarantine.at);
        args.push(events.length);
        for (const event of events) args.push(event.id, eventText(event));
      }
      const codes = await commitScript.run(this.#redis, keys, args);
      outcomes.push(...codes.map((code) => OUTCOMES.get(code) ?? 'changed'));
    }
    return outcomes;
  }

  async strike(
    published: readonly { readonly user: string; readonly ids: readonly string[] }[],
  ): Promise<void> {
    const some = published.filter(({ ids }) => ids.length > 0);
    if (some.length === 0) return;
    await strikeScript.run(
      this.#redis,
      some.flatMap(({ user }) => [this.#keys.ledger(user), this.#keys.pending(user)]),
      some.flatMap(({ ids }) => [ids.length, ...ids]),
    );
  }

  async scan(cursor: string): Promise<{ cursor: string | undefined; users: string[] }> {
    // Two kinds of key after each other: the cursor says which.
    const kind = cursor.startsWith('pending ') ? 'pending' : 'ledger';
    const from = kind === 'pending' ? cursor.slice('pending '.length) : cursor || '0';
    const [next, keys] = await this.#redis.scan(
      from,
      'MATCH',
      this.#keys.patternOf(kind),
      'COUNT',
      SCAN_COUNT,
    );
    const users = keys.map((key) => this.#keys.userOf(kind, key));
    if (kind === 'ledger') return { cursor: next === '0' ? 'pending 0' : next, users };
    return { cursor: next === '0' ? undefined : `pending ${next}`, users };
  }

  async quarantine(entries: readonly Quarantined[]): Promise<Quarantined[]> {
    if (entries.length === 0) return [];
    const known = await this.#redis.zmscore(
      this.#keys.quarantine,
      ...entries.map(({ user }) => user),
    );
    const room = this.#options.maxQuarantined - (await this.#redis.zcard(this.#keys.quarantine));
    const entering = entries
      .filter((_entry, index) => known[index] === null)
      .slice(0, Math.max(0, room));
    if (entering.length === 0) return [];
    await this.#redis
      .multi()
      .zadd(this.#keys.quarantine, ...entering.flatMap(({ at, user }) => [at, user]))
      .hset(
        this.#keys.quarantineDetails,
        ...entering.flatMap((entry) => [entry.user, JSON.stringify(entry)]),
      )
      .exec();
    return entering;
  }

  async release(users: readonly string[]): Promise<void> {
    if (users.length === 0) return;
    await this.#redis
      .multi()
      .zrem(this.#keys.quarantine, ...users)
      .hdel(this.#keys.quarantineDetails, ...users)
      .exec();
  }

  async quarantined(limit: number): Promise<{ total: number; entries: Quarantined[] }> {
    const users = limit > 0 ? await this.#redis.zrevrange(this.#keys.quarantine, 0, limit - 1) : [];
    const total = await this.#redis.zcard(this.#keys.quarantine);
    if (users.length === 0) return { total, entries: [] };
    const details = await this.#redis.hmget(this.#keys.quarantineDetails, ...users);
    const entries = details.flatMap((text) =>
      text === null ? [] : [JSON.parse(text) as Quarantined],
    );
    return { total, entries };
  }
}

function toReading(user: string, row: Row, now: number): Reading {
  const [fault, exists, pttl, optedOutAt, digest, ledgerText, pending, ...values] = row;
  const fields: Partial<Record<PolicyField, string>> = {};
  for (const [index, name] of POLICY_FIELDS.entries()) {
    const value = values[index];
    if (value !== null && value !== undefined) fields[name] = value;
  }
  const ledger = ledgerText === null ? undefined : decodeLedger(ledgerText.slice(HEAD_LENGTH));
  const events = readPending(pending);
  const unreadable: Problem | undefined =
    (ledgerText !== null && ledger === undefined) || !events
      ? {
          reason: 'ledger_unreadable',
          detail: 'the ledger of this user is not what Rekindle wrote; delete it to start anew',
        }
      : undefined;
  return {
    user,
    fields: exists === 1 ? fields : undefined,
    problem: unreadable ?? problemOf(fault),
    expiresAt: pttl >= 0 ? now + pttl : undefined,
    optedOutAt: optedOutAt === null ? undefined : Number(optedOutAt),
    digest,
    ledger,
    version: ledgerText === null ? '' : ledgerText.slice(0, HEAD_LENGTH),
    pending: events ?? [],
  };
}

function problemOf(fault: string): Problem | undefined {
  const [reason, value = ''] = fault.split(':');
  switch (reason) {
    case 'wrong_key_type':
      return { reason, detail: `the key of the session is a ${value}; a session is a hash` };
    case 'cart_too_large':
      return {
        reason,
        detail: `the field cart has ${value} bytes, more than REKINDLE_MAX_CART allows`,
      };
    case 'field_too_large':
      return { reason, detail: `the field ${value} has more than 4096 bytes` };
    default:
      return undefined;
  }
}

/** A hash keeps no order; the sequence does. Undefined if somebody else wrote there. */
function readPending(flat: readonly string[]): AnyEvent[] | undefined {
  try {
    const events = flat
      .filter((_text, index) => index % 2 === 1)
      .map((text) => JSON.parse(text) as AnyEvent);
    return events.length < 2
      ? events
      : events.sort((a, b) => (a.sequence < b.sequence ? -1 : Number(a.sequence > b.sequence)));
  } catch {
    return undefined;
  }
}
