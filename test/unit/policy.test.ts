import { describe, expect, test } from 'vitest';
import type { EventDraft } from '../../src/abandonment/decision.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { POLICY, SHIRT, SHOES, WatchedUser } from '../support/watched-user.ts';

/** The activity from which every silence begins. */
const T = 1_800_000_000_000;

/** The thresholds, as instants after T. */
const [S0, S1, S2] = POLICY.stagesMs.map((threshold) => T + threshold) as [number, number, number];
const COOLED_DOWN = S2 + POLICY.cooldownMs;

/** Somebody put a shirt into the cart at T, and a look saw it. */
function shopper(): WatchedUser {
  const user = new WatchedUser().acts(T, SHIRT);
  expect(user.look(T)).toEqual([]);
  return user;
}

describe('a silence', () => {
  test('is announced at each threshold, once', () => {
    const user = shopper();
    expect(user.nextAt).toBe(S0);
    expect(user.look(S0 - 1)).toEqual([]);
    expect(user.look(S0)).toEqual(['announced 0']);
    expect(user.look(S0)).toEqual([]);
    expect(user.nextAt).toBe(S1);
    expect(user.look(S1)).toEqual(['announced 1']);
    expect(user.nextAt).toBe(S2);
    expect(user.look(S2)).toEqual(['announced 2']);
    expect(user.nextAt).toBe(COOLED_DOWN);
    expect(user.look(COOLED_DOWN - 1)).toEqual([]);
    expect(user.look(COOLED_DOWN)).toEqual([]);
    expect(user.ledger?.closed).toEqual({ at: COOLED_DOWN, why: 'cooled_down' });
    expect(user.nextAt).toBeUndefined();
  });

  test('is no silence while the user is active', () => {
    const user = shopper();
    for (let at = T; at < T + DAY_MS; at += 20 * MINUTE_MS) {
      expect(user.acts(at, SHIRT).look(at + 29 * MINUTE_MS)).toEqual([]);
    }
  });

  test('with a cart that a voucher makes worth less than nothing is announced where no minimum is set', () => {
    const cart = [
      { product_id: 'shirt', price: 10 },
      { product_id: 'voucher', price: -20 },
    ];
    const user = new WatchedUser().acts(T, ...cart);
    user.look(T);
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('with an empty cart is never announced, and leaves no ledger', () => {
    const user = new WatchedUser().acts(T);
    for (const at of [T, S0, S1, S2, COOLED_DOWN]) expect(user.look(at)).toEqual([]);
    expect(user.ledger).toBeUndefined();
  });

  test('tells of its stage, its basis and how long it holds', () => {
    const user = shopper();
    user.look(S0);
    expect(user.last?.events).toMatchObject([
      { episode: T, stage: 0, activityAt: T, validUntil: S1 },
    ]);
    user.look(S1);
    expect(user.last?.events).toMatchObject([
      { episode: T, stage: 1, activityAt: T, validUntil: S2 },
    ]);
    user.look(S2);
    expect(user.last?.events).toMatchObject([
      { episode: T, stage: 2, activityAt: T, validUntil: COOLED_DOWN },
    ]);
  });

  test('is announced under a sequence that grows', () => {
    const user = shopper();
    const sequences: number[] = [];
    for (const at of [S0, S1, S2]) {
      user.look(at);
      sequences.push(...(user.last?.events ?? []).map(({ sequence }) => sequence));
    }
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    expect(new Set(sequences).size).toBe(3);
  });

  test('has one stage where there is one threshold', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    user.settings = { ...POLICY, stagesMs: [HOUR_MS] };
    expect(user.look(T + HOUR_MS)).toEqual(['announced 0']);
    expect(user.nextAt).toBe(T + HOUR_MS + POLICY.cooldownMs);
    expect(user.look(T + HOUR_MS + POLICY.cooldownMs)).toEqual([]);
    expect(user.ledger?.episode).toBeUndefined();
  });
});

describe('after an outage', () => {
  test('only the latest stage that is due and valid is announced; passed ones are skipped', () => {
    const user = shopper();
    expect(user.look(S1 + HOUR_MS)).toEqual(['announced 1']);
    expect(user.ledger?.episode?.stages).toEqual([
      { n: 0, at: S0, as: 's' },
      { n: 1, at: S1, as: 'a' },
    ]);
    expect(user.look(S2)).toEqual(['announced 2']);
  });

  test('a stage holds until the next one’s threshold', () => {
    expect(shopper().look(S1 - 1)).toEqual(['announced 0']);
    expect(shopper().look(S1)).toEqual(['announced 1']);
    expect(shopper().look(COOLED_DOWN - 1)).toEqual(['announced 2']);
  });

  test('longer than the cool-down nothing is announced', () => {
    const user = shopper();
    expect(user.look(COOLED_DOWN)).toEqual([]);
    expect(user.ledger?.closed?.why).toBe('cooled_down');
    expect(user.look(COOLED_DOWN + DAY_MS)).toEqual([]);
  });

  test('validity and identity are those of a look that came in time', () => {
    const late = shopper();
    late.look(S1 + 5 * HOUR_MS);
    const inTime = shopper();
    inTime.look(S1);
    const known = (events: readonly EventDraft[] | undefined): unknown =>
      events?.map((event) => ({ ...event, sequence: 0 }));
    expect(known(late.last?.events)).toEqual(known(inTime.last?.events));
  });

  test('an announcement that was taken back meanwhile is cancelled, then the next stage judged', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0 + HOUR_MS, SHIRT);
    expect(user.look(S0 + HOUR_MS + 20 * HOUR_MS)).toEqual(['cancelled 0: resumed', 'announced 1']);
  });
});

