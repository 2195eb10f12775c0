import { UsageError } from './errors.ts';
import { SAFE_NAME_MAX, isSafeName } from './safe-name.ts';

/** The text of an object in the cold tier has at most so many bytes of UTF-8; so nothing that is read can be larger. */
export const COLD_TEXT_MAX_BYTES = 64 * 1_024 * 1_024;

/** The one name that no other object of an owner has. */
export const CURRENT = 'current';

/** @throws UsageError if it cannot be the name of an object in the cold tier */
export function assertColdName(name: string): void {
  if (isSafeName(name) && name !== CURRENT) return;
  throw new UsageError(
    `a name in the cold tier has at most ${SAFE_NAME_MAX} of a-z 0-9 _ - . and is not ${CURRENT}; got ${JSON.stringify(name.slice(0, SAFE_NAME_MAX))}`,
  );
}

/** @throws UsageError if it cannot be the text of an object in the cold tier */
export function assertColdText(text: string): void {
  if (!text.isWellFormed())
    throw new UsageError(
      'a text in the cold tier is UTF-8; this one holds half of a surrogate pair',
    );
  const bytes = Buffer.byteLength(text);
  if (bytes > COLD_TEXT_MAX_BYTES)
    throw new UsageError(
      `a text in the cold tier has at most ${COLD_TEXT_MAX_BYTES} bytes; this one has ${bytes}`,
    );
}

/** @throws UsageError if it cannot be an instant */
export function assertColdInstant(what: string, at: number): void {
  if (!Number.isSafeInteger(at))
    throw new UsageError(`${what} is a whole number of Unix milliseconds; got ${at}`);
}
