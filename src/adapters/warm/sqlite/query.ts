import { UsageError } from '../../../model/errors.ts';
import type { AttributeTest, EntryFilter, EntryOrder, Range } from '../../../ports/warm.ts';

/** A value that SQLite binds. */
export type Bound = string | number | bigint | null | Uint8Array;

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

/** Conditions on the table `entry`, for one owner and what has not expired. */
export function whereOf(agentId: string, filter: EntryFilter, now: number): Sql {
  const texts = ['entry.owner = ?', '(entry.expires_at IS NULL OR entry.expires_at > ?)'];
  const values: Bound[] = [agentId, now];
  const add = (text: string, ...bound: Bound[]): void => {
    texts.push(text);
    values.push(...bound);
  };
  addRange('entry.timestamp', filter.timestamp, add);
  addRange('entry.importance', filter.importance, add);
  addRange('entry.step', filter.step, add);
  if (filter.memoryType !== undefined) add('entry.type = ?', filter.memoryType);
  for (const test of filter.attributes ?? []) {
    const { text, values: bound } = attributeSql(agentId, test);
    add(`entry.version IN (${text})`, ...bound);
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
  return { text: `SELECT entry FROM attribute WHERE ${texts.join(' AND ')}`, values };
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
