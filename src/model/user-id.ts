import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { Problem } from './problem.ts';

/** A user id is an opaque text; longer ones are no id but somebody's mistake, and would be paid for in every index. */
export const USER_ID_MAX_BYTES = 512;

/** What a decoder puts in the place of bytes that are no UTF-8: so an id that holds it may not be what was written. */
export const NO_TEXT = '\u{FFFD}';

/** Says what is wrong with a user id, or undefined. */
export function userIdProblem(user: string): Problem | undefined {
  if (!user.isWellFormed() || user.includes(NO_TEXT)) {
    return { reason: 'user_id_not_utf8', detail: 'the user id is no valid UTF-8 text' };
  }
  const bytes = Buffer.byteLength(user);
  if (bytes === 0 || bytes > USER_ID_MAX_BYTES) {
    return {
      reason: 'user_id_too_long',
      detail: `a user id has 1 to ${String(USER_ID_MAX_BYTES)} bytes; this one has ${String(bytes)}`,
    };
  }
  return undefined;
}

/** What stands in a key where a user id should, and cannot be one. */
export interface ImpossibleUser {
  /** Names it: no two have the same name, and none has that of a user. */
  readonly user: string;
  readonly problem: Problem;
}

/** A longer one is named by its beginning and a digest: a name is logged, and kept in quarantine. */
const NAMED_WHOLE_BYTES = 1_024;
const BEGINNING_BYTES = 64;

/** Names an id that cannot be one, from its bytes; undefined if it can. */
export function impossibleUser(
  id: Buffer,
  problem = userIdProblem(id.toString()),
): ImpossibleUser | undefined {
  if (!problem) return undefined;
  if (id.length <= NAMED_WHOLE_BYTES) return { user: spelled(id), problem };
  const digest = hash('sha256', id, 'hex');
  return {
    user: `${spelled(id.subarray(0, BEGINNING_BYTES))}${NO_TEXT}{${String(id.length)} bytes, sha256 ${digest}}`,
    problem,
  };
}

/** UTF-8 as text, and every other byte as `�{ff}`; a `�` that was written as such, too. */
function spelled(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((count) => isUtf8(bytes.subarray(at, at + count)));
    const character = bytes.subarray(at, at + (length ?? 1));
    const plain = length !== undefined && character.toString() !== NO_TEXT;
    text += plain ? character.toString() : `${NO_TEXT}{${character.toString('hex')}}`;
    at += character.length;
  }
  return text;
}
