import { UsageError } from '../../../model/errors.ts';
import type {
  AttributeTest,
  EntryFilter,
  EntryOrder,
  PageRequest,
  Range,
} from '../../../ports/warm.ts';
import type { Bound } from '../../../runtime/sqlite-file.ts';
import { ENTRY } from './row.ts';

/** A value that SQLite binds. */
export type { Bound };

/**
 * At most so many. For a bare `LIMIT ?` SQLite makes a new plan whenever it is bound: that was 40 µs of the 45 that a
 * `find` took.
 */
export const AT_MOST = 'LIMIT ? + 0';

/** A piece of SQL and the values of its question marks. */
export interface Sql {
  readonly text: string;
  readonly values: readonly Bound[];
}

/** What each order sorts by; ties go by id, so that a page begins where the one before ended. */
export const ORDERS: Readonly<Record<EntryOrder, { column: string; direction: 'ASC' | 'DESC' }>> = {
  newest: { column: 'timestamp', direction: 'DESC' },
  oldest: { column: 'timestamp', direction: 'ASC' },
  important: { column: 'importance', direction: 'DESC' },
  step: { column: 'step', direction: 'ASC' },
  'last step': { column: 'step', direction: 'DESC' },
};

/**
 * An owner's entries that are there: neither expired nor about to be erased. The plus keeps the tombstone from choosing
 * the index: a query goes by what it asks for.
 */
export function thereOf(agentId: string, now: number): Sql {
  return { text: THERE, values: [agentId, now, agentId] };
}

/** The text of `thereOf`, for statements that are put together once. */
export const THERE = `entry.owner = ? AND (entry.expires_at IS NULL OR entry.expires_at > ?)
      AND +entry.timestamp > coalesce((SELECT erased_at FROM tombstone WHERE unfinished = ?), ${-(2 ** 53)})`;

/** The same of whichever owner's, for the table `entry` under a name. */
export function thereOfAny(table: string, now: number): Sql {
  return {
    text: `(${table}.expires_at IS NULL OR ${table}.expires_at > ?)
      AND NOT EXISTS (SELECT 1 FROM tombstone WHERE unfinished = ${table}.owner AND erased_at >= ${table}.timestamp)`,
    values: [now],
  };
}

/** Conditions on the table `entry`, for one owner and what is there. */
export function whereOf(agentId: string, filter: EntryFilter, now: number): Sql {
  return and(thereOf(agentId, now), filter, (test) => {
    const { text, values } = attributeSql(agentId, test);
    return { text: `entry.version IN (SELECT entry FROM attribute WHERE ${text})`, values };
  });
}

/** What reads a page of entries, and one more, which tells whether there is another. */
export function pageOf(
  agentId: string,
  filter: EntryFilter,
  order: EntryOrder,
  { limit, cursor }: PageRequest,
  now: number,
): Sql {
  const { column, direction } = ORDERS[order];
  const { memoryType } = filter;
  if (typeof memoryType === 'object') {
    // Each kind by its own index: of what is of other kinds nothing is read.
    const pages = [...new Set(memoryType)].map((one) =>
      pageOf(agentId, { ...filter, memoryType: one }, order, { limit, cursor }, now),
    );
    return {
      text: `${pages.map(({ text }) => `SELECT * FROM (${text})`).join(' UNION ALL ')} ORDER BY ${column} ${direction}, id ${direction} ${AT_MOST}`,
      values: [...pages.flatMap(({ values }) => values), limit + 1],
    };
  }
  const where = whereOf(agentId, filter, now);
  const texts = [where.text];
  const values: Bound[] = [...where.values];
  // What has no step is in no order by steps.
  if (column === 'step') texts.push('entry.step IS NOT NULL');
  if (cursor !== undefined) {
    texts.push(`(entry.${column}, entry.id) ${direction === 'ASC' ? '>' : '<'} (?, ?)`);
    values.push(...decodeCursor(order, cursor, 2));
  }
  return {
    text: `SELECT ${ENTRY} FROM entry WHERE ${texts.join(' AND ')} ORDER BY entry.${column} ${direction}, entry.id ${direction} ${AT_MOST}`,
    values: [...values, limit + 1],
  };
}

/** The same, for entries that are looked at one by one: what each asks of the attributes is its own rows alone. */
export function whereEachOf(agentId: string, filter: EntryFilter, now: number): Sql {
  return and(thereOf(agentId, now), filter, (test) => {
    const { text, values } = attributeSql(agentId, test);
    return {
      text: `EXISTS (SELECT 1 FROM attribute INDEXED BY attribute_entry WHERE entry = entry.version AND ${text})`,
      values,
    };
  });
}

function and(there: Sql, filter: EntryFilter, attribute: (test: AttributeTest) => Sql): Sql {
  const texts = [there.text];
  const values: Bound[] = [...there.values];
  const add = (text: string, ...bound: Bound[]): void => {
    texts.push(text);
    values.push(...bound);
  };
  addRange('entry.timestamp', filter.timestamp, add);
  addRange('entry.importance', filter.importance, add);
  addRange('entry.step', filter.step, add);
  const types = filter.memoryType === undefined ? [] : [filter.memoryType].flat();
  if (types.length > 0) add(`entry.type IN (${types.map(() => '?').join(', ')})`, ...types);
  for (const test of filter.attributes ?? []) {
    const { text, values: bound } = attribute(test);
    add(text, ...bound);
  }
  return { text: texts.join(' AND '), values };
}

function attributeSql(agentId: string, test: AttributeTest): Sql {
  const texts = ['owner = ?', 'name = ?', 'kind = ?'];
  const values: Bound[] = [agentId, test.name];
  if ('equals' in test) {
    values.push(kindOf(test.equals), boundOf(test.equals));
    texts.push('value = ?');
  } else {
    values.push('number');
    addRange('value', test, (text, ...bound) => {
      texts.push(text);
      values.push(...bound);
    });
  }
  return { text: texts.join(' AND '), values };
}

/** True is not 1: what is equal is of one kind. */
export function kindOf(value: string | number | boolean): string {
  return typeof value;
}

export function boundOf(value: string | number | boolean): Bound {
  return typeof value === 'boolean' ? Number(value) : value;
}

function addRange(
  column: string,
  range: Range | undefined,
  add: (text: string, ...bound: Bound[]) => void,
): void {
  if (range?.from !== undefined) add(`${column} >= ?`, range.from);
  if (range?.to !== undefined) add(`${column} <= ?`, range.to);
}

/** Where a page ended, as text that nobody has to understand. */
export function encodeCursor(order: string, ...last: (string | number)[]): string {
  return Buffer.from(JSON.stringify([order, ...last])).toString('base64url');
}

/** @throws UsageError if it is no cursor of this order */
export function decodeCursor(order: string, cursor: string, parts: number): Bound[] {
  try {
    const [of, ...last] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const readable = last.every((part) => typeof part === 'string' || typeof part === 'number');
    if (of === order && last.length === parts && readable) return last;
  } catch {
    // Said below.
  }
  throw new UsageError(`${JSON.stringify(cursor)} is no cursor of an earlier page of this query`);
}

/** Words of a text as they are searched for, each once. */
export function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  return [...new Set(words)].slice(0, WORDS_MAX);
}

/** A longer query is cut: what a person asks for is in its first words. */
const WORDS_MAX = 32;
