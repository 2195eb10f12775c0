/** Entries of one owner as they are read: none that has expired, none of what is being erased. */
import type { SqlQuerySpec } from '@azure/cosmos';
import type {
  EntryFilter,
  EntryOrder,
  Page,
  PageRequest,
  StoredEntry,
} from '../../../ports/warm.ts';
import { type EntryDocument, type HeadDocument, RANK, nameOf, storedEntry } from './document.ts';
import { hiddenUpTo } from './heads.ts';
import { textsOf } from './parts.ts';
import {
  type Conditions,
  ORDERS,
  addFilter,
  decodeCursor,
  encodeCursor,
  thereOf,
} from './query.ts';
import { entriesOf, headOf } from './standing.ts';
import type { Ground } from './ground.ts';

/** Names that are asked for at once. */
const NAMES_AT_ONCE = 100;

/** How often an entry may be replaced while its parts are read. */
const TRIES = 5;

/** Asks for entries and the head at once, and again where the head shows an erasure that was not known of. */
async function readThere(
  { call, heads, clock, partition }: Ground,
  pageSize: number,
  limit: number,
  ask: (there: Conditions) => SqlQuerySpec,
): Promise<readonly EntryDocument[]> {
  let hidden = hiddenUpTo(heads.last(partition));
  for (;;) {
    const rows = await call.query<EntryDocument | HeadDocument>(
      ask(thereOf(clock.now(), hidden)),
      // The head comes first, and is none of those that were asked for.
      { partition, pageSize: pageSize + 1, limit: limit + 1 },
    );
    const seen = hiddenUpTo(heads.note(partition, headOf(rows)));
    if (seen === hidden) return entriesOf(rows).slice(0, limit);
    hidden = seen;
  }
}

export async function findEntries(
  ground: Ground,
  filter: EntryFilter,
  order: EntryOrder,
  { limit, cursor }: PageRequest,
): Promise<Page<StoredEntry>> {
  const { column, direction } = ORDERS[order];
  const from = cursor === undefined ? undefined : decodeCursor(order, cursor, 'number', 'string');
  const documents = await readThere(ground, limit + 1, limit + 1, (there) => {
    addFilter(there, filter);
    // What has no step is in no order by steps.
    if (column === 'step') there.add('IS_NUMBER(c.entry.step)');
    if (from) {
      const [at, key] = from as [number, string];
      const past = direction === 'ASC' ? '>' : '<';
      there.add(
        `c.entry.${column} ${past}= ? AND (c.entry.${column} ${past} ? OR c.entry.key ${past} ?)`,
        at,
        at,
        key,
      );
    }
    return there.spec(
      (conditions) =>
        `SELECT * FROM c WHERE c.rank = ${RANK.head} OR ${conditions} ORDER BY c.rank ASC, c.entry.${column} ${direction}, c.entry.key ${direction}`,
    );
  });
  const own = documents.slice(0, limit);
  const last = documents.length > limit ? own.at(-1)?.entry : undefined;
  return {
    items: await wholeOf(ground, own),
    cursor: last && encodeCursor(order, last[column] ?? 0, last.key),
  };
}

/** Entries by their ids, in their order, for which all of the filter holds. */
export async function getEntries(
  ground: Ground,
  memoryIds: readonly string[],
  filter: EntryFilter = {},
): Promise<readonly StoredEntry[]> {
  const names = memoryIds.map(nameOf);
  const found = new Map<string, StoredEntry>();
  for (let from = 0; from < names.length; from += NAMES_AT_ONCE) {
    const some = [...new Set(names.slice(from, from + NAMES_AT_ONCE))];
    const documents = await named(ground, some, filter);
    for (const stored of await wholeOf(ground, documents, filter))
      found.set(nameOf(stored.entry.memoryId), stored);
  }
  return names.flatMap((name) => found.get(name) ?? []);
}

function named(
  ground: Ground,
  names: readonly string[],
  filter: EntryFilter,
): Promise<readonly EntryDocument[]> {
  return readThere(ground, names.length, names.length, (there) =>
    addFilter(there.addIn('c.id', names), filter).spec(
      (conditions) => `SELECT * FROM c WHERE c.rank = ${RANK.head} OR ${conditions}`,
    ),
  );
}

/** With their texts, wherever these stand. One that is replaced meanwhile is read again. */
async function wholeOf(
  ground: Ground,
  documents: readonly EntryDocument[],
  filter: EntryFilter = {},
): Promise<StoredEntry[]> {
  const { call, partition } = ground;
  const whole = async (
    document: EntryDocument,
    texts: Awaited<ReturnType<typeof textsOf>>,
    tries: number,
  ): Promise<StoredEntry[]> => {
    const own = texts.get(document.version);
    if (own) return [storedEntry(document, own)];
    if (tries === 0) return [];
    const [again] = await named(ground, [document.id], filter);
    return again ? whole(again, await textsOf(call, partition, [again]), tries - 1) : [];
  };
  const texts = await textsOf(call, partition, documents);
  const entries: StoredEntry[] = [];
  for (const document of documents) entries.push(...(await whole(document, texts, TRIES)));
  return entries;
}

export async function countEntries(ground: Ground): Promise<number> {
  const { call, heads, clock, partition } = ground;
  let hidden = hiddenUpTo(heads.last(partition));
  for (;;) {
    const [[count = 0], head] = await Promise.all([
      call.query<number>(
        thereOf(clock.now(), hidden).spec((all) => `SELECT VALUE COUNT(1) FROM c WHERE ${all}`),
        { partition },
      ),
      heads.read(call, partition),
    ]);
    const seen = hiddenUpTo(head);
    if (seen === hidden) return count;
    hidden = seen;
  }
}
