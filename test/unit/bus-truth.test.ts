import { describe, expect, test } from 'vitest';
import type { Cart } from '../../src/model/cart.ts';
import type { AnyEvent, RecoveryClass, RescueCancelledData } from '../../src/model/event.ts';
import { isoInstant } from '../../src/model/instant.ts';
import type { Deed } from '../support/busy-shop.ts';
import { type Judgement, judge } from '../support/bus-truth.ts';

const TERMS = { stagesMs: [1_000, 5_000], cooldownMs: 60_000 };
const SHAWL: Cart = [{ product_id: 'shawl', price: 20, quantity: 1 }];

/** Somebody fills a cart, comes back when that was announced, and orders when it was announced again. */
const DEEDS = [cart(1_000), told(touch(3_500)), told(order(10_000))];
const HEARD = [
  announced(0, 1_000, 2_100),
  cancelled(0, 3_500, 3_600, 'resumed'),
  announced(1, 3_500, 8_600),
  cancelled(1, 10_000, 10_100, 'ordered'),
  recovered(1, 10_000, 10_100),
];

describe('the judge of what is on the bus', () => {
  test('has nothing against what is so', () => {
    const { wrong, missing, silences, overtaken } = judged(DEEDS, HEARD);
    expect({ wrong, missing, overtaken }).toEqual({ wrong: [], missing: [], overtaken: 0 });
    expect(silences).toEqual({ due: 2, short: 0, either: 0 });
  });

  test('takes an announcement for right or not called for where the user came back about then', () => {
    const deeds = [cart(1_000), touch(2_050), order(2_900)];
    const heard = [
      announced(0, 1_000, 2_040),
      cancelled(0, 2_900, 2_950, 'ordered'),
      recovered(0, 2_900, 2_950),
    ];
    for (const events of [heard, []]) {
      expect(judged(deeds, events)).toMatchObject({ wrong: [], missing: [] });
      expect(judged(deeds, events).silences).toEqual({ due: 0, short: 0, either: 2 });
    }
  });

  test('counts a stage that was overtaken', () => {
    const { wrong, overtaken } = judged([cart(1_000)], [announced(1, 1_000, 6_100)]);
    expect({ wrong, overtaken }).toEqual({ wrong: [], overtaken: 1 });
  });

  test('misses what was due', () => {
    const order = (stage: number): string =>
      `ann: the order of a cart that was announced up to stage ${stage} is not told`;
    expect(judged(DEEDS, HEARD.slice(0, 4)).missing).toEqual([order(1)]);
    expect(judged(DEEDS, HEARD.slice(0, 3)).missing).toEqual([
      'ann: stage 1 was not taken back',
      order(1),
    ]);
    expect(judged(DEEDS, HEARD.slice(0, 1)).missing).toEqual([
      'ann: stage 0 was not taken back',
      order(0),
    ]);
    const missed = (...events: AnyEvent[]): string[] => judged([cart(1_000)], events).missing;
    expect(missed()).toHaveLength(1);
    expect(missed(announced(0, 1_000, 2_100))).toHaveLength(1);
    expect(missed(announced(0, 1_000, 2_100), announced(1, 1_000, 6_100))).toEqual([]);
  });

  test.each([
    ['too early', [announced(0, 1_000, 1_999)], 'it was not due yet'],
    ['too late', [announced(0, 1_000, 6_000)], 'it was due no longer'],
    ['after the user came back', [announced(0, 1_000, 3_800)], 'the user had touched before that'],
    ['for a silence that never was', [announced(0, 1_001, 2_100)], 'nobody did anything then'],
    ['after the order', [...HEARD, announced(0, 10_000, 11_100)], 'the cart was empty'],
    ['with another cart', [announced(0, 1_000, 2_100, { cart: [] })], 'the cart was another'],
    ['again', [...HEARD.slice(0, 2), announced(0, 3_500, 4_600)], 'the stage came before'],
    ['without a cancellation', [HEARD[0]!, HEARD[2]!], 'the one before was not taken back'],
    [
      'in another episode',
      [...HEARD.slice(0, 2), announced(1, 3_500, 8_600, { episode: 2_000 })],
      'the episode is another',
    ],
  ])('objects to an announcement %s', (_how, events, why) => {
    expect(judged(DEEDS, events).wrong.join()).toContain(why);
  });

  test.each([
    ['of nothing', HEARD.slice(1), 'that is not what was announced last'],
    ['twice', [...HEARD.slice(0, 2), HEARD[1]!], 'that is not what was announced last'],
    ['without a cause', [HEARD[0]!, cancelled(0, 1_000, 2_200, 'resumed')], 'nothing of that sort'],
    ['for another reason', [HEARD[0]!, cancelled(0, 3_500, 3_600, 'ordered')], 'had resumed'],
  ] as const)('objects to a cancellation %s', (_how, events, why) => {
    expect(judged(DEEDS, events).wrong.join()).toContain(why);
  });

  test.each([
    ['that nobody placed', [...HEARD.slice(0, 4), recovered(1, 9_000, 10_100)], 'ordered then'],
    ['that was told', [...HEARD, recovered(1, 10_000, 10_200)], 'said before'],
    ['of a cart that was not announced', [recovered(1, 10_000, 10_100)], 'was announced'],
    [
      'that nobody asked for',
      [...HEARD.slice(0, 4), recovered(1, 10_000, 10_100, 'direct')],
      'message',
    ],
  ] as const)('objects to an order %s', (_what, events, why) => {
    expect(judged(DEEDS, events).wrong.join()).toContain(why);
  });

  test('knows another cart by its episode', () => {
    const deeds = [cart(1_000), cart(1_500, []), cart(2_000)];
    expect(judged(deeds, [announced(0, 2_000, 3_100, { episode: 2_000 })]).wrong).toEqual([]);
    expect(judged(deeds, [announced(0, 2_000, 3_100)]).wrong.join()).toContain('did not open then');
  });
});