describe('at a first start', () => {
  test('a cart that was quiet before is announced at its latest stage', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    expect(user.look(S1 + HOUR_MS)).toEqual(['announced 1']);
    expect(user.last?.events[0]?.episode).toBe(T);
  });

  test('a cart quiet for longer than the cool-down is not, nor ever is without an addition', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    expect(user.look(COOLED_DOWN)).toEqual([]);
    user.acts(COOLED_DOWN + HOUR_MS, SHIRT);
    expect(user.look(COOLED_DOWN + DAY_MS)).toEqual([]);
    user.acts(COOLED_DOWN + 2 * DAY_MS, SHIRT, SHOES);
    expect(user.look(COOLED_DOWN + 2 * DAY_MS + HOUR_MS)).toEqual(['announced 0']);
  });

  test('a cart beside an order counts as left behind by it', () => {
    const user = new WatchedUser()
      .acts(T, SHIRT)
      .set({ last_order_at: formatInstant(T - HOUR_MS) });
    expect(user.look(S0)).toEqual([]);
    user.acts(S0, SHIRT, SHOES);
    expect(user.look(S0 + 30 * MINUTE_MS)).toEqual(['announced 0']);
  });

  test('a cart that the library saw added to after an order is no left-behind one', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.set({ last_order_at: formatInstant(T - HOUR_MS) });
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('an order from the far future covers what is in the cart, and nothing that comes later', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.set({ last_order_at: '253402300799' });
    for (const at of [S0, S1]) expect(user.look(at)).toEqual([]);
    user.actsThroughLibrary(S1 + 1, T, S1 + 1, SHIRT, SHOES);
    expect(user.look(S1 + 1)).toEqual([]);
    expect(user.look(S1 + 1 + S0 - T)).toEqual(['announced 0']);
  });

  test('an episode is never named by an instant that no event can hold', () => {
    const user = new WatchedUser().actsThroughLibrary(T, 999_999_999_999_999, T, SHIRT);
    user.look(T);
    expect(user.ledger?.lastEpisode).toBe(T);
  });
});

