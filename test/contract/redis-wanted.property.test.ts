import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areStillWanted, doStillHold } from '../../src/abandonment/wanted.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { LedgerStore } from '../../src/ports/ledger.ts';
import { LookWorld } from '../support/look-world.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { SHIRT, SHOES } from '../support/watched-user.ts';

const redis = testRedis();

const USER = 'zoë 🛒';

type Deed = (world: LookWorld) => Promise<unknown>;

const foreign =
  (fields: (now: number) => Record<string, string>): Deed =>
  (world) =>
    world.hot.raw.hset(world.hot.keys.session(USER), fields(world.now));

const CONSENTS = ['{"status":"yes","basis":"form"}', 'no', '', '{', '{"status":"unknown"}'];

/** What may happen to a user, and what of it changes whether an announcement holds. */
const DEEDS: readonly Deed[] = [
  ({ library }) => library.recordActivity(USER),
  ({ library }) => library.updateCart(USER, [SHIRT]),
  ({ library }) => library.updateCart(USER, [SHIRT, SHOES]),
  ({ library }) => library.updateCart(USER, [SHIRT], { by: 'assistant' }),
  ({ library }) => library.updateCart(USER, [], { by: 'assistant' }),
  ({ library, now }) => library.updateCart(USER, [SHIRT], { by: 'assistant', at: now - HOUR_MS }),
  // The same cart again, and no activity: another life.
  async ({ library }) => {
    await library.updateCart(USER, [], { by: 'assistant' });
    await library.updateCart(USER, [SHIRT], { by: 'assistant' });
  },
  ({ library }) => library.placeOrder(USER),
  ({ library }) => library.endSession(USER),
  ({ library }) => library.optOut(USER),
  ({ library }) => library.optOut(USER, 'whatsapp'),
  ({ library }) => library.recordActivity(USER, { channel: 'whatsapp', language: 'hi' }),
  ...CONSENTS.map((consent) => foreign(() => ({ consent }))),
  foreign((now) => ({ last_activity: formatInstant(now) })),
  foreign((now) => ({ last_activity: String(now) })),
  foreign((now) => ({ last_activity: formatInstant(now + HOUR_MS) })),
  foreign((now) => ({ cart: JSON.stringify([SHOES]), last_activity: formatInstant(now) })),
  foreign(() => ({ cart: JSON.stringify([SHIRT]) })),
  foreign(() => ({ cart: '[ ]' })),
  foreign(() => ({ cart: '{' })),
  foreign(() => ({ cart: JSON.stringify([{ ...SHIRT, note: 'x'.repeat(70_000) }]) })),
  foreign(() => ({ rekindle: 'spoilt' })),
  foreign((now) => ({ last_order_at: formatInstant(now) })),
  foreign(() => ({ last_order_at: '' })),
  ({ hot }) => hot.raw.del(hot.keys.session(USER)),
  ({ hot }) => hot.raw.del(hot.keys.ledger(USER)),
];

const span = fc.oneof(
  fc.constantFrom(1, 30 * MINUTE_MS, HOUR_MS, 20 * HOUR_MS, 72 * HOUR_MS),
  fc.integer({ min: 1, max: 2 * DAY_MS }),
);
const deed = fc.constantFrom(...DEEDS);
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ deed }) },
  { weight: 3, arbitrary: fc.record({ wait: span, looked: fc.boolean() }) },
);

test('of Redis both questions have one answer, whatever happened since an announcement', async () => {
  let short = 0;
  let long = 0;
  const reasons = new Set<string>();
  const client = redis.client();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 15 }), async (steps) => {
      await client.flushall();
      const world = new LookWorld(redisHot({ client: () => client }));
      await world.library.updateCart(USER, [SHIRT]);
      await world.runFor(HOUR_MS);
      for (const one of steps) {
        if ('deed' in one) await one.deed(world).catch(() => undefined);
        else if (one.looked) await world.runFor(one.wait);
        else world.outage(one.wait);
        const { clock, settings } = world;
        const { ledgers } = world.hot;
        const announced = world.bus.heard.filter((event) => event.type === 'cart.abandoned');
        const of = announced.map((event) => ({ ref: USER, event, data: event.data }));
        let read = 0;
        const watched: Pick<LedgerStore, 'read' | 'unchanged'> = {
          unchanged: (asked) => ledgers.unchanged(asked),
          read: (users, ...rest) => {
            read += users.length;
            return ledgers.read(users, ...rest);
          },
        };
        const answers = await areStillWanted(of, { ledgers, clock }, settings);
        const verdicts = await doStillHold(of, { ledgers: watched, clock }, settings);
        expect(verdicts.map(verdictOf)).toEqual(answers.map(verdictOf));
        for (const answer of answers) reasons.add(verdictOf(answer));
        short += of.length - read;
        long += read;
      }
    }),
    { numRuns: 200 },
  );
  expect(Math.min(short, long)).toBeGreaterThan(200);
  expect(reasons).toEqual(
    new Set([
      'wanted',
      'expired',
      'ordered',
      'emptied',
      'opted_out',
      'ended',
      'unknown',
      'overtaken',
      'resumed',
    ]),
  );
}, 120_000);

function verdictOf(answer: { readonly wanted: boolean; readonly reason?: string }): string {
  return answer.wanted ? 'wanted' : (answer.reason ?? '');
}
