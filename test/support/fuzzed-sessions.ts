import fc from 'fast-check';
import { cartDigest } from '../../src/model/cart.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { impossibleUser } from '../../src/model/user-id.ts';
import type { Bytes, Fields, HostileSession, Written } from './hostile-session.ts';
import { HOSTILE_USER_IDS } from './hostile-user-ids.ts';
import { itemsOf } from './session-oracle.ts';

/** Whatever anybody may have written where something else should stand. */
const junk: fc.Arbitrary<string> = fc.oneof(
  ...[
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.json({ maxDepth: 4 }),
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom(...['', ' ', '\0', 'null', '{}', '[]', '[[]]', '"', '\\', '-0', '1e400', '٣']),
  ].map((arbitrary) => ({ weight: 10, arbitrary })),
  { weight: 1, arbitrary: fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)) },
);

/** A text with something taken out, doubled, put in or cut off. */
const mutated = (valid: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(valid, fc.nat(), fc.nat({ max: 4 }), junk, fc.nat({ max: 3 }))
    .map(([text, place, length, other, how]) => {
      const at = place % (text.length + 1);
      const [before, after] = [text.slice(0, at), text.slice(at)];
      if (how === 0) return before + after.slice(length);
      if (how === 1) return before + after.slice(0, length) + after;
      return how === 2 ? before + other.slice(0, length) + after : before;
    })
    // Half a character cannot be written.
    .map((text) => text.toWellFormed());

const mostly = (valid: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 16, arbitrary: valid },
    { weight: 2, arbitrary: mutated(valid) },
    { weight: 1, arbitrary: junk },
  );

const instant = (now: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.oneof(
        fc.integer({ min: now - DAY_MS, max: now + 10 * MINUTE_MS }),
        fc.integer({ min: now - 20 * DAY_MS, max: now + HOUR_MS }),
        fc.integer({ min: 1, max: 253_402_300_799_999 }),
      ),
      fc.constantFrom<(at: number) => string>(
        (at) => String(Math.floor(at / 1_000)),
        (at) => String(at / 1_000),
        String,
        (at) => ` ${at}.5`,
      ),
    )
    .map(([at, write]) => write(at));

const item = fc.record(
  {
    product_id: fc.oneof(
      fc.string({ minLength: 1, maxLength: 12 }),
      fc.nat(),
      fc.constant(2 ** 53),
    ),
    size: fc.constantFrom('M', 42, null, ''),
    quantity: fc.constantFrom(1, 2, 0.5, '3', 0, null),
    price: fc.oneof(fc.double({ min: -10, max: 1e6, noNaN: true }), fc.constantFrom('9.99', null)),
    constructor: fc.json(),
  },
  { requiredKeys: ['product_id'] },
);
const cart: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(item, { minLength: 1, maxLength: 5 }).map((items) => JSON.stringify(items)),
  },
  { weight: 1, arbitrary: fc.constantFrom('[]', '', '[ ]') },
  {
    weight: 1,
    arbitrary: fc.array(item, { maxLength: 800 }).map((items) => JSON.stringify(items)),
  },
);

const consent = fc.oneof(
  fc.constantFrom('yes', 'no', 'unknown', ''),
  fc
    .record(
      {
        status: fc.constantFrom('yes', 'yes', 'unknown', 'no'),
        basis: fc.constantFrom('opt-in', '', null),
        scope: fc.constantFrom(['web'], [], null),
        at: fc.oneof(fc.nat(), fc.constantFrom('never', null)),
      },
      { requiredKeys: ['status'] },
    )
    .map((value) => JSON.stringify(value)),
);

/** The library's notes, of this cart or of another. */
const notes = (now: number, cartText: string): fc.Arbitrary<string> => {
  const number = fc.oneof(
    fc.constantFrom(0, now),
    fc.integer({ min: now - DAY_MS, max: now + DAY_MS }),
    fc.bigInt({ min: 0n, max: 10n ** 30n }),
  );
  const items = itemsOf(cartText);
  const digest = typeof items === 'string' ? 'Zk3a0Q1' : cartDigest(items);
  return fc
    .tuple(number, fc.constantFrom(0, 0, 0, now), fc.constantFrom('', '', '-'), number, number)
    .map(
      ([epoch, ended, sign, opened, added]) =>
        `${epoch};${ended};${sign}${opened};${added};${digest}`,
    );
};

