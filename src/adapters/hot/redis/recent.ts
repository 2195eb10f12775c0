/** What was said last and how the session stands, in one round trip: a recall has no time for more. */
import type { Redis } from 'ioredis';
import { type Said, said, saidInOneText } from '../../../model/said.ts';
import type { Recent } from '../../../ports/records.ts';
import { Lately } from '../../../runtime/lately.ts';
import type { Keys } from './keys.ts';

/** A few MB of usual messages. */
const SAID_MAX = 2_000;

/** A text that others keep instead of the list, in bytes. */
const TEXT_MAX = 1_048_576;

export interface RecentOptions {
  /** A larger field is left out, in bytes. */
  readonly maxField: number;
  /** Messages of each list. */
  readonly page: number;
}

/** Of a command in a pipeline: its error, or its value. */
type Reply<T> = readonly [error: Error | null, value: T];
type Replies = readonly [
  window: Reply<string[]>,
  overflow: Reply<string[]>,
  fields: Reply<(string | null)[]>,
  erasedAt: Reply<string | null>,
];

export class RecentReader {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #options: RecentOptions;
  /** A conversation is recalled at every turn of it: understanding the same ten messages again takes 40 us. */
  readonly #lately = new Lately<Said>(SAID_MAX);
  readonly #saidLately = (raw: string): Said => this.#lately.of(raw, said);

  constructor(redis: Redis, keys: Keys, options: RecentOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#options = options;
  }

  /** What is of the wrong kind is taken for missing; of a text in the place of the list a second question is asked. */
  async read(user: string, names: readonly string[]): Promise<Recent> {
    const { page } = this.#options;
    const [window, overflow, values, erasedAt] = await this.#ask(user, names);
    const { fields, leftOut } = this.#fieldsIn(names, listOf(values));
    const lists = [listOf(overflow), listOf(window)];
    const listed = lists.flatMap((list) => list.slice(-page).map(this.#saidLately));
    const text = window[0] ? await this.#textInPlace(user) : undefined;
    return {
      fields,
      leftOut: text === null ? [...leftOut, ':messages'] : leftOut,
      messages: text ? [...listed, ...saidInOneText(text)] : listed,
      more: lists.some((list) => list.length > page),
      erasedAt: instantOf(erasedAt),
    };
  }

  /**
   * Redis takes 7 us for these, and 45 for a script of the same, which hashes every text that enters Lua; a transaction
   * takes the client half as long again. Where the network splits them, others may write in between: so the window before
   * what it pushes out, and last whether all of it was erased. Then nothing is missed.
   */
  async #ask(user: string, names: readonly string[]): Promise<Replies> {
    const { page } = this.#options;
    const replies = await this.#redis
      .pipeline()
      // One more than a page tells whether there is more.
      .lrange(this.#keys.messages(user), -page - 1, -1)
      .lrange(this.#keys.overflow(user), -page - 1, -1)
      .hmget(this.#keys.session(user), ...names)
      .zscore(this.#keys.tombstones, this.#keys.names.ownerOf(user))
      .exec();
    return replies as unknown as Replies;
  }

  #fieldsIn(
    names: readonly string[],
    values: readonly (string | null)[],
  ): Pick<Recent, 'fields' | 'leftOut'> {
    const fields: Record<string, string> = {};
    const leftOut: string[] = [];
    for (const [place, name] of names.entries()) {
      const value = values[place];
      if (value == null) continue;
      if (Buffer.byteLength(value) > this.#options.maxField) leftOut.push(name);
      else fields[name] = value;
    }
    return { fields, leftOut };
  }

  /** Some programs keep the messages as one text. @returns null for one that is too large to be read */
  async #textInPlace(user: string): Promise<string | null | undefined> {
    const key = this.#keys.messages(user);
    if ((await this.#redis.type(key)) !== 'string') return undefined;
    const text = await this.#redis.getrange(key, 0, TEXT_MAX);
    return Buffer.byteLength(text) > TEXT_MAX ? null : text;
  }
}

/** @throws an error that says more than that the key is of another kind */
function listOf<T>([error, value]: Reply<T[]>): T[] {
  if (error && !isOfWrongKind(error)) throw error;
  return error ? [] : value;
}

function instantOf([error, value]: Reply<string | null>): number | undefined {
  if (error) throw error;
  return value === null ? undefined : Number(value);
}

function isOfWrongKind({ message }: Error): boolean {
  return message.startsWith('WRONGTYPE');
}