describe('the return of a user', () => {
  test('cancels the announcement once', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0 + 1, SHIRT);
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: resumed']);
    expect(user.look(S0 + 1)).toEqual([]);
    user.acts(S0 + MINUTE_MS, SHIRT);
    expect(user.look(S0 + MINUTE_MS)).toEqual([]);
  });

  test('says which announcement it takes back', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0 + 1, SHIRT).look(S0 + 5);
    expect(user.last?.events).toMatchObject([{ episode: T, stage: 0, activityAt: S0 + 1 }]);
  });

  test('at the very instant of a threshold comes after the announcement', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0, SHIRT);
    expect(user.look(S0)).toEqual(['cancelled 0: resumed']);
  });

  test('makes the next silence go on with the next stage, at that stage’s threshold', () => {
    const user = shopper();
    user.look(S0);
    const back = S0 + HOUR_MS;
    user.acts(back, SHIRT).look(back);
    expect(user.nextAt).toBe(back + 30 * MINUTE_MS);
    expect(user.look(back + 30 * MINUTE_MS)).toEqual([]);
    expect(user.nextAt).toBe(back + 20 * HOUR_MS);
    expect(user.look(back + 20 * HOUR_MS)).toEqual(['announced 1']);
    const again = back + 21 * HOUR_MS;
    expect(user.acts(again, SHIRT).look(again)).toEqual(['cancelled 1: resumed']);
    expect(user.look(again + 20 * HOUR_MS)).toEqual([]);
    expect(user.look(again + 72 * HOUR_MS)).toEqual(['announced 2']);
  });

  test('after the last stage opens nothing until the cool-down is over and something is added', () => {
    const user = shopper();
    user.look(S2);
    expect(user.acts(S2 + 1, SHIRT, SHOES).look(S2 + 1)).toEqual(['cancelled 2: resumed']);
    expect(user.look(S2 + 73 * HOUR_MS)).toEqual([]);
    user.acts(COOLED_DOWN, SHIRT, SHOES).look(COOLED_DOWN);
    expect(user.look(COOLED_DOWN + DAY_MS)).toEqual([]);
    user.acts(COOLED_DOWN + 2 * DAY_MS, SHIRT, SHOES, SHOES).look(COOLED_DOWN + 2 * DAY_MS);
    expect(user.look(COOLED_DOWN + 3 * DAY_MS)).toEqual(['announced 1']);
  });

  test('after the cool-down cancels nothing', () => {
    const user = shopper();
    user.look(S2);
    user.acts(COOLED_DOWN, SHIRT);
    expect(user.look(COOLED_DOWN + 5)).toEqual([]);
    expect(user.ledger?.closed?.why).toBe('cooled_down');
  });

  test('before the cool-down that is seen after it is still told', () => {
    const user = shopper();
    user.look(S2);
    user.acts(COOLED_DOWN - 1, SHIRT);
    expect(user.look(COOLED_DOWN + DAY_MS)).toEqual(['cancelled 2: resumed']);
    expect(user.ledger?.episode).toBeUndefined();
  });
});

describe('an order', () => {
  test('closes the episode and cancels what was announced, once', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0 + 1).set({ last_order_at: formatInstant(S0 + 1) });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: ordered', 'recovered 0']);
    expect(user.look(S0 + 1)).toEqual([]);
    expect(user.look(S2)).toEqual([]);
  });

  test('before any announcement cancels nothing and is never announced', () => {
    const user = shopper();
    user.acts(T + 1).set({ last_order_at: formatInstant(T + 1) });
    for (const at of [T + 1, S0 + 1, S1, S2]) expect(user.look(at)).toEqual([]);
  });

  test('with something left behind opens no episode by itself', () => {
    const user = new WatchedUser().acts(T, SHIRT, SHOES);
    user.look(T);
    user.acts(T + 1, SHIRT).set({ last_order_at: formatInstant(T + 1) });
    for (const at of [T + 1, S0 + 1, S1]) expect(user.look(at)).toEqual([]);
    user.acts(S1 + 1, SHIRT).look(S1 + 1);
    expect(user.look(S1 + DAY_MS)).toEqual([]);
  });

  test('is followed by a new episode once something is added', () => {
    const user = new WatchedUser().acts(T, SHIRT, SHOES);
    user.look(T);
    user.acts(T + 1, SHIRT).set({ last_order_at: formatInstant(T + 1) });
    user.look(T + 1);
    user.acts(T + 2, SHIRT, SHOES).look(T + 2);
    expect(user.look(T + 2 + 30 * MINUTE_MS)).toEqual(['announced 0']);
    expect(user.last?.events[0]?.episode).toBe(T + 2);
  });

  test('that another program notes in a session of ours ends its cart’s life too', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT, SHOES);
    user.look(S0);
    user.set({ last_order_at: formatInstant(S0 + 1) });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: ordered', 'recovered 0']);
    expect(user.look(S1)).toEqual([]);
  });

  test('that is seen at the first look covers what was added before it, at every later look too', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.set({ last_order_at: formatInstant(T + 1_000) });
    expect(user.look(T + 2_000)).toEqual([]);
    for (const at of [S0, S1, S2]) expect(user.look(at)).toEqual([]);
  });

  test('that is noted in whole seconds covers what was added in that second', () => {
    const user = new WatchedUser().actsThroughLibrary(T + 500, T - HOUR_MS, T + 500, SHIRT);
    user.set({ last_order_at: String(T / 1_000) });
    for (const at of [T + 2_000, S0 + 500, S1 + 500]) expect(user.look(at)).toEqual([]);
  });

  test('of the library is followed by a new episode though both fall into one millisecond', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.set({ last_order_at: formatInstant(T) });
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('that another program notes takes nothing from an addition after it, however late both are seen', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.look(S0);
    user.set({ last_order_at: formatInstant(S0 + 1) });
    user.actsThroughLibrary(S0 + 2, T, S0 + 2, SHIRT, SHOES);
    expect(user.look(S0 + 3)).toEqual(['cancelled 0: ordered', 'recovered 0']);
    expect(user.look(S0 + 2 + 30 * MINUTE_MS)).toEqual(['announced 0']);
  });
});

