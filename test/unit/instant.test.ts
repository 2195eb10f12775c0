import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatInstant, isoInstant, parseInstant } from '../../src/model/instant.ts';

describe('an instant', () => {
  test.each([
    ['1800000000', 1_800_000_000_000],
    ['1800000000000', 1_800_000_000_000],
    ['1800000000.5', 1_800_000_000_500],
    ['1800000000000.4', 1_800_000_000_000],
    [' 1800000000\n', 1_800_000_000_000],
    ['5', 5_000],
    ['946684799999', 946_684_799_999_000],
    ['946684800000', 946_684_800_000],
    ['253402300799', 253_402_300_799_000],
  ])('is read from %j', (text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  test.each([
    '',
    ' ',
    '0',
    '0.0004',
    '-5',
    '+5',
    '5.',
    '.5',
    'NaN',
    'Infinity',
    '1e9',
    '0x10',
    '1,800,000,000',
    '１８００',
    '2027-01-15',
    '1800000000 UTC',
    '99999999999999999',
    '9999999999999999',
  ])('is not %j', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  test('of which a long text pretends to be made is refused quickly', () => {
    expect(parseInstant(`${' '.repeat(50_000)}x`)).toBeUndefined();
    expect(parseInstant('1'.repeat(50_000))).toBeUndefined();
  });

  test('is read back as it was written, to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 253_402_300_799_999 }), (at) => {
        expect(parseInstant(formatInstant(at))).toBe(at);
      }),
    );
  });

  test('is shown as a Date shows it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8_640_000_000_000_000 }), (at) => {
        expect(isoInstant(at)).toBe(new Date(at).toISOString());
      }),
    );
  });

  test('whatever is read can be shown', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\d{1,16}(\.\d{1,9})?$/), (text) => {
        const at = parseInstant(text);
        if (at !== undefined) expect(isoInstant(at)).toMatch(/Z$/);
      }),
    );
  });
});
