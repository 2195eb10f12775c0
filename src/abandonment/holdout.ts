import { hash } from 'node:crypto';

/** Hexadecimal digits of 52 bits: as many as a number holds for certain. */
const DIGITS = 13;

/**
 * Whether the user is of the share that nobody contacts, so that what contacting does can be measured against them. The
 * same wherever and whenever it is asked; another salt draws others, and a larger share keeps those of a smaller one.
 * @param share 0 to 1
 */
export function isHeldOut(user: string, share: number, salt: string): boolean {
  if (share <= 0) return false;
  const drawn = Number.parseInt(hash('sha256', `${salt}\0${user}`, 'hex').slice(0, DIGITS), 16);
  return drawn / 2 ** (DIGITS * 4) < share;
}
