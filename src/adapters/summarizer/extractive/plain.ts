/** Texts as the rules compare them, and patterns over words of any script. */

/** Lower-cased, one kind of apostrophe and blank, Hindi without nukta and with one nasal: people type either. */
export function plain(text: string): string {
  return text
    .normalize('NFD')
    .replaceAll('\u093c', '')
    .replaceAll('\u0901', '\u0902')
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[’‘`]/g, "'")
    .replaceAll(/\s+/g, ' ')
    .trim();
}

const NO_LETTER_BEFORE = "(?<![\\p{L}\\p{M}\\p{N}'])";
const NO_LETTER_AFTER = '(?![\\p{L}\\p{M}\\p{N}])';

/** Matches one of these as a whole word; each is a piece of a regular expression. For `plain` texts. */
export function word(...pieces: readonly string[]): RegExp {
  return new RegExp(
    `${NO_LETTER_BEFORE}(?:${pieces.map(plainPiece).join('|')})${NO_LETTER_AFTER}`,
    'iu',
  );
}

/** As `word`, what the pieces capture included, at every place. */
export function everyWord(...pieces: readonly string[]): RegExp {
  return new RegExp(word(...pieces).source, 'giu');
}

/** Hindi in a pattern is written as people write it, and compared as `plain` makes it; case stays, for `\S` is not `\s`. */
function plainPiece(piece: string): string {
  return piece
    .normalize('NFD')
    .replaceAll('\u093c', '')
    .replaceAll('\u0901', '\u0902')
    .normalize('NFC');
}

/** What the pieces of a `word` captured, the first of it. */
export function captured(match: readonly (string | undefined)[] | null): string | undefined {
  return match?.slice(1).find((group) => group !== undefined);
}
