/** What is asked of the container, in its own language. */
import type { SqlParameter, SqlQuerySpec } from '@azure/cosmos';
import { UsageError } from '../../../model/errors.ts';
import type { AttributeTest, EntryFilter, EntryOrder, Range } from '../../../ports/warm.ts';
import { RANK } from './document.ts';

type Value = string | number | boolean | readonly string[] | readonly number[];

/**
 * Conditions that must all hold, with the values of their parameters. Joined by AND, which binds closer than OR: what is
 * put around them needs no parentheses.
 */
export class Conditions {
  readonly #texts: string[] = [];
  readonly #parameters: SqlParameter[] = [];

  /** Adds a condition; each `?` in it stands for one of the values. */
  add(text: string, ...values: readonly Value[]): this {
    const left = [...values];
    this.#texts.push(text.replaceAll('?', () => this.value(left.shift() ?? '')));
    return this;
  }

  /** Names a value for use in a text. */
  value(value: Value): string {
    const name = `@p${this.#parameters.length}`;
    this.#parameters.push({ name, value: typeof value === 'object' ? [...value] : value });
    return name;
  }

  /** One of these. */
  addIn(path: string, values: readonly string[]): this {
    return this.add(`${path} IN (${values.map(() => '?').join(', ')})`, ...values);
  }

  get text(): string {
    return this.#texts.join(' AND ');
  }

  /** @param write the whole query, given the conditions as a text */
  spec(write: (conditions: string) => string): SqlQuerySpec {
    return { query: write(this.text), parameters: this.#parameters };
  }
}

/** What each order sorts by; ties go by name, so that a page begins where the one before ended. */
export const ORDERS: Readonly<
  Record<EntryOrder, { column: 'timestamp' | 'importance' | 'step'; direction: 'ASC' | 'DESC' }>
> = {
  newest: { column: 'timestamp', direction: 'DESC' },
  oldest: { column: 'timestamp', direction: 'ASC' },
  important: { column: 'importance', direction: 'DESC' },
  step: { column: 'step', direction: 'ASC' },
  'last step': { column: 'step', direction: 'DESC' },
};

/** Entries that are there: not expired, and later than an erasure that is under way. */
export function thereOf(now: number, hiddenUpTo: number | undefined): Conditions {
  const there = new Conditions().add(`c.rank = ${RANK.entry}`).add('c.entry.expiresAt > ?', now);
  return hiddenUpTo === undefined ? there : there.add('c.entry.timestamp > ?', hiddenUpTo);
}

export function addFilter(conditions: Conditions, filter: EntryFilter): Conditions {
  addRange(conditions, 'c.entry.timestamp', filter.timestamp);
  addRange(conditions, 'c.entry.importance', filter.importance);
  addRange(conditions, 'c.entry.step', filter.step);
  if (filter.memoryType !== undefined) conditions.addIn('c.entry.type', [filter.memoryType].flat());
  for (const test of filter.attributes ?? []) addAttribute(conditions, test);
  return conditions;
}

function addAttribute(conditions: Conditions, test: AttributeTest): void {
  // A name cannot be a parameter; as a JSON string it is one word of the language, whatever is in it.
  const path = `c.entry.attributes[${JSON.stringify(test.name).replaceAll('?', '\\u003f')}]`;
  if ('equals' in test) {
    conditions.add(`${path} = ?`, test.equals);
    return;
  }
  conditions.add(`IS_NUMBER(${path})`);
  addRange(conditions, path, test);
}

function addRange(conditions: Conditions, path: string, range: Range | undefined): void {
  if (range?.from !== undefined) conditions.add(`${path} >= ?`, range.from);
  if (range?.to !== undefined) conditions.add(`${path} <= ?`, range.to);
}

/** Where a page ended, as text that nobody has to understand. */
export function encodeCursor(order: string, ...last: (string | number)[]): string {
  return Buffer.from(JSON.stringify([order, ...last])).toString('base64url');
}

/** @throws UsageError if it is no cursor of this order, or its parts are of other types */
export function decodeCursor(
  order: string,
  cursor: string,
  ...types: readonly ('number' | 'string')[]
): readonly unknown[] {
  try {
    const [of, ...last] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const fits = last.length === types.length && last.every((part, n) => typeof part === types[n]);
    if (of === order && fits) return last;
  } catch {
    // Said below.
  }
  throw new UsageError(`${JSON.stringify(cursor)} is no cursor of an earlier page of this query`);
}
