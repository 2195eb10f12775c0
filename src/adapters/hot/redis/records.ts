import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { SECOND_MS } from '../../../model/duration.ts';
import { subjectOf } from '../../../model/event.ts';
import { formatInstant } from '../../../model/instant.ts';
import type { Ledger } from '../../../model/ledger.ts';
import { type Said, said, saidInOneText } from '../../../model/said.ts';
import type { SessionNames } from '../../../model/session-names.ts';
import type {
  Erased,
  Recent,
  Restoration,
  Restored,
  SessionRecords,
  Snapshot,
  WithoutWindow,
} from '../../../ports/records.ts';
import { BatchedScript } from './batched-script.ts';
import type { Keys } from './keys.ts';
import { RecentReader } from './recent.ts';
import { Script } from './script.ts';
import { sessionsOf } from './sessions-of.ts';
import { parseStored, storedText, versionOf } from './stored-ledger.ts';

/** As snapshot.lua gives it. */
type Row = [
  pttl: number,
  fields: string[],
  leftOut: string[],
  overflow: string[],
  window: string[] | string,
  following: string,
  digest: string,
  overflowDigest: string,
  erasedAt: string | null,
  ledger: string | null,
];

const snapshotScript = new Script<(Row | string)[]>('snapshot.lua');
const sinkScript = new Script<(number | string)[]>('sink.lua');
const trimScript = new Script<number>('trim-overflow.lua');
const restoreScript = new Script<number>('restore.lua');
const fenceScript = new Script<number>('fence.lua');
const eraseScript = new Script<number[]>('erase.lua');

/** What restore.lua returns. */
const RESTORED: ReadonlyMap<number, Restored> = new Map([
  [1, 'restored'],
  [0, 'erased'],
  [-1, 'busy'],
]);

/** What erase.lua counts, in its order. */
const FOUND = [
  'session',
  'messages',
  'overflow',
  'ledger',
  'agenda',
  'lease',
  'quarantine',
  'optout',
  'pending events',
  'subscribers',
] as const;

/** Messages of a page at the least: a page of the usual size takes Redis well below a millisecond. */
const PAGE_MESSAGES = 500;

export interface RedisRecordsOptions {
  /** A larger field is not read, in bytes. */
  readonly maxCart: number;
  /** Messages that stay in the window. */
  readonly window: number;
  /** Physical life of a session of ours: its logical life and the grace. */
  readonly ttlMs: number;
}

/** Some programs keep the messages as one text. */
function saidIn(window: readonly string[] | string): Said[] {
  return typeof window === 'string' ? saidInOneText(window) : window.map(said);
}

export class RedisRecords implements SessionRecords {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: RedisRecordsOptions;
  readonly #recent: RecentReader;
  readonly #snapshots: BatchedScript<Row>;
  readonly #sinks: BatchedScript<number>;
  /** A window of ours is one page, else it could not be deleted. */
  readonly #page: number;

  constructor(redis: Redis, keys: Keys, options: RedisRecordsOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
    this.#page = Math.max(PAGE_MESSAGES, options.window);
    const args = [options.maxCart, this.#page];
    const { tombstones } = keys;
    this.#snapshots = new BatchedScript(redis, snapshotScript, { keys: [tombstones], args });
    this.#sinks = new BatchedScript(redis, sinkScript, { keys: [], args });
    this.#recent = new RecentReader(redis, keys, { maxField: options.maxCart, page: this.#page });
  }

  get names(): SessionNames {
    return this.#keys.names;
  }

  async snapshot(user: string, from = 0): Promise<Snapshot> {
    const row = await this.#snapshots.run(this.#keysOf(user), [this.names.ownerOf(user), from]);
    const [pttl, fields, leftOut, overflow, window, following] = row;
    const [, , , , , , digest, overflowDigest, erasedAt, stored] = row;
    const found = stored === null ? undefined : parseStored(this.names.nameOf(user), stored);
    const pairs = Array.from({ length: fields.length / 2 }, (_none, index) => [
      fields[2 * index] ?? '',
      fields[2 * index + 1] ?? '',
    ]);
    return {
      user,
      fields: pairs.length > 0 ? (Object.fromEntries(pairs) as Record<string, string>) : undefined,
      leftOut,
      overflow: overflow.map(said),
      window: saidIn(window),
      nextFrom:
        following === '' || following === 'overflow' ? following || undefined : Number(following),
      leftMs: pttl >= 0 ? pttl : undefined,
      erasedAt: erasedAt === null ? undefined : Number(erasedAt),
      ledger: {
        ledger: found?.ledger,
        version: versionOf(stored),
        pending: found?.pending ?? [],
        notes: found?.notes ?? [],
      },
      digest,
      overflowDigest,
    };
  }

  recent(user: string, names: readonly string[]): Promise<Recent> {
    return this.#recent.read(user, names);
  }

  async trim({ user, overflow, overflowDigest }: WithoutWindow): Promise<boolean> {
    if (overflow.length === 0) return true;
    const done = await trimScript.run(
      this.#redis,
      [this.#keys.overflow(user)],
      [overflow.length, overflowDigest],
    );
    return done === 1;
  }

  async sink(snapshot: WithoutWindow, ledger: Ledger | undefined): Promise<boolean> {
    const text = ledger ? storedText(snapshot.ledger, ledger, [], snapshot.ledger.notes) : '';
    const done = await this.#sinks.run(this.#keysOf(snapshot.user), [
      snapshot.digest,
      snapshot.ledger.version,
      text,
    ]);
    return done === 1;
  }