const others = (now: number): Record<string, fc.Arbitrary<string>> => ({
  last_order_at: fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: instant(now) },
  ),
  consent,
  last_inbound_at: instant(now),
  active_channel: fc.constantFrom('whatsapp', 'web', 'Messenger', '\n'),
  current_intent: junk,
  session_id: junk,
  phone: junk,
  timezone: fc.constantFrom('Asia/Kolkata', 'utc', '+05:30', 'Mars/Olympus', '__proto__'),
  topic: junk,
});

const wrongType: fc.Arbitrary<Written> = fc.oneof(
  junk.map((string) => ({ string })),
  junk.map((text) => ({ list: [text] })),
  junk.map((set) => ({ set })),
  junk.map((zset) => ({ zset })),
  junk.map((stream) => ({ stream })),
);

const nearlyAlways = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 30, arbitrary: some }, { weight: 1, arbitrary: fc.constant(undefined) });

const sometimes = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 1, arbitrary: some }, { weight: 4, arbitrary: fc.constant(undefined) });

const hash = (now: number): fc.Arbitrary<Written> =>
  fc
    .tuple(nearlyAlways(mostly(instant(now))), nearlyAlways(mostly(cart)))
    .chain(([activity, cartText]) =>
      fc
        .tuple(
          fc.record(
            Object.fromEntries(
              Object.entries(others(now)).map(([name, valid]) => [name, mostly(valid)]),
            ),
            { requiredKeys: [] },
          ),
          sometimes(mostly(notes(now, cartText ?? ''))),
          fc.dictionary(fc.string({ unit: 'binary', maxLength: 8 }), junk, { maxKeys: 3 }),
        )
        .map(([fields, noted, more]) => {
          const all: (readonly [string, string | undefined])[] = [
            ...Object.entries(more),
            ...Object.entries(fields),
            ['last_activity', activity],
            ['cart', cartText],
            ['rekindle', noted],
          ];
          const written = all.filter((pair): pair is [string, string] => pair[1] !== undefined);
          // Redis knows no empty hash.
          return { hash: written.length > 0 ? written : [['x', '']] };
        }),
    );

const id: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 4, arbitrary: fc.constantFrom(...HOSTILE_USER_IDS) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
);

const once = (now: number): fc.Arbitrary<Omit<HostileSession, 'name' | 'expected'>> =>
  fc.record(
    {
      user: id,
      session: fc.oneof({ weight: 30, arbitrary: hash(now) }, { weight: 1, arbitrary: wrongType }),
      messages: fc.oneof(
        junk.map((string) => ({ string })),
        junk.map((text) => ({ list: [text] })),
      ),
      ttlMs: fc.integer({ min: HOUR_MS, max: 400 * DAY_MS }),
      ledger: fc.oneof(wrongType, fc.constant({ hash: [['x', 'y']] as Fields })),
      optout: fc.constantFrom(String(now), 'yesterday', ''),
    },
    { requiredKeys: ['user', 'session'] },
  );

/** As many as are wanted, each of another user; the same for the same seed. */
export function fuzzedSessions(count: number, seed: number, now: number): HostileSession[] {
  const sessions: HostileSession[] = [];
  for (const [index, drawn] of fc.sample(once(now), { numRuns: count, seed }).entries()) {
    const rare = (part: number): boolean => index % part === 0;
    const { session, messages, ttlMs, ledger, optout } = drawn;
    const before = sessions.at(-1);
    // One in twenty has for its key that of another's messages.
    const isBeside = before && rare(20) && !before.messages;
    const user = isBeside ? joined(before.user, ':messages') : numbered(drawn.user, index);
    sessions.push({
      name: `fuzzed ${index}`,
      user,
      session,
      expected: 'nothing',
      ...(messages && rare(3) && { messages }),
      ...(ttlMs !== undefined && rare(7) && { ttlMs }),
      ...(ledger && rare(50) && !impossibleUser(user) && { ledger }),
      ...(optout && rare(50) && { optout }),
    });
  }
  return sessions;
}

function numbered(user: Bytes, index: number): Buffer {
  return index % 2 === 0 ? joined(user, `~${index}`) : joined(`${index}~`, user);
}

function joined(before: Bytes, after: Bytes): Buffer {
  return Buffer.concat([Buffer.from(before), Buffer.from(after)]);
}
