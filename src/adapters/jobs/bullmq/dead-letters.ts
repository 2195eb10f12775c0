import type { Redis } from 'ioredis';
import {
  DEAD_LETTERS_KEPT_MS,
  DEAD_LETTERS_MAX,
  type DeadLetter,
  REASON_MAX_CHARS,
} from '../../../ports/jobs.ts';
import { LuaScript } from './lua-script.ts';

const buryScript = new LuaScript('bury-3');
const redeemScript = new LuaScript('redeem-3');
const strikeScript = new LuaScript('strike-2');

/** As it stands in the hash, under its key. */
type StoredLetter = Omit<DeadLetter, 'key'>;

/** A worker's hold on a job. */
export interface Hold {
  /** Redis key of the job's lock. */
  readonly lock: string;
  readonly token: string;
}

/**
 * The dead letters of a queue. BullMQ's own failed jobs are found by a scan only, are several for a key, and cannot be
 * put back without their key being open to a second job; so these are kept apart, one for each key.
 */
export class DeadLetters {
  readonly #commands: Redis;
  readonly #work: Redis;
  /** Hash: key -> letter. */
  readonly dead: string;
  /** Sorted set: key by the instant of its letter. */
  readonly deadAt: string;

  constructor(keyOf: (part: string) => string, commands: Redis, work: Redis) {
    this.#commands = commands;
    this.#work = work;
    this.dead = keyOf('dead');
    this.deadAt = keyOf('dead:at');
  }

  /** @returns how many old letters had to go; undefined if the job is not the worker's any more: nothing was written */
  async bury(hold: Hold, { key, ...letter }: DeadLetter): Promise<number | undefined> {
    const stored: StoredLetter = { ...letter, reason: letter.reason.slice(0, REASON_MAX_CHARS) };
    const gone = await buryScript.run(
      this.#work,
      [hold.lock, this.dead, this.deadAt],
      [
        hold.token,
        key,
        JSON.stringify(stored),
        String(letter.at),
        String(DEAD_LETTERS_MAX),
        String(DEAD_LETTERS_KEPT_MS),
      ],
    );
    return gone < 0 ? undefined : gone;
  }

  /** The job has been done after all. */
  async redeem(hold: Hold, key: string): Promise<void> {
    await redeemScript.run(this.#work, [hold.lock, this.dead, this.deadAt], [hold.token, key]);
  }

  async list(limit: number): Promise<{ total: number; letters: DeadLetter[] }> {
    const total = await this.#commands.zcard(this.deadAt);
    const keys =
      limit > 0 ? await this.#commands.zrevrange(this.deadAt, '0', String(limit - 1)) : [];
    return { total, letters: await this.find(keys) };
  }

  /** The letters of those of the keys that have one. */
  async find(keys: readonly string[]): Promise<DeadLetter[]> {
    const stored = await this.read(keys);
    return stored.map(([key, text]) => ({ key, ...(JSON.parse(text) as StoredLetter) }));
  }

  /** All keys, oldest first. */
  keys(): Promise<string[]> {
    return this.#commands.zrange(this.deadAt, '0', '-1');
  }

  /** Those of the keys that have a letter, with its text. */
  async read(keys: readonly string[]): Promise<(readonly [key: string, text: string])[]> {
    if (keys.length === 0) return [];
    const texts = await this.#commands.hmget(this.dead, ...keys);
    return keys.flatMap((key, index) => {
      const text = texts[index];
      return text == null ? [] : [[key, text] as const];
    });
  }

  /** Removes letters, but none that has been written since it was read. */
  async strike(letters: readonly (readonly [key: string, text: string])[]): Promise<void> {
    await strikeScript.run(this.#commands, [this.dead, this.deadAt], letters.flat());
  }

  async drop(keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0;
    const results = await this.#commands
      .multi()
      .zrem(this.deadAt, ...keys)
      .hdel(this.dead, ...keys)
      .exec();
    const [error, removed] = results?.[1] ?? [];
    if (error) throw error;
    return Number(removed);
  }
}
