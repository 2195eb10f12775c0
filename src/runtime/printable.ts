/**
 * What a terminal obeys instead of showing it: control characters, ends of lines, and what turns the direction of text,
 * joins it, or has no width. Half a surrogate pair is no character at all.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A text for one line of a terminal: what it would obey is spelled as in JSON, so that nobody's user id can forge a
 * line, and two ids that differ in what is not seen differ to the eye.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => spelled(character, '\\u'));
}

/** The same for a text of several lines. @param escape what stands before the hex digits */
export function printableLines(text: string, escape = '\\u'): string {
  return text.replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : spelled(character, escape),
  );
}

function spelled(character: string, escape: string): string {
  return Array.from(
    { length: character.length },
    (_none, index) => escape + character.charCodeAt(index).toString(16).padStart(4, '0'),
  ).join('');
}
