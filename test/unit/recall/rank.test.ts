import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS, MINUTE_MS } from '../../../src/model/duration.ts';
import { rankTurns } from '../../../src/recall/rank.ts';
import type { Turn } from '../../../src/recall/turn.ts';

const AT = Date.UTC(2026, 4, 20, 12);

function turn(id: string, text: string, more: Partial<Turn> = {}): Turn {
  const speaker = more.role ?? 'user';
  const at = AT - 40 * DAY_MS;
  return {
    identity: id,
    named: true,
    id,
    role: 'user',
    speaker,
    text,
    at,
    conversation: 'c',
    ...more,
  };
}

function order(turns: readonly Turn[], query: string): string[] {
  return rankTurns(turns, query, { at: AT }).map(({ turn: { id } }) => id);
}

const FILLERS = ['the weather was fine', 'see you soon', 'we had soup', 'my bus was late'].map(
  (text, place) => turn(`filler-${place}`, text, { conversation: `other-${place}` }),
);

describe('the order of what was said', () => {
  test('a turn that holds the words of the query comes first, whatever their endings', () => {
    const turns = [...FILLERS, turn('found', 'I was painting sunsets')];
    expect(order(turns, 'Who paints a sunset?')[0]).toBe('found');
  });

  test('the answer to a question that fits comes before what stands elsewhere', () => {
    const turns = [
      ...FILLERS,
      turn('question', 'Which instrument do you play?'),
      turn('answer', 'The cello, since last autumn', { role: 'assistant' }),
      turn('after', 'How nice'),
    ];
    expect(order(turns, 'instrument played').slice(0, 2)).toContain('answer');
  });

  test('what the one says who is asked about comes before what others say', () => {
    const turns = [
      ...FILLERS,
      turn('ann', 'I bought a canoe', { speaker: 'Ann', conversation: 'one' }),
      turn('ben', 'I bought a canoe', { speaker: 'Ben', conversation: 'two' }),
    ];
    expect(order(turns, 'What did Ann buy, a canoe?')[0]).toBe('ann');
    expect(order(turns, 'What did Ben buy, a canoe?')[0]).toBe('ben');
  });

  test.each([
    ['what colour did I want?', 'wanted'],
    ['which colour did you recommend?', 'recommended'],
    ['maine kaunsa colour kaha?', 'wanted'],
    ['आपने कौन सा colour कहा?', 'recommended'],
  ])('whoever asks "%s" means his own words, or the assistant\'s', (query, first) => {
    const turns = [
      ...FILLERS,
      turn('wanted', 'the blue colour', { conversation: 'one' }),
      turn('recommended', 'the blue colour', { role: 'assistant', conversation: 'two' }),
    ];
    expect(order(turns, query)[0]).toBe(first);
  });

  test.each(['on 3 February 2026', 'in February 2026', 'Feb 3, 2026', 'in February'])(
    'what was said %s is found by it',
    (when) => {
      const turns = [
        turn('january', 'the parcel is here', { at: Date.UTC(2026, 0, 3), conversation: 'one' }),
        turn('february', 'the parcel is here', { at: Date.UTC(2026, 1, 3), conversation: 'two' }),
        turn('april', 'the parcel is here', { at: Date.UTC(2026, 3, 3), conversation: 'three' }),
        ...FILLERS,
      ];
      expect(order(turns, `what came ${when}, a parcel`)[0]).toBe('february');
    },
  );

  test('a date that a turn counts back to counts as its own', () => {
    const turns = [
      turn('told', 'yesterday I ran a race', { at: Date.UTC(2026, 2, 10), conversation: 'one' }),
      turn('other', 'I ran a race', { at: Date.UTC(2026, 2, 20), conversation: 'two' }),
      ...FILLERS,
    ];
    expect(order(turns, 'the race on 9 March 2026')[0]).toBe('told');
  });

  test('"yesterday" in a query is the day before it is asked', () => {
    const turns = [
      turn('yesterday', 'a refund please', { at: AT - DAY_MS, conversation: 'one' }),
      turn('before', 'a refund please', { at: AT - 3 * DAY_MS, conversation: 'two' }),
      ...FILLERS,
    ];
    expect(order(turns, 'what about a refund yesterday')[0]).toBe('yesterday');
  });

  test('words in Devanagari are found as they stand, vowel signs and all', () => {
    const turns = [
      ...FILLERS,
      turn('hindi', 'मुझे नीली साड़ी चाहिए'),
      turn('latin', 'mujhe saari chahiye'),
    ];
    expect(order(turns, 'नीली साड़ी कब')[0]).toBe('hindi');
    expect(order(turns, 'saari chahiye thi')[0]).toBe('latin');
  });

  test('an embedding that is near counts where no word does', () => {
    const turns = [...FILLERS, turn('near', 'a feline', { memoryId: 'm' })];
    const ranked = rankTurns(turns, 'cat', { at: AT, likeness: new Map([['m', 0.9]]) });
    expect(ranked[0]?.turn.id).toBe('near');
  });

  test('where nothing fits, the newest comes first', () => {
    const turns = [1, 2, 3].map((n) => turn(String(n), 'hm', { at: AT - n * MINUTE_MS }));
    expect(order(turns.toReversed(), '')).toEqual(['1', '2', '3']);
    expect(order(turns.toReversed(), 'unheard-of')).toEqual(['1', '2', '3']);
  });

  test('every turn is ranked once, in the same order each time, whatever is said and asked', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('a b c?', 'may 2026', '31 feb', '0 days ago', '?'),
    );
    const turns = fc.array(fc.record({ text, at: fc.option(fc.integer(), { nil: undefined }) }));
    fc.assert(
      fc.property(turns, text, (said, query) => {
        const all = said.map(({ text, at }, place) =>
          turn(String(place), text, { at, conversation: String(place % 3) }),
        );
        const once = order(all, query);
        expect(once.toSorted()).toEqual(all.map(({ id }) => id).toSorted());
        expect(order(all, query)).toEqual(once);
        for (const { score } of rankTurns(all, query, { at: AT })) expect(score).not.toBeNaN();
      }),
    );
  });
});
