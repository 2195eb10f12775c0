import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { cosine } from '../../../model/embedding.ts';
import type { EntryFilter, Scored } from '../../../ports/warm.ts';
import { Best } from '../../../runtime/best.ts';
import type { Database, Row } from './database.ts';
import { AT_MOST, whereEachOf } from './query.ts';
import { ENTRY, floatsOf, storedEntry } from './row.ts';

/** Entries that are compared, or read whole, before others have their turn. */
const AT_ONCE = 100;

/** Instants that no entry reaches. */
const BEFORE_ALL = -(2 ** 53);
const AFTER_ALL = 2 ** 53;

/** What is looked for, and among which entries. */
export interface Likeness {
  readonly agentId: string;
  readonly embedding: Float32Array;
  readonly filter: EntryFilter;
  readonly limit: number;
  readonly now: () => number;
}

/**
 * Goes over the owner's entries in the order of time, some at once, and keeps the ids of the best alone. Those are read
 * at the end, as they stand then: what was written over meanwhile is scored anew, what is gone is left out.
 */
export async function mostSimilar(database: Database, asked: Likeness): Promise<Scored[]> {
  const ids = new Set(await bestOf(database, asked));
  const found: Scored[] = [];
  for (const id of ids) {
    const one = database.read(() => readOne(database, asked, id));
    if (one) found.push(one);
    if (found.length % AT_ONCE === 0) await yieldToOthers();
  }
  return found.toSorted((one, other) => other.score - one.score);
}

async function bestOf(database: Database, asked: Likeness): Promise<readonly string[]> {
  const best = new Best<string>(asked.limit);
  let at = asked.filter.timestamp?.from ?? BEFORE_ALL;
  let id = '';
  for (;;) {
    const rows = database.read(() => someAfter(database, asked, at, id));
    for (const row of rows) {
      const score = scoreOf(asked, row);
      if (score !== undefined) best.offer(String(row['id']), score);
    }
    const last = rows.at(-1);
    if (!last || rows.length < AT_ONCE) return best.all();
    at = Number(last['timestamp']);
    id = String(last['id']);
    await yieldToOthers();
  }
}

/** The next of the owner's entries, those too that are not asked for, which have no embedding then. */
function someAfter(
  database: Database,
  { agentId, filter, now, embedding }: Likeness,
  at: number,
  id: string,
): Row[] {
  const where = whereEachOf(agentId, filter, now());
  return database.all(
    `SELECT page.timestamp, page.id, entry.embedding FROM (
       SELECT version, timestamp, id FROM entry
       WHERE owner = ? AND (timestamp, id) > (?, ?) AND timestamp <= ? ORDER BY timestamp, id ${AT_MOST}
     ) AS page LEFT JOIN entry ON entry.version = page.version AND length(entry.embedding) = ? AND ${where.text}
     ORDER BY page.timestamp, page.id`,
    [
      agentId,
      at,
      id,
      filter.timestamp?.to ?? AFTER_ALL,
      AT_ONCE,
      embedding.byteLength,
      ...where.values,
    ],
  );
}

function readOne(database: Database, asked: Likeness, id: string): Scored | undefined {
  const where = whereEachOf(asked.agentId, asked.filter, asked.now());
  const [row] = database.all(
    `SELECT ${ENTRY} FROM entry WHERE entry.id = ? AND length(entry.embedding) = ? AND ${where.text}`,
    [id, asked.embedding.byteLength, ...where.values],
  );
  return row && { ...storedEntry(row), score: scoreOf(asked, row) ?? NaN };
}

function scoreOf({ embedding }: Likeness, row: Row): number | undefined {
  const bytes = row['embedding'];
  return bytes instanceof Uint8Array ? cosine(embedding, floatsOf(bytes)) : undefined;
}
