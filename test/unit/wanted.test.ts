import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Wanted, areStillWanted, doStillHold } from '../../src/abandonment/wanted.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import type { RekindleEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { LookWorld } from '../support/look-world.ts';
import type { LedgerStore } from '../../src/ports/ledger.ts';
import { memoryHot } from '../support/memory-hot.ts';
import { SHIRT, SHOES } from '../support/watched-user.ts';

const USER = 'ann';

type Announcement = RekindleEvent<'cart.abandoned'>;

function newWorld(): LookWorld {
  return new LookWorld(memoryHot(() => world.now));
}

let world: LookWorld;
beforeEach(() => {
  world = newWorld();
});

function latest(): Announcement | undefined {
  return world.bus.heard.findLast((event) => event.type === 'cart.abandoned');
}

/** How often the short question was answered without reading. */
let shortAnswers = 0;

/** Asks both questions: they have one answer. */
const ask = async (event: Announcement): Promise<Wanted> => {
  const { ledgers } = world.hot;
  const { clock, settings } = world;
  const { data } = event;
  const [answer] = await areStillWanted([{ ref: USER, data }], { ledgers, clock }, settings);
  let reads = 0;
  const watched: Pick<LedgerStore, 'read' | 'unchanged'> = {
    unchanged: (announced) => ledgers.unchanged(announced),
    read: (...asked) => {
      reads += 1;
      return ledgers.read(...asked);
    },
  };
  const [short] = await doStillHold([{ ref: USER, event }], { ledgers: watched, clock }, settings);
  expect(answer).toMatchObject(short!);
  expect(short!.wanted).toBe(answer!.wanted);
  if (reads === 0) shortAnswers += 1;
  return answer!;
};

const CONTACT = {
  allowed: 'unknown',
  basis: 'none',
  not_before: null,
  service_window_expires_at: null,
} as const;
const WANTED: Wanted = { wanted: true, contact: CONTACT };

const foreign = (fields: Record<string, string>): Promise<unknown> =>
  world.hot.raw.hset(world.hot.keys.session(USER), fields);

describe('what was announced', () => {
  let announced: Announcement;
  beforeEach(async () => {
    await world.library.updateCart(USER, [SHIRT]);
    await world.runFor(HOUR_MS);
    announced = latest()!;
  });

  test('holds while nothing happens, until it says that it is over', async () => {
    expect(await ask(announced)).toEqual(WANTED);
    world.outage(19 * HOUR_MS - 1);
    expect(await ask(announced)).toEqual(WANTED);
    world.outage(1);
    expect(await ask(announced)).toEqual({ wanted: false, reason: 'expired' });
  });

  test.each<[string, string, () => Promise<unknown>]>([
    ['the user came back', 'resumed', () => world.library.recordActivity(USER)],
    [
      'the user came back, and no notification told of it',
      'resumed',
      () => foreign({ last_activity: formatInstant(world.now) }),
    ],
    ['the user ordered', 'ordered', () => world.library.placeOrder(USER)],
    [
      'another program noted an order',
      'ordered',
      () => foreign({ last_order_at: formatInstant(world.now) }),
    ],
    ['the cart was emptied', 'emptied', () => world.library.updateCart(USER, [])],
    ['the user opted out', 'opted_out', () => world.library.optOut(USER)],
    ['the consent was taken back', 'opted_out', () => foreign({ consent: '{"status":"no"}' })],
    ['the session was ended', 'ended', () => world.library.endSession(USER)],
    ['the session vanished', 'ended', () => world.hot.raw.del(world.hot.keys.session(USER))],
    [
      'nothing is known of the user any more',
      'unknown',
      () => world.hot.raw.del(world.hot.keys.session(USER), world.hot.keys.ledger(USER)),
    ],
    ['the cart is spoilt', 'unknown', () => foreign({ cart: '{' })],
  ])('does not when %s, before any look and after it: %s', async (_what, reason, happen) => {
    world.outage(1);
    await happen();
    expect(await ask(announced)).toEqual({ wanted: false, reason });
    await world.reconcile();
    await world.runFor(0);
    expect(await ask(announced)).toEqual({ wanted: false, reason });
  });

  test('is overtaken by the announcement of another cart', async () => {
    world.outage(1);
    await world.library.placeOrder(USER, { cart: [] });
    await world.runFor(1);
    await world.library.updateCart(USER, [SHOES]);
    await world.runFor(HOUR_MS);
    expect(latest()).not.toEqual(announced);
    expect(await ask(latest()!)).toEqual(WANTED);
    expect(await ask(announced)).toEqual({ wanted: false, reason: 'overtaken' });
  });
});

const span = fc.oneof(
  fc.constantFrom(1, 30 * MINUTE_MS, HOUR_MS, 20 * HOUR_MS, 72 * HOUR_MS, 8 * DAY_MS),
  fc.integer({ min: 1, max: 2 * DAY_MS }),
);

const deed = fc.constantFrom<() => Promise<unknown>>(
  () => world.library.recordActivity(USER),
  () => world.library.updateCart(USER, [SHIRT]),
  () => world.library.updateCart(USER, [SHIRT, SHOES]),
  () => world.library.updateCart(USER, []),
  () => world.library.placeOrder(USER),
  () => world.library.endSession(USER),
  () => foreign({ last_activity: formatInstant(world.now) }),
  () => foreign({ cart: JSON.stringify([SHOES]), last_activity: formatInstant(world.now) }),
  () => foreign({ last_order_at: formatInstant(world.now), cart: '[]' }),
  () => world.hot.raw.del(world.hot.keys.session(USER)),
);

const step = fc.oneof(fc.record({ deed }), fc.record({ wait: span, looked: fc.boolean() }));

test('it holds exactly where a look would neither take it back nor announce anything else', async () => {
  let held = 0;
  let over = 0;
  shortAnswers = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
      world = newWorld();
      for (const one of steps) {
        if ('deed' in one) await one.deed().catch(() => undefined);
        else if (one.looked) await world.runFor(one.wait);
        else world.outage(one.wait);
        world.outage(1);
        const announced = latest();
        if (!announced) continue;
        const answer = await ask(announced);
        const { wanted } = answer;
        await world.reconcile();
        await world.runFor(0);
        const cancelled = world.bus.heard.some(
          ({ type, data }) =>
            type === 'cart.rescue_cancelled' && data.announcement_id === announced.id,
        );
        // A look says nothing of what it cannot understand; nobody should act on it either.
        if (!wanted && answer.reason === 'unknown') continue;
        const past = world.now >= Date.parse(announced.data.valid_until);
        expect(wanted).toBe(!cancelled && !past && latest() === announced);
        if (wanted) held += 1;
        else over += 1;
      }
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(held, over)).toBeGreaterThan(500);
  expect(shortAnswers).toBeGreaterThan(held / 2);
}, 60_000);
