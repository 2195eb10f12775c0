import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** A script of `lua/`; the number at the end of its name is how many keys it takes. It returns a number. */
export class LuaScript {
  readonly #source: string;
  readonly #sha: string;

  constructor(name: string) {
    this.#source = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
    this.#sha = createHash('sha1').update(this.#source).digest('hex');
  }

  /** Runs it by its hash; the text travels only when the server does not have it (a restart, SCRIPT FLUSH). */
  async run(redis: Redis, keys: readonly string[], args: readonly string[]): Promise<number> {
    try {
      return (await redis.evalsha(this.#sha, keys.length, ...keys, ...args)) as number;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return (await redis.eval(this.#source, keys.length, ...keys, ...args)) as number;
    }
  }
}
