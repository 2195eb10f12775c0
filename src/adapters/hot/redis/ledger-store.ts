import type { Redis } from 'ioredis';
import { formatInstant } from '../../../model/instant.ts';
import type { Note } from '../../../model/ledger.ts';
import { type OptOut, parseOptOut } from '../../../model/opt-out.ts';
import type { Problem } from '../../../model/problem.ts';
import { GUARD_FIELDS, POLICY_FIELDS, type PolicyField } from '../../../model/session.ts';
import { shortDigest } from '../../../model/short-digest.ts';
import type { Claim } from '../../../ports/agenda.ts';
import type {
  CommitOutcome,
  LedgerStore,
  LedgerWrite,
  Quarantined,
  ReadOptions,
  Reading,
  Recorded,
} from '../../../ports/ledger.ts';
import { type Keys, isMessagesType } from './keys.ts';
import { Script } from './script.ts';
import { packNote, parseStored, storedText, versionOf } from './stored-ledger.ts';

/** As read.lua gives it: `digest` and `told` hold the values, or the digest is a hash and the values stand apart. */
type Row = [
  pttl: number,
  overflow: number,
  fault: string,
  digest: string,
  ledger: string | null,
  told: string | null,
  ...values: (string | null)[],
];

const quarantineScript = new Script<number[]>('quarantine.lua');
const readScript = new Script<Row[]>('read.lua');
const unchangedScript = new Script<[letters: string, ...consents: string[]]>('unchanged.lua');
/** 1: noted; 0: nobody to note it of; -1: too much waits. */
const noteScript = new Script<number>('note.lua');
const forgetScript = new Script<number>('forget.lua');

/** What commit.lua returns. */
const OUTCOMES: ReadonlyMap<number, CommitOutcome | 'full'> = new Map([
  [2, 'settled'],
  [1, 'committed'],
  [0, 'changed'],
  [-1, 'lease_lost'],
  [-2, 'full'],
]);

/** What a digest consists of, and what stands for a value that is missing: see sight.lua. */
const DIGEST_PARTS = 8;
const MISSING = '\u0001';

/** A longer digest is hashed: 150 bytes are usual, and hashing them takes Redis as long as sending them thrice. */
const DIGEST_MAX = 512;

/** What PTTL says of a key that is not there. */
const NO_KEY = -2;

/** How many announcements one script call asks after: some 2 ms of Redis. */
const ASKED_AT_ONCE = 500;

/** Keys a page of a scan looks at: 1,000 take Redis 0.4 ms. */
const SCAN_COUNT = 1_000;

export interface LedgerStoreOptions {
  /** A larger cart is not read, in bytes. */
  readonly maxCart: number;
  /** Time that a lease must still have for a commit: what the clocks of two hosts may differ. */
  readonly leaseMarginMs: number;
  /** How long it counts that a rescue message went out; 0: it does not. */
  readonly contactWindowMs: number;
  /** The quarantine keeps the latest so many. */
  readonly maxQuarantined: number;
  /** The event bus, where it is in the same Redis. */
  readonly bus?: AppendingBus | undefined;
}

/** A stream of events that a script can append to. */
export interface AppendingBus {
  /** Defines `room_of(stream, cap)` and `append(stream, type, event)`. */
  readonly lua: string;
  readonly stream: string;
  /** How many events a consumer group may leave unsettled. */
  readonly cap: number;
}

export class RedisLedgerStore implements LedgerStore {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: LedgerStoreOptions;
  readonly #commitScript: Script<number[]>;

  constructor(redis: Redis, keys: Keys, options: LedgerStoreOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
    this.#commitScript = new Script('commit.lua', { 'append.lua': options.bus?.lua ?? '' });
  }

  async read(
    users: readonly string[],
    now: number,
    { brief = false }: ReadOptions = {},
  ): Promise<Reading[]> {
    const readings = await this.#read(users, now, DIGEST_MAX, brief);
    const garbled = users.filter((_user, index) => !readings[index]);
    // What cannot be told apart in one text, or is no UTF-8, is asked for value by value, under a hash.
    const apart = garbled.length > 0 ? await this.#read(garbled, now, 0, brief) : [];
    return readings.map((reading) => reading ?? apart.shift()).filter((reading) => !!reading);
  }

