import type { Problem } from './problem.ts';

/** A user id is an opaque text; longer ones are no id but somebody's mistake, and would be paid for in every index. */
const USER_ID_MAX_BYTES = 512;

/** Says what is wrong with a user id, or undefined. */
export function userIdProblem(user: string): Problem | undefined {
  const bytes = Buffer.byteLength(user);
  if (bytes === 0 || bytes > USER_ID_MAX_BYTES) {
    return {
      reason: 'user_id_too_long',
      detail: `a user id has 1 to ${String(USER_ID_MAX_BYTES)} bytes; this one has ${String(bytes)}`,
    };
  }
  if (!user.isWellFormed() || user.includes('\u{FFFD}')) {
    return { reason: 'user_id_not_utf8', detail: 'the user id is no valid UTF-8 text' };
  }
  return undefined;
}