describe('a cart', () => {
  test('that is emptied closes the episode', () => {
    const user = shopper();
    user.look(S0);
    expect(user.acts(S0 + 1).look(S0 + 1)).toEqual(['cancelled 0: emptied']);
    expect(user.look(S1)).toEqual([]);
  });

  test('that loses an item stays in its episode', () => {
    const user = new WatchedUser().acts(T, SHIRT, SHOES);
    user.look(S0);
    expect(user.acts(S0 + 1, SHIRT).look(S0 + 1)).toEqual(['cancelled 0: resumed']);
    expect(user.look(S0 + 1 + 20 * HOUR_MS)).toEqual(['announced 1']);
  });

  test('that is filled again after it was seen empty opens a new episode with stage 0', () => {
    const user = shopper();
    user.look(S0);
    user.acts(S0 + 1).look(S0 + 1);
    user.acts(S0 + 2, SHIRT).look(S0 + 2);
    expect(user.look(S0 + 2 + 30 * MINUTE_MS)).toEqual(['announced 0']);
    expect(user.last?.events[0]?.episode).toBe(S0 + 2);
  });

  test('that was emptied and filled again between two looks is a new one, by the library’s notes', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.look(S0);
    user.actsThroughLibrary(S0 + 9, S0 + 9, S0 + 9, SHIRT);
    expect(user.look(S0 + 10)).toEqual(['cancelled 0: emptied']);
    expect(user.look(S0 + 9 + 30 * MINUTE_MS)).toEqual(['announced 0']);
    expect(user.last?.events[0]?.episode).toBe(S0 + 9);
  });

  test('that another program emptied and the library filled with the same again is announced', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.look(S0);
    user.set({ cart: '[]', last_activity: formatInstant(S0 + 1) });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: emptied']);
    // The library compares with what it wrote last, so it sees no addition.
    user.actsThroughLibrary(S0 + 2, T, T, SHIRT);
    user.look(S0 + 2);
    expect(user.look(S0 + 2 + 30 * MINUTE_MS)).toEqual(['announced 0']);
  });

  test('below the least value is not announced until it is worth it', () => {
    const user = shopper();
    user.settings = { ...POLICY, minCartValue: 50 };
    expect(user.look(S0)).toEqual([]);
    expect(user.nextAt).toBe(S1);
    user.acts(S0 + 1, SHIRT, SHOES).look(S0 + 1);
    expect(user.look(S0 + 1 + 30 * MINUTE_MS)).toEqual(['announced 0']);
  });

  test('of the least value is announced', () => {
    const user = shopper();
    user.settings = { ...POLICY, minCartValue: 20 };
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('below the least value for all its stages is let go in the end', () => {
    const user = shopper();
    user.settings = { ...POLICY, minCartValue: 50 };
    for (let at = S0, looks = 0; looks < 5; looks += 1) {
      expect(user.look(at)).toEqual([]);
      if (user.nextAt === undefined) break;
      expect(user.nextAt).toBeGreaterThan(at);
      at = user.nextAt;
    }
    expect(user.nextAt).toBeUndefined();
    expect(user.ledger?.episode).toBeUndefined();
  });

  test('put there by an assistant is announced only after the user did something', () => {
    const user = new WatchedUser({
      cart: JSON.stringify([SHIRT]),
      rekindle: `${T};0;${T};${T};x`,
    });
    expect(user.look(T)).toEqual([]);
    expect(user.look(S2)).toEqual([]);
  });
});

