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
  const { names } = keys;
  const found = new Set([names.userRef(user)]);
  if (!names.several) return [...found];
  const add = (ref: string | undefined): void => {
    if (ref !== undefined && names.ownerOf(ref) === user) found.add(ref);
  };
  const pattern = ['MATCH', keys.ownerPattern(user), 'COUNT', SCAN_COUNT] as const;
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, ...pattern);
    for (const key of page) {
      add(keys.recordUser(key));
      add(keys.sessionUser(key));
      add(keys.messagesUser(key));
    }
    cursor = next;
  } while (cursor !== '0');
  for (const index of [keys.agenda, keys.leased, keys.quarantine]) {
    do {
      const [next, page] = await redis.zscan(index, cursor, ...pattern);
      page.forEach((member, place) => {
        if (place % 2 === 0) add(member);
      });
      cursor = next;
    } while (cursor !== '0');
  }
  return [...found];
}
