import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const folder = new URL('lua/', import.meta.url);

/** Reads a script and what it includes (`--@include other.lua` on a line of its own). */
function source(file: string, given: Readonly<Record<string, string>>): string {
  return readFileSync(new URL(file, folder), 'utf8').replace(
    /^--@include (\S+)$/gm,
    (_line, included: string) => given[included] ?? readFileSync(new URL(included, folder), 'utf8'),
  );
}

/** A Lua script of `lua/`, sent by its digest; a server that has lost it is given it again. */
export class Script<Result> {
  readonly #text: string;
  readonly #sha: string;

  /** @param given texts of files that it includes and that are not in `lua/` */
  constructor(file: string, given: Readonly<Record<string, string>> = {}) {
    this.#text = source(file, given);
    this.#sha = createHash('sha1').update(this.#text).digest('hex');
  }

  async run(
    redis: Redis,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Result> {
    try {
      return (await redis.evalsha(this.#sha, keys.length, ...keys, ...args)) as Result;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return (await redis.eval(this.#text, keys.length, ...keys, ...args)) as Result;
    }
  }
}
