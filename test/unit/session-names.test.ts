import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/model/errors.ts';
import { SessionNames, type SessionRef } from '../../src/model/session-names.ts';
import { HOSTILE_USER_IDS } from '../support/hostile-user-ids.ts';

const TEMPLATES = [
  'session:<user_id>:<session_id>',
  'chat:{<user_id>}:<session_id>:state',
  's:<session_id>::<user_id>',
  '<user_id>/<session_id>',
];

/** Parts of keys, and whatever else. */
const id = fc.oneof(
  fc.constantFrom(...HOSTILE_USER_IDS.filter((user) => user.length < 200)),
  fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }),
  fc
    .array(fc.constantFrom(':', '}', '{', '/', 'a', '::'), { minLength: 1 })
    .map((all) => all.join('')),
);

describe('where a user has one session', () => {
  const names = new SessionNames('shop:{<user_id>}:s');

  test('its reference is the id of the user, whatever that holds', () => {
    for (const user of HOSTILE_USER_IDS) {
      expect(names.refOf(user)).toBe(user);
      expect(names.nameOf(user)).toEqual({ user });
      expect([names.ownerOf(user), names.userRef(user)]).toEqual([user, user]);
    }
  });

  test('no other is named', () => {
    expect(() => names.refOf({ user: 'ann', session: 's1' })).toThrow(/has no <session_id>/);
  });
});

describe.each(TEMPLATES)('in %s', (template) => {
  const names = new SessionNames(template);
  const keyOf = (ref: string): string => names.before + ref + names.after;

  test('a reference stands in the key for both ids', () => {
    const key = template.replace('<user_id>', 'ann').replace('<session_id>', 's1');
    expect(keyOf(names.refOf({ user: 'ann', session: 's1' }))).toBe(key);
  });

  test('what is named is read back, or refused', () => {
    fc.assert(
      fc.property(id, id, (user, session) => {
        const ref = refOrRefusal({ user, session });
        if (ref !== undefined) {
          expect(names.nameOf(ref)).toEqual({ user, session });
          expect(names.ownerOf(ref)).toBe(user);
          expect(names.problemOf(ref)).toBeUndefined();
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('what is read from a key can be named', () => {
    fc.assert(
      fc.property(fc.array(id, { minLength: 1 }), (parts) => {
        const ref = parts.join(names.between);
        const { user, session } = names.nameOf(ref);
        if (session !== undefined && !names.problemOf(ref))
          expect(names.refOf({ user, session })).toBe(ref);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a user may be called anything', () => {
    for (const user of HOSTILE_USER_IDS.filter((one) => Buffer.byteLength(one) <= 500))
      expect(names.nameOf(names.refOf({ user, session: 's1' }))).toEqual({ user, session: 's1' });
  });

  test.each<[unknown, RegExp]>([
    ['ann', /give \{ user, session \}/],
    [{ user: 'ann' }, /both texts/],
    [undefined, /both texts/],
    [{ user: 'ann', session: '' }, /1 byte each/],
    [{ user: '', session: 's1' }, /1 byte each/],
    [{ user: 'x'.repeat(512), session: 's1' }, /512 at the most/],
    [{ user: 'ann', session: '\u{D800}' }, /UTF-8/],
    [{ user: 'ann', session: `a${names.between ?? ''}b` }, /could not be told/],
  ])('%j is refused in words', (given, words) => {
    expect(() => names.refOf(given as SessionRef)).toThrow(words);
    expect(() => names.refOf(given as SessionRef)).toThrow(UsageError);
  });

  test('what concerns the user alone is done under a reference that no session has', () => {
    const ref = names.userRef('ann');
    expect(names.ownerOf(ref)).toBe('ann');
    expect(names.problemOf(ref)).toBeDefined();
    expect(() => names.userRef({ user: 'ann' } as unknown as string)).toThrow(UsageError);
    expect(() => names.userRef('')).toThrow(UsageError);
  });

  test('a text without the separator is a user, from before there were several', () => {
    expect(names.nameOf('ann')).toEqual({ user: 'ann' });
  });

  function refOrRefusal(given: SessionRef): string | undefined {
    try {
      return names.refOf(given);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      return undefined;
    }
  }
});

test('a key is taken apart at the last separator, or at the first where the session comes first', () => {
  expect(new SessionNames('session:<user_id>:<session_id>').nameOf('a:b:c')).toEqual({
    user: 'a:b',
    session: 'c',
  });
  expect(new SessionNames('session:<session_id>:<user_id>').nameOf('a:b:c')).toEqual({
    user: 'b:c',
    session: 'a',
  });
});
