import type { Redis } from 'ioredis';
import { parseCart } from '../../../model/cart.ts';
import { SEGMENT_MESSAGES } from '../../../model/conversation.ts';
import { UserErasedError } from '../../../model/errors.ts';
import { formatInstant, parseInstant } from '../../../model/instant.ts';
import type { Message } from '../../../model/message.ts';
import { type Session, parseOwnMarks } from '../../../model/session.ts';
import type { SessionNames } from '../../../model/session-names.ts';
import { type ImpossibleUser, NO_TEXT, impossibleUser } from '../../../model/user-id.ts';
import type { SessionPage, SessionWrite, Sessions } from '../../../ports/sessions.ts';
import { type Keys, isMessagesType } from './keys.ts';
import { NotificationWatch } from './notifications.ts';
import { Script } from './script.ts';
import { OwnersToArm } from './sessions-of.ts';

const writeScript = new Script<(number | string)[]>('write.lua');
const armTouchedScript = new Script<number[]>('arm-touched.lua');

/** Writes of one turn of the event loop travel together; 100 take Redis about 1 ms. */
const WRITES_A_BATCH = 100;

/** Keys a page of a scan looks at: 1,000 take Redis 0.4 ms. */
const SCAN_COUNT = 1_000;

export interface RedisSessionsOptions {
  /** First threshold of inactivity. */
  readonly thresholdMs: number;
  /** Physical life of a session of ours: its logical life and the grace. */
  readonly ttlMs: number;
  /** Messages that stay in the window. */
  readonly window: number;
  /** How long before its TTL a session of others is copied. */
  readonly demoteLeadMs: number;
  /** Treat sessions of others as ours once the library writes to them. */
  readonly manage: boolean;
  /** Number of the database, as notifications name it. */
  readonly database: number;
  /** Opens a connection that only listens. */
  readonly connect: () => Redis;
}

/** What write.lua says of a write from before its user was erased. */
const ERASED = 'erased';

interface QueuedWrite {
  readonly write: SessionWrite;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class RedisSessions implements Sessions {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: RedisSessionsOptions;
  readonly #notifications: NotificationWatch;
  readonly #owners: OwnersToArm;
  #queue: QueuedWrite[] = [];

  constructor(redis: Redis, keys: Keys, options: RedisSessionsOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
    this.#notifications = new NotificationWatch(redis, keys, options);
    this.#owners = new OwnersToArm(redis, keys);
  }

  get names(): SessionNames {
    return this.#keys.names;
  }

  keyOf(user: string): string {
    return this.#keys.session(user);
  }

  write(write: SessionWrite): Promise<void> {
    const { user, optedOut, armNow, at, now = at } = write;
    const done = this.#queued(write);
    const toAll = optedOut && armNow && this.names.several;
    return toAll ? done.then(() => this.#owners.arm(this.names.ownerOf(user), now)) : done;
  }

  #queued(write: SessionWrite): Promise<void> {
    const done = Promise.withResolvers<undefined>();
    this.#queue.push({
      write,
      resolve: () => {
        done.resolve(undefined);
      },
      reject: done.reject,
    });
    if (this.#queue.length === 1) setImmediate(() => void this.#flush());
    return done.promise;
  }

  async #flush(): Promise<void> {
    const queue = this.#queue;
    this.#queue = [];
    // One connection keeps the order of batches, so writes of one user take effect in the order of calls.
    const batches: Promise<void>[] = [];
    for (let from = 0; from < queue.length; from += WRITES_A_BATCH) {
      batches.push(this.#send(queue.slice(from, from + WRITES_A_BATCH)));
    }
    await Promise.all(batches);
  }