describe('an opt-out', () => {
  test('closes the episode and cancels what was announced', () => {
    const user = shopper();
    user.look(S0);
    user.optedOutAt = S0 + 1;
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: opted_out']);
    expect(user.look(S1)).toEqual([]);
    user.acts(S1, SHIRT, SHOES).look(S1);
    expect(user.look(S1 + HOUR_MS)).toEqual([]);
  });

  test('may be written into the session as a consent of "no"', () => {
    const user = shopper();
    user.look(S0);
    user.set({ consent: '{"status":"no"}' });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: opted_out']);
  });

  test.each([
    ['a consent without a time', '{"status":"yes"}', []],
    ['an earlier consent', `{"status":"yes","at":${T / 1_000 - 100}}`, []],
    ['nothing asked since', '{"status":"unknown"}', []],
    ['a later consent, in seconds', `{"status":"yes","at":${T / 1_000 + 100}}`, ['announced 0']],
    ['a later consent, as a date', `{"status":"yes","at":"2027-01-15T09:00:00Z"}`, ['announced 0']],
    ['a consent from the far future', '{"status":"yes","at":253402300799}', []],
  ])('with %s', (_what, consent, expected) => {
    const user = new WatchedUser();
    user.optedOutAt = T;
    user.acts(T + HOUR_MS, SHIRT).set({ consent });
    expect(user.look(T + 2 * HOUR_MS)).toEqual(expected);
  });

  test('that is taken back lets the next addition open an episode', () => {
    const user = shopper();
    user.optedOutAt = T + 1;
    user.look(T + 1);
    user.set({ consent: `{"status":"yes","at":${T + 2}}` }).acts(T + 2, SHIRT);
    user.look(T + 2);
    expect(user.look(S0 + 2)).toEqual([]);
    user.acts(S0 + 3, SHIRT, SHOES).look(S0 + 3);
    expect(user.look(S0 + 3 + 30 * MINUTE_MS)).toEqual(['announced 0']);
  });
});

