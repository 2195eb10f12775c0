/**
 * Takes out of a text what must not be learned of anybody: e-mail addresses and payment handles, telephone, card, account
 * and order numbers, one-time codes and passwords. What stands in their place says what it was. Masking a masked text
 * changes nothing.
 *
 * Street addresses and names are words like any other and are not found.
 */
export function masked(text: string): string {
  return text
    .replace(HANDLE, '[e-mail]')
    .replace(SECRET, (_whole, lead: string) => `${lead}[code]`)
    .replace(PERSONAL_CODE, '[number]')
    .replace(LONG_NUMBER, (number) =>
      digitsIn(number) < NUMBER_DIGITS || isDate(number) ? number : '[number]',
    );
}

/** An e-mail address, and what UPI takes for one (`name@bank`). Bounded as addresses are, so that a long text takes no longer. */
const HANDLE = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*/gu;

/** What follows such a word, with at most a few words between, and holds a digit or stands behind a colon or `is`. */
const SECRET =
  /((?:\b(?:otp|pin|cvv|cvc|passcode|password|pass\s?word|verification code|security code)\b|ओटीपी|पासवर्ड|पिन)(?:\s+(?:is|hai|code|number|no))*\s*[:=-]?\s*)(?!\[)(?=\S*\p{Nd}|(?<=(?:is|[:=])\s*)\S)[^\s,;]*[^\s,;.!?।]/giu;

/** India's PAN, and IBAN. */
const PERSONAL_CODE =
  /\b(?:[A-Z]{5}\d{4}[A-Z]|[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){3,7}(?: ?[A-Z\d]{1,3})?)\b/g;

const LONG_NUMBER = /\+?\(?\p{Nd}(?:[\s().-]{0,2}\p{Nd}){5,}/gu;

/** Telephone numbers have seven digits or more; a price with a thousands separator has hardly ever. */
const NUMBER_DIGITS = 7;

function digitsIn(text: string): number {
  return text.match(/\p{Nd}/gu)?.length ?? 0;
}

/** `2026-11-21` and `21.11.2026` name nobody. */
function isDate(text: string): boolean {
  return /^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[.-]\d{1,2}[.-]\d{4})$/.test(text);
}
