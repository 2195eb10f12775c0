import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { type CartStory, outcomeOf } from '../../src/tiers/outcome.ts';

const STARTED_AT = 1_800_000_000_000;
const ENDED_AT = STARTED_AT + HOUR_MS;

const story = (over: Partial<CartStory>): CartStory => ({
  startedAt: STARTED_AT,
  endedAt: ENDED_AT,
  fields: {},
  announced: 0,
  cameBack: false,
  ...over,
});

const orderedAt = (at: number): Pick<CartStory, 'fields'> => ({
  fields: { last_order_at: formatInstant(at) },
});

test.each([
  ['nothing, where nothing was announced', story({}), undefined],
  ['nothing, though the user came back', story({ cameBack: true }), undefined],
  ['lost', story({ announced: 2 }), 'lost'],
  ['returned', story({ announced: 1, cameBack: true }), 'returned'],
  ['ordered', story(orderedAt(ENDED_AT)), 'ordered'],
  ['ordered days later', story(orderedAt(ENDED_AT + 4 * DAY_MS)), 'ordered'],
  ['recovered', story({ announced: 1, ...orderedAt(ENDED_AT + DAY_MS) }), 'recovered'],
  [
    'lost, for the order is an older one',
    story({ announced: 1, ...orderedAt(STARTED_AT - 1) }),
    'lost',
  ],
  [
    'lost, for the order is too late',
    story({ announced: 1, ...orderedAt(ENDED_AT + 6 * DAY_MS) }),
    'lost',
  ],
  [
    'nothing by an order that is no instant',
    story({ fields: { last_order_at: 'soon' } }),
    undefined,
  ],
] as const)('a cart came to: %s', (_outcome, given, outcome) => {
  expect(outcomeOf(given)).toBe(outcome);
});
