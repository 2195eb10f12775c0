import type { Redis } from 'ioredis';
import { gathered } from '../../../runtime/gathered.ts';
import type { Script } from './script.ts';

/** What one user takes of a call: KEYS and ARGV. */
interface Part {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

interface Asked extends Part {
  readonly resolve: (row: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Users that one call takes. A call of a script costs the client and Redis more than what it does for one user; and what
 * goes on in such groups shares commits further on.
 */
const USERS_MAX = 32;

/**
 * A script that takes a batch of users, and what is asked of it user by user: calls of one turn of the event loop go
 * together. It may answer for the first of them only, and is asked again for the rest; a row that is a text is the error
 * of that user.
 */
export class BatchedScript<Row extends object | number> {
  readonly #redis: Redis;
  readonly #script: Script<(Row | string)[]>;
  readonly #common: Part;
  readonly #ask: (asked: Asked) => void;

  /** @param common stands before what the users take */
  constructor(redis: Redis, script: Script<(Row | string)[]>, common: Part) {
    this.#redis = redis;
    this.#script = script;
    this.#common = common;
    this.#ask = gathered((asked) => {
      for (let from = 0; from < asked.length; from += USERS_MAX)
        void this.#answer(asked.slice(from, from + USERS_MAX));
    });
  }

  run(keys: Part['keys'], args: Part['args']): Promise<Row> {
    return new Promise((resolve, reject) => {
      this.#ask({ keys, args, resolve, reject });
    });
  }

  async #answer(asked: readonly Asked[]): Promise<void> {
    let rest = asked;
    try {
      while (rest.length > 0) {
        const rows = await this.#script.run(
          this.#redis,
          [...this.#common.keys, ...rest.flatMap(({ keys }) => keys)],
          [...this.#common.args, ...rest.flatMap(({ args }) => args)],
        );
        if (rows.length === 0) throw new Error('a script answered for nobody');
        rows.forEach((row, index) => {
          if (typeof row === 'string') rest[index]?.reject(new Error(row));
          else rest[index]?.resolve(row as never);
        });
        rest = rest.slice(rows.length);
      }
    } catch (error) {
      for (const { reject } of rest) reject(error);
    }
  }
}