describe('a session that is gone', () => {
  test('before its expiry ended', () => {
    const user = shopper();
    user.expiresAt = T + 30 * DAY_MS;
    user.look(S0);
    expect(user.vanish().look(S0 + 1)).toEqual(['cancelled 0: ended']);
    expect(user.look(S1)).toEqual([]);
  });

  test('though it had no expiry ended', () => {
    const user = shopper();
    user.look(S0);
    expect(user.vanish().look(S0 + 1)).toEqual(['cancelled 0: ended']);
  });

  test('at its expiry goes on to its later stages, with the cart as it was', () => {
    const user = shopper();
    user.expiresAt = S0 + HOUR_MS;
    expect(user.look(S0)).toEqual(['announced 0']);
    user.vanish();
    expect(user.look(S0 + HOUR_MS)).toEqual([]);
    expect(user.nextAt).toBe(S1);
    expect(user.look(S1)).toEqual(['announced 1']);
    expect(user.last?.events).toMatchObject([{ activityAt: T, facts: { cart: [SHIRT] } }]);
    expect(user.look(S2)).toEqual(['announced 2']);
    expect(user.look(COOLED_DOWN)).toEqual([]);
    expect(user.ledger?.closed?.why).toBe('cooled_down');
    expect(user.ledger?.snapshot).toBeUndefined();
  });

  test('before its first stage is announced all the same', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    user.expiresAt = T + 10 * MINUTE_MS;
    user.look(T);
    user.vanish();
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('and comes back with its cart cancels and goes on', () => {
    const user = shopper();
    user.expiresAt = S0 + HOUR_MS;
    user.look(S0);
    user.vanish().look(S0 + 2 * HOUR_MS);
    user.acts(S0 + 3 * HOUR_MS, SHIRT);
    expect(user.look(S0 + 3 * HOUR_MS)).toEqual(['cancelled 0: resumed']);
    expect(user.look(S0 + 23 * HOUR_MS)).toEqual(['announced 1']);
  });

  test('at its expiry, all stages announced, waits for the cool-down and cancels nothing', () => {
    const user = shopper();
    user.expiresAt = T + 8 * DAY_MS;
    for (const at of [S0, S1, S2]) user.look(at);
    expect(user.ledger?.snapshot).toBeUndefined();
    user.vanish();
    expect(user.look(T + 8 * DAY_MS)).toEqual([]);
    expect(user.nextAt).toBe(COOLED_DOWN);
    expect(user.look(COOLED_DOWN)).toEqual([]);
    expect(user.ledger?.closed).toEqual({ at: COOLED_DOWN, why: 'cooled_down' });
  });

  test('for longer than the cool-down is let go at once, with all that was kept of it', () => {
    const user = shopper();
    user.expiresAt = S0;
    user.look(T + 1);
    user.vanish().look(COOLED_DOWN + 1);
    expect(user.ledger).toMatchObject({ cart: '', closed: { why: 'cooled_down' } });
    expect(user.ledger?.snapshot).toBeUndefined();
  });

  test('with nothing left of its cart is never announced', () => {
    const user = shopper();
    user.expiresAt = T + 8 * DAY_MS;
    user.look(T + 1);
    user.vanish();
    expect(user.look(T + 9 * DAY_MS)).toEqual([]);
    expect(user.nextAt).toBeUndefined();
  });

  test('at an expiry that was brought forward meanwhile did not end', () => {
    const user = shopper();
    user.expiresAt = T + 10 * DAY_MS;
    user.look(T + 1);
    user.expiresAt = T + 10 * DAY_MS - 2 * HOUR_MS;
    for (const at of [S0, S1, S2]) user.look(at);
    user.vanish();
    expect(user.look(T + 10 * DAY_MS - 2 * HOUR_MS)).toEqual([]);
  });

  test('whose user opted out meanwhile is cancelled for that', () => {
    const user = shopper();
    user.expiresAt = S0 + HOUR_MS;
    user.look(S0);
    user.vanish();
    user.optedOutAt = S0 + 2 * HOUR_MS;
    expect(user.look(S0 + 2 * HOUR_MS)).toEqual(['cancelled 0: opted_out']);
  });

  test('and had no episode leaves nothing to look at', () => {
    const user = new WatchedUser().acts(T);
    user.look(T);
    user.vanish();
    expect(user.look(T + 1)).toEqual([]);
    expect(user.nextAt).toBeUndefined();
  });
});

describe('an ended session', () => {
  test('closes the episode, and its cart opens no other', () => {
    const user = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    user.look(S0);
    user.set({ rekindle: user.fields?.rekindle?.replace('1;0;', `1;${S0 + 1};`) ?? '' });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: ended']);
    expect(user.look(S1)).toEqual([]);
  });
});

describe('a last_activity in the future', () => {
  const future = formatInstant(T + HOUR_MS);

  test('within what clocks may be off counts as it stands', () => {
    const user = new WatchedUser().acts(T + 5 * MINUTE_MS, SHIRT);
    user.look(T);
    expect(user.nextAt).toBe(S0 + 5 * MINUTE_MS);
    expect(user.look(S0)).toEqual([]);
    expect(user.look(S0 + 5 * MINUTE_MS)).toEqual(['announced 0']);
  });

  test('further ahead counts as the instant at which it was first seen', () => {
    const user = new WatchedUser()
      .acts(T)
      .set({ last_activity: future, cart: JSON.stringify([SHIRT]) });
    user.look(T);
    expect(user.nextAt).toBe(S0);
    expect(user.look(S0)).toEqual(['announced 0']);
  });

  test('is no return of the user when its instant comes', () => {
    const user = new WatchedUser()
      .acts(T)
      .set({ last_activity: future, cart: JSON.stringify([SHIRT]) });
    user.look(T);
    user.look(S0);
    expect(user.look(T + HOUR_MS)).toEqual([]);
    expect(user.look(S1)).toEqual(['announced 1']);
  });

  test('that changes is a return', () => {
    const user = new WatchedUser()
      .acts(T)
      .set({ last_activity: future, cart: JSON.stringify([SHIRT]) });
    user.look(T);
    user.look(S0);
    user.set({ last_activity: formatInstant(T + 10 * DAY_MS) });
    expect(user.look(S0 + 1)).toEqual(['cancelled 0: resumed']);
  });
});

describe('a session of others with a TTL', () => {
  test('is copied well before it goes', () => {
    const user = new WatchedUser().acts(T);
    user.expiresAt = T + DAY_MS;
    user.look(T);
    expect(user.last?.demote).toBe(false);
    user.look(S0);
    expect(user.nextAt).toBe(T + DAY_MS - HOUR_MS);
    user.look(T + DAY_MS - HOUR_MS);
    expect(user.last?.demote).toBe(true);
    expect(user.nextAt).toBeUndefined();
  });

  test('a short one at half of it', () => {
    const user = new WatchedUser().acts(T);
    user.expiresAt = T + 10 * MINUTE_MS;
    user.look(T);
    expect(user.nextAt).toBe(T + 5 * MINUTE_MS);
    user.look(T + 5 * MINUTE_MS);
    expect(user.last?.demote).toBe(true);
  });

  test('is copied again by every look until it is given another', () => {
    const user = new WatchedUser().acts(T);
    user.expiresAt = T + 10 * MINUTE_MS;
    user.look(T);
    user.look(T + 5 * MINUTE_MS);
    user.acts(T + 6 * MINUTE_MS).look(T + 6 * MINUTE_MS);
    expect(user.last?.demote).toBe(true);
    user.expiresAt = T + HOUR_MS;
    user.look(T + 7 * MINUTE_MS);
    expect(user.last?.demote).toBe(false);
    expect(user.nextAt).toBeLessThan(T + HOUR_MS);
  });

  test('is copied though it is not understood', () => {
    const user = new WatchedUser({ last_activity: 'yesterday' });
    user.expiresAt = T + 10 * MINUTE_MS;
    user.look(T);
    expect(user.nextAt).toBe(T + 5 * MINUTE_MS);
    user.look(T + 5 * MINUTE_MS);
    expect(user.last).toMatchObject({ demote: true, problem: { reason: 'last_activity_invalid' } });
  });

  test('is copied though somebody wrote into the library’s own field', () => {
    const user = new WatchedUser().acts(T).set({ rekindle: 'hello' });
    user.expiresAt = T + 10 * MINUTE_MS;
    user.look(T + 5 * MINUTE_MS);
    user.look(T + 8 * MINUTE_MS);
    expect(user.last?.demote).toBe(true);
  });

  test('is not copied when it is ours, or has none', () => {
    const ours = new WatchedUser().actsThroughLibrary(T, T, T, SHIRT);
    ours.expiresAt = T + MINUTE_MS;
    ours.look(T + 50 * SECOND_MS);
    expect(ours.last?.demote).toBe(false);
    const forEver = new WatchedUser().acts(T, SHIRT);
    forEver.look(T);
    expect(forEver.last?.demote).toBe(false);
  });
});

describe('the quarantine', () => {
  test.each([
    ['last_activity_missing', { cart: '[]' }],
    ['last_activity_missing', { last_activity: '' }],
    ['last_activity_invalid', { last_activity: 'yesterday' }],
    ['last_activity_invalid', { last_activity: '-5' }],
    ['last_activity_invalid', { last_activity: '0' }],
    ['last_activity_invalid', { last_activity: 'NaN' }],
    ['last_activity_invalid', { last_activity: '1e12' }],
    ['cart_not_json', { last_activity: '5', cart: '[{"product_id":' }],
    ['cart_not_array', { last_activity: '5', cart: '{"product_id":"x"}' }],
    ['cart_not_array', { last_activity: '5', cart: 'null' }],
    ['cart_item_invalid', { last_activity: '5', cart: '["x"]' }],
    ['cart_item_invalid', { last_activity: '5', cart: '[{"price":5}]' }],
    ['last_order_at_invalid', { last_activity: '5', last_order_at: 'yes' }],
    ['consent_invalid', { last_activity: '5', consent: '{"status":"maybe"}' }],
    ['consent_invalid', { last_activity: '5', consent: 'YES!' }],
  ])('is for %s: %j', (reason, fields) => {
    const user = new WatchedUser(fields);
    expect(user.look(T)).toEqual([]);
    expect(user.last?.problem?.reason).toBe(reason);
    expect(user.ledger?.problem?.reason).toBe(reason);
    expect(user.nextAt).toBeUndefined();
  });

  test('is news once, and again when what was read changed', () => {
    const user = new WatchedUser({ last_activity: 'yesterday' });
    user.look(T);
    user.look(T + 1);
    expect(user.last?.ledger).toBeUndefined();
    user.set({ last_activity: 'today' }).look(T + 2);
    expect(user.last?.ledger?.problem?.reason).toBe('last_activity_invalid');
  });

  test('is left when the session is understood again, and the episode goes on', () => {
    const user = shopper();
    user.look(S0);
    user.set({ cart: 'broken' }).look(S0 + 1);
    expect(user.last?.problem?.reason).toBe('cart_not_json');
    expect(user.look(S1)).toEqual([]);
    user.set({ cart: JSON.stringify([SHIRT]) });
    expect(user.look(S1 + 1)).toEqual(['announced 1']);
    expect(user.ledger?.problem).toBeUndefined();
  });

  test('does not forget what the user did there, for the time when the session is gone', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    user.expiresAt = T + 2 * HOUR_MS;
    user.look(T);
    user
      .acts(T + HOUR_MS)
      .set({ cart: 'broken' })
      .look(T + HOUR_MS);
    user.vanish();
    expect(user.look(T + 2 * HOUR_MS)).toEqual(['announced 0']);
    expect(user.look(S1)).toEqual([]);
    expect(user.look(S1 + HOUR_MS)).toEqual(['announced 1']);
  });

  test.each([
    ['an order', { last_order_at: String((T + HOUR_MS) / 1_000) }],
    ['an opt-out', { consent: '{"status":"no"}' }],
  ])(
    'does not tell of an earlier cart when %s came with what cannot be understood',
    (_what, fields) => {
      const user = new WatchedUser().acts(T, SHIRT);
      user.expiresAt = T + 2 * HOUR_MS;
      expect(user.look(S0)).toEqual(['announced 0']);
      user.set({ cart: 'broken', ...fields }).look(T + HOUR_MS);
      user.vanish();
      expect(user.look(T + 2 * HOUR_MS)).toEqual(['cancelled 0: ended']);
      expect(user.look(S1 + HOUR_MS)).toEqual([]);
    },
  );

  test('is left when the session is gone', () => {
    const user = new WatchedUser({ last_activity: 'yesterday' });
    user.look(T);
    user.vanish().look(T + 1);
    expect(user.ledger?.problem).toBeUndefined();
  });

  test('never overwrites a ledger that cannot be read', () => {
    const user = shopper();
    user.problem = { reason: 'ledger_unreadable', detail: '' };
    user.ledger = undefined;
    expect(user.look(S0)).toEqual([]);
    expect(user.last).toMatchObject({
      ledger: undefined,
      problem: { reason: 'ledger_unreadable' },
    });
  });

  test('does not name what it found, which may be what somebody said', () => {
    const user = new WatchedUser({ last_activity: 'call me at home' });
    user.look(T);
    expect(user.last?.problem?.detail).not.toContain('home');
  });
});

