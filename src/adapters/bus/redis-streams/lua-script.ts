import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/**
 * A script of `lua/`; the number at the end of its name is how many keys it takes. A line `--@include FILE` in it stands
 * for that file.
 */
export class LuaScript {
  readonly #source: string;
  readonly #sha: string;
  readonly #keyCount: number;

  constructor(name: string) {
    this.#source = luaText(`${name}.lua`);
    this.#sha = createHash('sha1').update(this.#source).digest('hex');
    this.#keyCount = Number(name.slice(name.lastIndexOf('-') + 1));
  }

  /** Runs it by its hash; the text travels only when the server does not have it (a restart, SCRIPT FLUSH). */
  async run(redis: Redis, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (keys.length !== this.#keyCount)
      throw new TypeError(`a script of ${this.#keyCount} keys got ${keys.length}`);
    try {
      return await redis.call('EVALSHA', this.#sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.call('EVAL', this.#source, keys.length, ...keys, ...args);
    }
  }
}

/** A file of `lua/`, with what it includes. */
export function luaText(file: string): string {
  const text = readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
  return text.replace(/^--@include (\S+)$/gm, (_line, part: string) => luaText(part));
}
