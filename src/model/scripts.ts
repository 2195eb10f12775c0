/** Scripts of letters. */

/** Those that languages with some million readers are written in; a letter of any other counts as itself. */
const SCRIPTS =
  `Arabic Armenian Bengali Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul Hebrew
Hiragana Kannada Katakana Khmer Lao Malayalam Myanmar Odia Sinhala Tamil Telugu Thai Tibetan`
    .split(/\s+/)
    .map((name) => new RegExp(`\\p{Script=${name === 'Odia' ? 'Oriya' : name}}`, 'u'));

const LETTERS = /\p{L}/gu;
const LATIN = /\p{Script=Latin}|\p{Script=Common}/u;

/** Whether `text` has a letter of a script that is neither Latin nor found in `given`. */
export function foreignLetter(text: string, given: string): boolean {
  const allowed = SCRIPTS.filter((script) => script.test(given));
  return [...new Set(text.match(LETTERS))].some(
    (letter) =>
      !LATIN.test(letter) &&
      !allowed.some((script) => script.test(letter)) &&
      !given.includes(letter),
  );
}
