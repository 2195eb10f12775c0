import { setImmediate as nextTurn } from 'node:timers/promises';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { appended, segmentEntry } from '../../src/model/conversation.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { said } from '../../src/model/said.ts';
import { Inserts } from '../warm/load.ts';
import { USER, roleOf, words } from './asker.ts';

const OWN_MAX = 10_000;
const SESSION_MESSAGES = 40;
const OTHERS_SESSIONS = 25;

/** Sessions that are inserted in one transaction. */
const BATCH = 100;

/**
 * Makes a file of the warm tier by plain inserts: sessions of 40 messages, a minute apart. Those of the one who asks lie all
 * over it, among those of others.
 * @returns how many of the messages are of the one who asks
 */
export async function loadEarlier(file: string, messages: number, now: number): Promise<number> {
  // The schema is the adapter's.
  await new SqliteWarm(file, { now: () => now, sleep: () => Promise.resolve() }).close();
  const random = new SeededRandom(1);
  const insert = new Inserts(file);
  const own = Math.min(OWN_MAX, messages);
  const every = Math.max(1, Math.floor(messages / own));
  const numbers = new Map<string, number>();
  let loaded = 0;
  for (let from = 0, session = 0; from < messages; from += SESSION_MESSAGES, session += 1) {
    const isOwn = session % every === 0 && loaded < own;
    const user = isOwn ? USER : `other-${Math.floor(session / OTHERS_SESSIONS)}`;
    const count = Math.min(SESSION_MESSAGES, messages - from, isOwn ? own - loaded : Infinity);
    if (isOwn) loaded += count;
    const epoch = now - (messages - from) * MINUTE_MS;
    const texts = Array.from({ length: count }, (_none, place) => {
      const at = epoch + place * MINUTE_MS;
      const message = {
        id: `warm-${from + place}`,
        role: roleOf(place),
        content: words(random),
        at,
      };
      return said(JSON.stringify(message));
    });
    for (const segment of appended({ user }, epoch, undefined, numbers.get(user) ?? 0, texts)) {
      insert.one(segmentEntry(segment, {}, now));
      numbers.set(user, segment.number);
    }
    if (session % BATCH === BATCH - 1) {
      insert.commit();
      await nextTurn();
    }
  }
  insert.close();
  return loaded;
}
