import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { insightSchema } from '../../src/model/insight-schema.ts';
import { type Finding, INSIGHT_KINDS, type Insight } from '../../src/model/insight.ts';
import { INSIGHTS_MAX, insightId, mergeInsights } from '../../src/model/insights.ts';

const USER = 'ann';

function finding(text: string, more: Partial<Finding> = {}): Finding {
  return { kind: 'preference', text, sources: [{ message: 'm1', hash: 'h1' }], ...more };
}

const idOf = (text: string): string => insightId(USER, finding(text));

function merge(
  current: readonly Insight[],
  findings: readonly Finding[],
  conversation: string,
  at: number,
): ReturnType<typeof mergeInsights> {
  return mergeInsights(current, findings, { user: USER, conversation, at });
}

describe('mergeInsights', () => {
  it('lets what is said again gain support, however it is written, and a repeat none', () => {
    const first = merge([], [finding('The user wears size M.')], 'c1', 10).current;
    const second = merge(first, [finding('the user  wears size m')], 'c2', 20).current;
    expect(second).toHaveLength(1);
    expect(second[0]).toMatchObject({ conversations: ['c1', 'c2'], firstAt: 10, lastAt: 20 });
    expect(merge(second, [finding('The user wears size M.')], 'c2', 20).current).toEqual(second);
  });

  it('lets the later one hold, in whichever order they come', () => {
    const [m, l] = [finding('M'), finding('L')];
    const forward = merge(
      merge([], [m], 'c1', 10).current,
      [{ ...l, supersedes: [idOf('M')] }],
      'c2',
      20,
    );
    expect(forward.current.map(({ text }) => text)).toEqual(['L']);
    expect(forward.superseded).toMatchObject([{ text: 'M', supersededBy: idOf('L') }]);
    const backward = merge(
      merge([], [l], 'c2', 20).current,
      [{ ...m, supersedes: [idOf('L')] }],
      'c1',
      10,
    );
    expect(backward.current).toEqual(forward.current);
    expect(backward.superseded).toEqual(forward.superseded);
  });

  it('drops the least supported, of these the longest unsaid', () => {
    let current: readonly Insight[] = [];
    for (let at = 1; at <= INSIGHTS_MAX; at += 1)
      current = merge(current, [finding(`fact ${at}`)], `c${at}`, at).current;
    current = merge(current, [finding('fact 1')], 'again', 50).current;
    const { current: after, dropped } = merge(current, [finding('new')], 'last', 60);
    expect(after).toHaveLength(INSIGHTS_MAX);
    expect(dropped.map(({ text }) => text)).toEqual(['fact 2']);
    expect(after[0]?.text).toBe('fact 1');
  });
});

const texts = Array.from({ length: 45 }, (_, index) => `thing ${index}`);
const findings = fc.array(
  fc
    .record({
      kind: fc.constantFrom(...INSIGHT_KINDS.slice(0, 2)),
      text: fc.constantFrom(...texts),
      sources: fc.array(
        fc.record({ message: fc.constantFrom('m1', 'm2'), hash: fc.constantFrom('h1', 'h2') }),
        { minLength: 1, maxLength: 3 },
      ),
      supersedes: fc.array(fc.constantFrom(...texts).map(idOf), { maxLength: 3 }),
    })
    .map((one): Finding => one),
  { maxLength: 40 },
);
const history = fc.array(fc.record({ findings, at: fc.nat({ max: 1_000 }) }), { maxLength: 8 });

describe('mergeInsights, whatever is said', () => {
  it('keeps at most thirty, loses none in silence, and changes nothing the second time', () => {
    fc.assert(
      fc.property(history, (conversations) => {
        let current: readonly Insight[] = [];
        for (const [index, { findings: said, at }] of conversations.entries()) {
          const next = merge(current, said, `c${index}`, at);
          expect(next.current.length).toBeLessThanOrEqual(INSIGHTS_MAX);
          const kept = [...next.current, ...next.superseded, ...next.dropped].map(({ id }) => id);
          const known = [
            ...current.map(({ id }) => id),
            ...said.map((one) => insightId(USER, one)),
          ];
          expect(new Set(kept)).toEqual(new Set(known));
          expect(new Set(kept).size).toBe(kept.length);

          const named = new Set([...next.current, ...next.superseded].map(({ id }) => id));
          for (const { supersededBy } of next.superseded) expect(named).toContain(supersededBy);
          current = next.current;
        }
      }),
    );
  });

  it('is unchanged by a conversation that is merged again', () => {
    const plain = findings.map((all) => all.map(({ supersedes: _, ...one }) => one));
    fc.assert(
      fc.property(plain, plain, (before, said) => {
        const { current } = merge([], before, 'c0', 1);
        const once = merge(current, said, 'c1', 2);
        // Beyond thirty a repeat finds a place as hard to get as the first time.
        const again = merge(once.current, said, 'c1', 2);
        expect(again.current).toEqual(once.current);
        expect(again.superseded).toEqual([]);
      }),
    );
  });

  it('is the same in every order of findings, and of conversations while there is room', () => {
    const few = findings.map((all) => all.slice(0, 15).map(({ supersedes: _, ...one }) => one));
    fc.assert(
      fc.property(few, few, (one, other) => {
        const both = merge(merge([], one, 'c1', 1).current, other, 'c2', 2);
        const reversed = merge(merge([], other.toReversed(), 'c2', 2).current, one, 'c1', 1);
        expect(reversed.current).toEqual(both.current);
      }),
    );
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(findings, (said) => {
        const { current } = merge([], said, 'c1', 1);
        for (const one of current)
          expect(insightSchema.parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
      }),
    );
  });
});