describe('the identity of an episode', () => {
  test('is never given again, whatever the clocks say', () => {
    const user = shopper();
    const episodes: (number | undefined)[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      user.acts(T, SHIRT).look(T);
      user.look(S0);
      episodes.push(user.last?.events[0]?.episode);
      user.acts(T).look(S0 + 1);
    }
    expect(episodes).toEqual([T, T + 1, T + 2]);
  });

  test('is the same though the ledger was lost, by the library’s notes', () => {
    const user = new WatchedUser().actsThroughLibrary(T + HOUR_MS, T, T, SHIRT);
    user.look(T + 2 * HOUR_MS);
    const first = user.last?.events[0]?.episode;
    user.ledger = undefined;
    user.look(T + 2 * HOUR_MS);
    expect(user.last?.events[0]?.episode).toBe(first);
  });
});

describe('with other settings than before', () => {
  test('an episode whose stages are all judged is let go in the end', () => {
    const user = shopper();
    user.look(S0);
    user.look(S1);
    user.settings = { ...POLICY, stagesMs: [30 * MINUTE_MS, 20 * HOUR_MS] };
    for (let at = S1 + 1, looks = 0; looks < 5; looks += 1) {
      expect(user.look(at)).toEqual([]);
      if (user.nextAt === undefined) break;
      expect(user.nextAt).toBeGreaterThan(at);
      at = user.nextAt;
    }
    expect(user.nextAt).toBeUndefined();
  });

  test('a further stage is announced', () => {
    const user = new WatchedUser().acts(T, SHIRT);
    user.settings = { ...POLICY, stagesMs: [30 * MINUTE_MS] };
    user.look(S0);
    user.settings = POLICY;
    expect(user.look(S1)).toEqual(['announced 1']);
  });
});