  /** Undefined: to be read value by value. */
  async #read(
    users: readonly string[],
    now: number,
    digestMax: number,
    brief: boolean,
  ): Promise<(Reading | undefined)[]> {
    const { maxCart, contactWindowMs } = this.#options;
    const readings: (Reading | undefined)[] = [];
    while (readings.length < users.length) {
      const rest = users.slice(readings.length);
      const keys = [this.#keys.optouts, this.#keys.erasedOptouts, this.#keys.pepper];
      for (const user of rest)
        keys.push(this.#keys.session(user), this.#keys.ledger(user), this.#keys.overflow(user));
      const owners = rest.map((user) => this.#keys.names.ownerOf(user));
      const capped = contactWindowMs > 0;
      if (capped) keys.push(...owners.map((owner) => this.#keys.contacted(owner)));
      const told = [POLICY_FIELDS.length, ...POLICY_FIELDS];
      const args = [maxCart, digestMax, brief ? 1 : 0, ...told, ...owners];
      const rows = await readScript.run(this.#redis, keys, args);
      const contacted = capped ? (rows.pop() as unknown as (string | null)[]) : [];
      rows.forEach((row, index) =>
        readings.push(toReading(rest[index] ?? '', row, contacted[index] ?? null, now, this.#keys)),
      );
    }
    return readings;
  }

  async unchanged(announced: readonly Recorded[]): Promise<(string | undefined)[]> {
    const calls: Promise<(string | undefined)[]>[] = [];
    for (let from = 0; from < announced.length; from += ASKED_AT_ONCE)
      calls.push(this.#unchanged(announced.slice(from, from + ASKED_AT_ONCE)));
    return (await Promise.all(calls)).flat();
  }

  async #unchanged(announced: readonly Recorded[]): Promise<(string | undefined)[]> {
    const keys = [this.#keys.optouts];
    let lines = '';
    for (const { user, sequence, activityAt, cart } of announced) {
      keys.push(this.#keys.session(user), this.#keys.ledger(user));
      // As `encodeLedger` begins; JSON has neither tabs nor line breaks in a text.
      const ledger = `[${activityAt},${sequence - activityAt},"`;
      lines += `${formatInstant(activityAt)}\t${cart}\t${ledger}\n`;
    }
    const { names } = this.#keys;
    const owners = names.several ? announced.map(({ user }) => names.ownerOf(user)) : [];
    const userFrom = Buffer.byteLength(this.#keys.ledger('')) + 1;
    const args = [...GUARD_FIELDS, lines, userFrom, ...owners];
    const [letters, ...consents] = await unchangedScript.run(this.#redis, keys, args);
    return Array.from(letters, (letter) => {
      if (letter === 'c') return consents.shift();
      return letter === 'y' ? '' : undefined;
    });
  }

  async commit(
    claim: Claim,
    writes: readonly LedgerWrite[],
    now: number,
  ): Promise<CommitOutcome[]> {
    const outcomes = await this.#commit(claim, writes, now, this.#options.bus);
    const untold = writes.filter((_write, index) => outcomes[index] === 'full');
    // What the bus does not take now waits in the ledgers, as for a bus that is elsewhere.
    const kept = untold.length > 0 ? await this.#commit(claim, untold, now, undefined) : [];
    return outcomes.map((one) => {
      const outcome = one === 'full' ? kept.shift() : one;
      return outcome === undefined || outcome === 'full' ? 'changed' : outcome;
    });
  }

  /** @param bus where events go at once; undefined: they are pending */
  async #commit(
    claim: Claim,
    writes: readonly LedgerWrite[],
    now: number,
    bus: AppendingBus | undefined,
  ): Promise<(CommitOutcome | 'full')[]> {
    const outcomes: (CommitOutcome | 'full')[] = [];
    const { maxCart, leaseMarginMs, maxQuarantined } = this.#options;
    const { names } = this.#keys;
    while (outcomes.length < writes.length) {
      const keys = [
        this.#keys.leased,
        this.#keys.optouts,
        this.#keys.quarantine,
        this.#keys.quarantineDetails,
        this.#keys.agenda,
        // Without a bus any key that is named already: whose rights end at ours may name no other.
        bus?.stream ?? this.#keys.agenda,
      ];
      const rest = writes.slice(outcomes.length);
      const perUser: (string | number)[] = [];
      const told: string[] = [];
      const moves: (string | number)[] = [];
      rest.forEach(({ reading, ledger, events, quarantine, last }, index) => {
        const { user, digest, version, pending } = reading;
        const toTell = bus && last && pending.length === 0 ? events : [];
        const toKeep = toTell.length > 0 ? [] : events;
        const isLast = last && pending.length + toKeep.length === 0;
        keys.push(this.#keys.session(user), this.#keys.ledger(user));
        perUser.push(user, digest, version, storedText(reading, ledger, toKeep));
        perUser.push(isLast ? toTell.length : -1, last?.nextAt ?? '');
        for (const event of toTell) told.push(event.type, JSON.stringify(event));
        if (quarantine === 'leave') moves.push(index + 1, '', 0);
        else if (quarantine) moves.push(index + 1, JSON.stringify(quarantine), quarantine.at);
      });
      const owners = names.several ? rest.map(({ reading }) => names.ownerOf(reading.user)) : [];
      const codes = await this.#commitScript.run(this.#redis, keys, [
        now + leaseMarginMs,
        claim.leasedUntil,
        maxCart,
        maxQuarantined,
        ...GUARD_FIELDS,
        bus?.cap ?? 0,
        told.length / 2,
        owners.length,
        ...owners,
        ...perUser,
        ...told,
        ...moves,
      ]);
      outcomes.push(...codes.map((code) => OUTCOMES.get(code) ?? 'changed'));
    }
    return outcomes;
  }

  async note(user: string, note: Note, now: number): Promise<boolean> {
    const owner = this.#keys.names.ownerOf(user);
    const message =
      note.what === 'touch' ? shortDigest(`${note.channel} ${note.messageId}`).slice(0, 8) : '';
    const code = await noteScript.run(
      this.#redis,
      [
        this.#keys.ledger(user),
        this.#keys.agenda,
        this.#keys.tombstones,
        this.#keys.contacted(owner),
      ],
      [user, owner, note.at, now, packNote(note), message, this.#options.contactWindowMs],
    );
    if (code < 0)
      throw new Error('too much was noted of this user since the last look: look first');
    return code === 1;
  }

  async forget(readings: readonly Reading[]): Promise<number> {
    if (readings.length === 0) return 0;
    const keys = readings.map(({ user }) => this.#keys.ledger(user));
    const versions = readings.map(({ version }) => version);
    return forgetScript.run(this.#redis, keys, versions);
  }

  async scan(cursor: string): Promise<{ cursor: string | undefined; users: string[] }> {
    const [next, keys] = await this.#redis.scan(
      cursor || '0',
      'MATCH',
      this.#keys.recordPattern,
      'COUNT',
      SCAN_COUNT,
    );
    return {
      cursor: next === '0' ? undefined : next,
      users: keys.map((key) => this.#keys.recordUser(key)).filter((user) => user !== undefined),
    };
  }

  async quarantine(entries: readonly Quarantined[]): Promise<Quarantined[]> {
    if (entries.length === 0) return [];
    const ledgers = entries.map(({ user }) => this.#keys.ledger(user));
    const entered = await quarantineScript.run(
      this.#redis,
      [this.#keys.quarantine, this.#keys.quarantineDetails, ...ledgers],
      [
        this.#options.maxQuarantined,
        ...entries.flatMap((entry) => {
          const ofLedger = entry.reason === UNREADABLE.reason ? 1 : 0;
          return [entry.user, entry.at, JSON.stringify(entry), ofLedger];
        }),
      ],
    );
    return entries.filter((_entry, index) => entered.includes(index + 1));
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
    const entries = users.map((user, index) => this.#entryOf(user, details[index] ?? ''));
    return { total, entries };
  }

  /** What somebody else wrote there hides nobody, and no other entry. */
  #entryOf(user: string, text: string): Quarantined {
    try {
      const entry = JSON.parse(text) as Quarantined | null;
      if (entry?.user === user) return entry;
    } catch {
      // Said below.
    }
    const detail = 'why is not known any more: its entry is not what Rekindle wrote';
    return { user, key: this.#keys.session(user), reason: 'unknown', detail, at: 0 };
  }
}

/** `instant=message,…`: see note.lua. */
function instantsIn(contacted: string | null): number[] {
  return contacted ? contacted.split(',').map((one) => Number.parseInt(one, 10)) : [];
}

function toReading(
  user: string,
  row: Row,
  contacted: string | null,
  now: number,
  keys: Keys,
): Reading | undefined {
  const [pttl, overflow, fault, digest, stored] = row;
  const sight = digest.startsWith('#') ? sightApart(row) : sightInOne(row);
  if (!sight) return undefined;
  const ofMessages = fault !== '' && isOfMessages(fault, keys.session(user), keys);
  const found = stored === null ? undefined : parseStored(keys.names.nameOf(user), stored);
  return {
    user,
    fields: pttl === NO_KEY || ofMessages ? undefined : sight.fields,
    problem: stored !== null && !found ? UNREADABLE : problemOf(ofMessages ? '' : fault),
    expiresAt: pttl >= 0 ? now + pttl : undefined,
    overflow,
    optedOutAt: sight.optOut.at,
    optedOutOf: sight.optOut.of,
    contactedAt: instantsIn(contacted),
    digest,
    ledger: found?.ledger,
    version: versionOf(stored),
    pending: found?.pending ?? [],
    notes: found?.notes ?? [],
  };
}

/** A list or a text whose key ends so is somebody's messages: there is no session. */
function isOfMessages(fault: string, key: string, keys: Keys): boolean {
  const [reason, type = ''] = fault.split(':');
  return (
    reason === 'wrong_key_type' && isMessagesType(type) && keys.messagesUser(key) !== undefined
  );
}

interface Sight {
  readonly optOut: OptOut;
  readonly fields: Partial<Record<PolicyField, string>>;
}

function sightApart([, , , , , optedOutAt, ...values]: Row): Sight {
  const fields: Partial<Record<PolicyField, string>> = {};
  POLICY_FIELDS.forEach((name, index) => {
    const value = values[index];
    if (typeof value === 'string') fields[name] = value;
  });
  return { optOut: parseOptOut(optedOutAt ?? undefined), fields };
}

/** Undefined if a value holds a zero byte, or what is no UTF-8: as text it would seem to have changed at every commit. */
function sightInOne([, , , digest, , told]: Row): Sight | undefined {
  const deciding = digest.split('\0');
  const others = told?.split('\0') ?? [];
  if (deciding.length !== DIGEST_PARTS || digest.includes('\uFFFD')) return undefined;
  if (others.length !== POLICY_FIELDS.length - GUARD_FIELDS.length) return undefined;
  const fields: Partial<Record<PolicyField, string>> = {};
  GUARD_FIELDS.forEach((name, index) => {
    const value = deciding[index + 2];
    if (value !== undefined && value !== MISSING) fields[name] = value;
  });
  others.forEach((value, index) => {
    const name = POLICY_FIELDS[index + GUARD_FIELDS.length];
    if (name && value !== MISSING) fields[name] = value;
  });
  const [, optedOutAt] = deciding;
  return { optOut: parseOptOut(optedOutAt === MISSING ? undefined : optedOutAt), fields };
}

const UNREADABLE: Problem = {
  reason: 'ledger_unreadable',
  detail: 'the ledger of this user is not what Rekindle wrote; delete it to start anew',
};

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