function judged(deeds: readonly Deed[], events: readonly AnyEvent[]): Judgement {
  return judge({ user: 'ann', foreign: false, deeds }, events, TERMS);
}

function deed(did: Deed['did'], at: number, items: Cart): Deed {
  return { did, at, knownAt: at + 2, cart: items, told: false };
}

function cart(at: number, items = SHAWL): Deed {
  return deed('changed the cart', at, items);
}

function touch(at: number): Deed {
  return deed('touched', at, SHAWL);
}

function order(at: number): Deed {
  return deed('ordered', at, []);
}

function told(one: Deed): Deed {
  return { ...one, told: true };
}

function announced(
  stage: number,
  activityAt: number,
  at: number,
  { cart: items = SHAWL, episode = 1_000 }: { cart?: Cart; episode?: number } = {},
): AnyEvent {
  const data = {
    episode: isoInstant(episode),
    stage,
    last_activity: isoInstant(activityAt),
    cart: { items },
    valid_until: isoInstant(activityAt + (stage === 0 ? 5_000 : 65_000)),
  };
  return { type: 'cart.abandoned', id: `a${stage}`, time: isoInstant(at), data } as AnyEvent;
}

function recovered(
  stage: number,
  orderedAt: number,
  at: number,
  owedTo: RecoveryClass = 'organic',
): AnyEvent {
  const data = {
    episode: isoInstant(1_000),
    stage,
    class: owedTo,
    ordered_at: isoInstant(orderedAt),
  };
  return { type: 'cart.recovered', id: `r${stage}`, time: isoInstant(at), data } as AnyEvent;
}

function cancelled(
  stage: number,
  activityAt: number,
  at: number,
  reason: RescueCancelledData['reason'],
): AnyEvent {
  const data = {
    episode: isoInstant(1_000),
    stage,
    reason,
    last_activity: isoInstant(activityAt),
    announcement_id: `a${stage}`,
  };
  return { type: 'cart.rescue_cancelled', id: `c${stage}`, time: isoInstant(at), data } as AnyEvent;
}