  async #send(batch: readonly QueuedWrite[]): Promise<void> {
    const { thresholdMs, ttlMs, window, manage } = this.#options;
    const keys = [this.#keys.agenda, this.#keys.optouts, this.#keys.tombstones];
    const args: (string | number)[] = [thresholdMs, ttlMs, window, SEGMENT_MESSAGES];
    for (const { write } of batch) {
      const { user, at, now = at, fields = {}, messages = [], cart } = write;
      keys.push(this.#keys.session(user), this.#keys.messages(user), this.#keys.overflow(user));
      const pairs = Object.entries(fields).flat();
      if (cart) pairs.push('cart', cart.json);
      args.push(user, at, now, formatInstant(at));
      const owner = this.names.ownerOf(user);
      const flags = `${flagsOf(write, manage)}${owner === user ? '' : 'u'}`;
      args.push(`${pairs.length / 2},${messages.length},${flags}`, ...pairs, ...messages);
      if (cart) args.push(cart.digest);
      if (owner !== user) args.push(owner);
      if (Array.isArray(write.optedOut)) args.push(write.optedOut.join());
    }
    try {
      const refused = await writeScript.run(this.#redis, keys, args);
      const whys = new Map<number, string>();
      for (let i = 0; i < refused.length; i += 2)
        whys.set(Number(refused[i]), String(refused[i + 1]));
      batch.forEach(({ resolve, reject }, place) => {
        const why = whys.get(place);
        if (why === undefined) resolve();
        else reject(why === ERASED ? new UserErasedError() : new Error(why));
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async read(user: string): Promise<Session | undefined> {
    const [fields, messages] = await this.#redis
      .pipeline()
      .hgetall(this.#keys.session(user))
      .lrange(this.#keys.messages(user), 0, -1)
      .exec()
      .then((replies) => [replyOf(replies?.[0]) as Record<string, string>, replies?.[1]] as const);
    if (Object.keys(fields).length === 0) return undefined;
    const cart = parseCart(fields['cart']);
    if ('problem' in cart) throw new Error(`${this.keyOf(user)}: ${cart.problem.detail}`);
    const marks = parseOwnMarks(fields['rekindle']);
    return {
      ...this.names.nameOf(user),
      lastActivityAt:
        fields['last_activity'] === undefined ? undefined : parseInstant(fields['last_activity']),
      endedAt: marks?.endedAt,
      ours: marks !== undefined,
      cart: cart.items,
      channel: fields['active_channel'],
      language: fields['language'],
      intent: fields['current_intent'],
      contextTokens: Number(fields['context_tokens'] ?? 0),
      messages: await this.#messagesOf(user, messages),
      fields,
    };
  }

  async #messagesOf(
    user: string,
    reply: readonly [Error | null, unknown] | undefined,
  ): Promise<Message[]> {
    if (!isWrongType(reply?.[0])) return (replyOf(reply) as string[]).map(parseMessage);
    // Some programs keep the messages as one text that holds a JSON array.
    try {
      return parseMessages((await this.#redis.get(this.#keys.messages(user))) ?? '[]');
    } catch (error) {
      // Neither: it is the session of a user whose id ends so.
      if (isWrongType(error)) return [];
      throw error;
    }
  }

  async armTouched(users: readonly string[], now: number): Promise<string[]> {
    if (users.length === 0) return [];
    const { thresholdMs, demoteLeadMs } = this.#options;
    const others = await armTouchedScript.run(
      this.#redis,
      [this.#keys.agenda, ...users.map((user) => this.#keys.session(user))],
      [now, thresholdMs, demoteLeadMs, ...users],
    );
    return others.map((place) => users[place - 1] ?? '');
  }

  async scan(cursor: string): Promise<SessionPage> {
    const from = cursor || '0';
    const page = ['MATCH', this.#keys.sessionPattern, 'COUNT', SCAN_COUNT] as const;
    const [next, found] = await this.#redis.scan(from, ...page);
    const texts = found.filter((key) => !key.includes(NO_TEXT));
    // Bytes that are no text all read the same: what they are is asked for, by the few who have them.
    const bytes =
      texts.length < found.length
        ? (await this.#redis.scanBuffer(from, ...page))[1].filter((key) =>
            key.toString().includes(NO_TEXT),
          )
        : [];
    const users: string[] = [];
    const impossible: ImpossibleUser[] = [];
    for (const key of await this.#withoutMessages([...texts, ...bytes])) {
      const user = this.#keys.sessionUser(key.toString());
      if (user === undefined) continue;
      const problem = this.names.problemOf(user);
      if (!problem) {
        users.push(user);
        continue;
      }
      const named = impossibleUser(this.#keys.sessionUserBytes(Buffer.from(key)), problem);
      if (named) impossible.push(named);
    }
    return { cursor: next === '0' ? undefined : next, users, impossible };
  }

  /** `session:bob:messages` is bob's messages as a list or a text, else the session of a user `bob:messages`. */
  async #withoutMessages<Key extends string | Buffer>(
    found: readonly Key[],
  ): Promise<readonly Key[]> {
    const doubtful = found.filter((key) => this.#keys.messagesUser(key.toString()) !== undefined);
    if (doubtful.length === 0) return found;
    const pipeline = this.#redis.pipeline();
    for (const key of doubtful) pipeline.type(key);
    const types = (await pipeline.exec()) ?? [];
    const messages = new Set(
      doubtful.filter((_key, index) => isMessagesType(String(types[index]?.[1]))),
    );
    return found.filter((key) => !messages.has(key));
  }

  watch(
    onTouched: (user: string, messages: boolean) => void,
    signal: AbortSignal,
    onListening?: () => void,
  ): Promise<void> {
    return this.#notifications.watch(onTouched, signal, onListening);
  }

  probeNotifications(timeoutMs: number): Promise<boolean> {
    return this.#notifications.probe(timeoutMs);
  }
}

/** As write.lua reads them. */
function flagsOf(write: SessionWrite, manage: boolean): string {
  return [
    write.activity && 'a',
    write.cart && 'c',
    write.ordered && 'o',
    write.ended && 'e',
    write.optedOut && 'x',
    Array.isArray(write.optedOut) && 's',
    write.armNow && 'n',
    manage && 'm',
  ]
    .filter(Boolean)
    .join('');
}

/** What others put into the list may be no message; it is shown as what it is rather than lost. */
function parseMessage(text: string): Message {
  try {
    return messageOf(JSON.parse(text), text);
  } catch {
    return { role: 'unknown', content: text };
  }
}

function parseMessages(text: string): Message[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value))
      return value.map((one: unknown) => messageOf(one, JSON.stringify(one)));
  } catch {
    // Not JSON: one text, as it stands.
  }
  return [parseMessage(text)];
}

function messageOf(value: unknown, text: string): Message {
  const whole =
    typeof value === 'object' && value !== null && 'role' in value && 'content' in value;
  return whole ? (value as Message) : { role: 'unknown', content: text };
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}

function replyOf(reply: readonly [Error | null, unknown] | undefined): unknown {
  const [error, value] = reply ?? [new Error('Redis gave no reply')];
  if (error) throw error;
  return value;
}
