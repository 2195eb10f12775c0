import { hash } from 'node:crypto';
import { UsageError } from './errors.ts';

/** A safe name has at most so many characters: room is left for what stores put before and after it (files: 255). */
export const SAFE_NAME_MAX = 128;

/**
 * Writes any text (a user id) as one name that is safe for a bus, a database, a blob and a file:
 *
 *   a-z 0-9 _ - .    stand for themselves, but `-` and `.` not at the beginning, and `.` not at the end
 *   any other byte   of the text's UTF-8 becomes `~` and two hexadecimal digits, capitals too
 *   nothing          becomes `~`
 *   what is longer   than SAFE_NAME_MAX then becomes `~sha256-` and the SHA-256 of the text, hexadecimal
 *
 * So no name leaves its folder or prefix, two texts never share one (SHA-256 apart), not even where capitals or forms of
 * Unicode make no difference, and a harmless id can be read in it. It is never changed: what is stored lies under it.
 * @throws UsageError for half a surrogate pair, which is no text
 */
export function safeName(text: string): string {
  if (!text.isWellFormed())
    throw new UsageError('an id is a text; this one holds half of a surrogate pair');
  if (text === '') return '~';
  const name = RESERVED.test(text)
    ? escaped(text.slice(0, 1)) + spelled(text.slice(1))
    : spelled(text);
  return name.length <= SAFE_NAME_MAX ? name : `~sha256-${hash('sha256', text, 'hex')}`;
}

/** Whether a name stands for itself. */
export function isSafeName(name: string): boolean {
  return name.isWellFormed() && name !== '' && safeName(name) === name;
}

/** Devices of Windows, whatever follows the first dot. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/;

/** Characters that do not stand for themselves, one by one. */
const UNSAFE = /[^a-z0-9_.-]|^[-.]|\.$/gu;

function spelled(text: string): string {
  return text.replaceAll(UNSAFE, escaped);
}

function escaped(character: string): string {
  return Buffer.from(character).toString('hex').replaceAll(/../g, '~$&');
}
