import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

/** Elements a page of a scan looks at: 1,000 take Redis 0.4 ms. */
const SCAN_COUNT = 1_000;

/**
 * The sessions of a user, as references: those that stand, and those of which only records, an agenda entry or a place in
 * quarantine are left; before them the one that stands for the user alone. Where a user has one session that is all, and
 * costs nothing. Else it takes a pass over the keys and over the agenda, page by page: some seconds for a million sessions.
 * An index would be paid for by every write, and not know what other programs wrote.
 */
export async function sessionsOf(redis: Redis, keys: Keys, user: string): Promise<string[]> {
  const alone = keys.names.userRef(user);
  return keys.names.several ? [alone, ...(await pass(redis, keys, new Set([user])))] : [alone];
}

/** Has all sessions of a user looked at. Who asks while a pass is under way shares the next one with all others. */
export class OwnersToArm {
  readonly #redis: Redis;
  readonly #keys: Keys;
  #next: { readonly owners: Set<string>; readonly done: Promise<void> } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  arm(owner: string, now: number): Promise<void> {
    if (!this.#next) {
      const owners = new Set<string>();
      const done = this.#last.then(async () => {
        this.#next = undefined;
        const refs = [...(await pass(this.#redis, this.#keys, owners))];
        for (let from = 0; from < refs.length; from += SCAN_COUNT) {
          const looks = refs.slice(from, from + SCAN_COUNT).flatMap((ref) => [now, ref]);
          await this.#redis.zadd(this.#keys.agenda, 'LT', ...looks);
        }
      });
      this.#last = done.catch(() => undefined);
      this.#next = { owners, done };
    }
    this.#next.owners.add(owner);
    return this.#next.done;
  }
}

async function pass(redis: Redis, keys: Keys, owners: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>();
  const add = (ref: string | undefined): void => {
    if (ref !== undefined && owners.has(keys.names.ownerOf(ref))) found.add(ref);
  };
  const [only] = owners;
  const names = only !== undefined && owners.size === 1 ? keys.ownerPattern(only) : '*';
  const page = ['MATCH', names, 'COUNT', SCAN_COUNT] as const;
  let cursor = '0';
  do {
    const [next, texts] = await redis.scan(cursor, ...page);
    for (const key of texts) {
      add(keys.recordUser(key));
      add(keys.sessionUser(key));
      add(keys.messagesUser(key));
    }
    cursor = next;
  } while (cursor !== '0');
  for (const index of [keys.agenda, keys.leased, keys.quarantine]) {
    do {
      const [next, membersAndScores] = await redis.zscan(index, cursor, ...page);
      for (let at = 0; at < membersAndScores.length; at += 2) add(membersAndScores[at]);
      cursor = next;
    } while (cursor !== '0');
  }
  return found;
}