  async restore({ user, at, fields, marks, messages, latestAt }: Restoration): Promise<Restored> {
    const { ttlMs, window } = this.#options;
    const pairs = Object.entries(fields).flat();
    const code = await restoreScript.run(
      this.#redis,
      [
        this.#keys.agenda,
        this.#keys.tombstones,
        this.#keys.session(user),
        this.#keys.messages(user),
        this.#keys.overflow(user),
      ],
      [
        ...[user, at, formatInstant(at), ttlMs, window, latestAt, marks, this.names.ownerOf(user)],
        pairs.length / 2,
        ...pairs,
        ...messages,
      ],
    );
    return RESTORED.get(code) ?? 'busy';
  }

  sessionsOf(user: string): Promise<string[]> {
    return sessionsOf(this.#redis, this.#keys, user);
  }

  erase(user: string, erasedAt: number): Promise<Erased> {
    return this.#find(user, erasedAt);
  }

  remains(user: string): Promise<Erased> {
    return this.#find(user, '');
  }

  async #find(user: string, erasedAt: number | ''): Promise<Erased> {
    const counts = await eraseScript.run(
      this.#redis,
      [
        ...this.#keysOf(user),
        this.#keys.agenda,
        this.#keys.leased,
        this.#keys.quarantine,
        this.#keys.quarantineDetails,
        this.#keys.optouts,
        this.#keys.erasedOptouts,
        this.#keys.pepper,
        this.#keys.tombstones,
        this.#keys.inbox,
        this.#keys.contacted(this.names.ownerOf(user)),
      ],
      [
        user,
        erasedAt,
        randomBytes(16).toString('hex'),
        this.names.ownerOf(user),
        subjectOf(this.names.nameOf(user)),
      ],
    );
    return Object.fromEntries(FOUND.map((name, index) => [name, counts[index] ?? 0]));
  }

  fence(now: number): Promise<number> {
    return fenceScript.run(this.#redis, [this.#keys.fence], [now]);
  }

  async sweepTombstones(before: number): Promise<number> {
    await this.#sweepInbox();
    return this.#redis.zremrangebyscore(this.#keys.tombstones, '-inf', `(${before}`);
  }

  /** As inbox-record.lua does when somebody subscribes. Nothing is written any more to a hash whose time is over. */
  async #sweepInbox(): Promise<void> {
    const { inbox } = this.#keys;
    const [seconds] = await this.#redis.time();
    const periods = await this.#redis.smembers(inbox);
    const past = periods.filter((period) => Number(period) <= Number(seconds) * SECOND_MS);
    if (past.length === 0) return;
    await this.#redis.unlink(...past.map((period) => `${inbox}:${period}`));
    await this.#redis.srem(inbox, ...past);
  }

  #keysOf(user: string): [session: string, messages: string, overflow: string, ledger: string] {
    return [
      this.#keys.session(user),
      this.#keys.messages(user),
      this.#keys.overflow(user),
      this.#keys.ledger(user),
    ];
  }
}
