import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/model/errors.ts';
import { SAFE_NAME_MAX, isSafeName, safeName } from '../../src/model/safe-name.ts';
import { HOSTILE_USER_IDS } from '../support/hostile-user-ids.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.stringMatching(/^[aA.~/\\_0:@ é-]{0,12}$/),
  fc.constantFrom(...HOSTILE_USER_IDS),
);

/** One segment of a path that is itself and nothing else on every system. */
function isOneSegment(name: string): boolean {
  return (
    /^[a-z0-9_.~-]+$/.test(name) &&
    !/^[.-]|\.$/.test(name) &&
    !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/.test(name) &&
    name.length <= SAFE_NAME_MAX
  );
}

describe('a safe name', () => {
  test.each([
    ['user_42.a-b', 'user_42.a-b'],
    ['whatsapp:+4917', 'whatsapp~3a~2b4917'],
    ['Ann', '~41nn'],
    ['..', '~2e~2e'],
    ['../../etc/passwd', '~2e.~2f..~2fetc~2fpasswd'],
    ['a.', 'a~2e'],
    ['-rf', '~2drf'],
    ['~41nn', '~7e41nn'],
    ['con', '~63on'],
    ['nul.txt', '~6eul.txt'],
    ['console', 'console'],
    ['é', '~c3~a9'],
    ['', '~'],
  ])('of %j is %j', (id, name) => {
    expect(safeName(id)).toBe(name);
  });

  test('of a text that would be too long is its digest, which no other text has', () => {
    const long = 'x'.repeat(SAFE_NAME_MAX);
    expect(safeName(long)).toBe(long);
    expect(safeName(`${long}x`)).toMatch(/^~sha256-[0-9a-f]{64}$/);
    expect(safeName(safeName(`${long}x`))).not.toBe(safeName(`${long}x`));
  });

  test('is one segment, whatever the text', () => {
    fc.assert(
      fc.property(text, (id) => isOneSegment(safeName(id))),
      { numRuns: 5_000 },
    );
  });

  test('is another for another text, also where capitals make no difference', () => {
    fc.assert(
      fc.property(text, text, (a, b) => a === b || safeName(a) !== safeName(b)),
      { numRuns: 5_000 },
    );
    const names = HOSTILE_USER_IDS.map((id) => safeName(id).toLowerCase().normalize('NFKC'));
    expect(new Set(names).size).toBe(HOSTILE_USER_IDS.length);
  });

  test('can be read back, unless it is a digest', () => {
    fc.assert(
      fc.property(text, (id) => {
        const name = safeName(id);
        if (name.startsWith('~sha256-') || name === '~') return true;
        const bytes = name.replaceAll(/~(..)/g, (_all, hex: string) => `%${hex}`);
        return decodeURIComponent(bytes) === id;
      }),
      { numRuns: 5_000 },
    );
  });

  test('of half a surrogate pair is refused', () => {
    expect(() => safeName('a\ud83d')).toThrow(UsageError);
  });

  test('stands for itself only where nothing is escaped', () => {
    expect(['c-1', '2026-11-21-0af', '_'].every(isSafeName)).toBe(true);
    expect(['', '~', 'A', 'a.', 'con', 'a~41', '\ud83d'].some(isSafeName)).toBe(false);
  });
});
