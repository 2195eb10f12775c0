import { SECOND_MS } from '../../src/model/duration.ts';
import type { ProblemReason } from '../../src/model/problem.ts';

export type Bytes = string | Buffer;
export type Fields = readonly (readonly [name: Bytes, value: Bytes])[];

/** What stands under a key, by its type. */
export type Written =
  | { readonly hash: Fields }
  | { readonly string: Bytes }
  | { readonly list: readonly string[]; readonly times?: number }
  | { readonly set: string }
  | { readonly zset: string }
  | { readonly stream: string };

export type Expected = 'announced' | 'waits' | 'nothing' | `quarantined: ${ProblemReason}`;

export interface HostileSession {
  readonly name: string;
  readonly user: Bytes;
  readonly session: Written;
  readonly messages?: Written;
  readonly ttlMs?: number;
  /** Keys of ours that somebody spoilt. */
  readonly ledger?: Written;
  readonly optout?: string;
  readonly expected: Expected;
  /** What its announcement tells beside the user, if that is not its cart and language as written. */
  readonly tells?: object;
  /** Fields that mend it; default: the session is written anew. */
  readonly mend?: Readonly<Record<string, string>>;
}

/** Fields beside the valid ones; undefined takes one out. */
type Overrides = Readonly<Record<string, Bytes | undefined>>;

/** So that nothing said can be found in a log unless somebody logged it. */
export const CONFIDENTIAL = 'said in confidence';

/** A cart that no other session has. */
export function cartOf(name: string): { product_id: string; note: string; price: number }[] {
  return [{ product_id: name, note: CONFIDENTIAL, price: 5 }];
}

/** A session that is quiet for long enough at `now`. */
export function validFields(name: string, now: number): Record<string, string> {
  return {
    last_activity: String((now - 10 * SECOND_MS) / 1_000),
    cart: JSON.stringify(cartOf(name)),
    language: `language of ${name}`,
  };
}

/** How a session with these fields is written; what is undefined is left out. */
export function hashOf(name: string, now: number, overrides: Overrides = {}): { hash: Fields } {
  const fields = Object.entries<Bytes | undefined>({ ...validFields(name, now), ...overrides });
  return { hash: fields.filter((field): field is [string, Bytes] => field[1] !== undefined) };
}

/** More than any field may have. */
export const MEGABYTES_5 = 'x'.repeat(5_000_000);

type Valid = (name: string, overrides: Overrides, more?: Partial<HostileSession>) => HostileSession;

type OfField = (
  field: string,
  expected: Expected,
) => (what: string, value: Bytes | undefined, more?: Partial<HostileSession>) => HostileSession;

export interface Draft {
  readonly now: number;
  /** A session that is announced, but for what is given. */
  readonly valid: Valid;
  /** Sessions that are valid but for one field. */
  readonly ofField: OfField;
}

/** How sessions are drawn up that would be written at `now`. */
export function draftAt(now: number): Draft {
  const valid: Valid = (name, overrides, more = {}) => ({
    name,
    user: name,
    session: hashOf(name, now, overrides),
    expected: 'announced',
    ...more,
  });
  const ofField: OfField =
    (field, expected) =>
    (what, value, more = {}) =>
      valid(`${field} ${what}`, { [field]: value }, { expected, ...more });
  return { now, valid, ofField };
}
