import { describe, expect, test } from 'vitest';
import { cartDigest } from '../../src/model/cart.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { CartEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import type { Claim } from '../../src/ports/agenda.ts';
import type { CommitOutcome, LedgerWrite, Quarantined, Reading } from '../../src/ports/ledger.ts';
import type { SessionWrite } from '../../src/ports/sessions.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import type { Hot, HotOptions } from '../support/hot-options.ts';
import { strike } from '../support/strike.ts';

/** The instant at which every test begins. */
const T = 1_800_000_000_000;

const { leaseMs, leaseMarginMs, thresholdMs, ttlMs } = HOT_DEFAULTS;

const SHIRT = [{ product_id: 'shirt', quantity: 1, price: 20 }];
const TWO_SHIRTS = [{ product_id: 'shirt', quantity: 2, price: 20 }];

/** What the ports Agenda, LedgerStore and Sessions promise, of one adapter. */
export function hotContract(
  name: string,
  makeHot: (options?: Partial<HotOptions>) => Promise<Hot> | Hot,
): void {
  describe(`${name}: the agenda`, () => {
    test('gives nobody before they are due, and then each once', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([
        { user: 'ann', at: T + 10 },
        { user: 'bob', at: T },
      ]);
      expect((await agenda.claim(T - 1, 10)).users).toEqual([]);
      expect((await agenda.claim(T, 10)).users).toEqual(['bob']);
      expect((await agenda.claim(T + 10, 10)).users).toEqual(['ann']);
      expect((await agenda.claim(T + 10, 10)).users).toEqual([]);
    });

    test('passes over who is leased, and takes those behind', async () => {
      const { agenda } = await makeHot();
      const arm = (users: readonly string[], at: number): Promise<void> =>
        agenda.arm(users.map((user) => ({ user, at })));
      await arm(['a', 'b'], T);
      await agenda.claim(T, 10);
      // They were touched under their lease.
      await arm(['a', 'b'], T + 1);
      await arm(['c', 'd', 'e'], T + 2);
      expect((await agenda.claim(T + 2, 2)).users).toEqual(['c', 'd']);
      expect((await agenda.claim(T + 2, 2)).users).toEqual(['e']);
      expect((await agenda.inspect('a')).dueAt).toBe(T + 1);
      expect((await agenda.inspect('c')).dueAt).toBeUndefined();
    });

    test('gives the longest due first, and no more than asked for', async () => {
      const { agenda } = await makeHot();
      await agenda.arm(['c', 'a', 'b'].map((user, index) => ({ user, at: T - index })));
      expect((await agenda.claim(T, 2)).users).toEqual(['b', 'a']);
      expect((await agenda.claim(T, 2)).users).toEqual(['c']);
    });

    test('an armed user can be moved earlier, never later', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T + 10 }]);
      await agenda.arm([{ user: 'ann', at: T + 20 }]);
      expect((await agenda.inspect('ann')).dueAt).toBe(T + 10);
      await agenda.arm([{ user: 'ann', at: T + 5 }]);
      expect((await agenda.inspect('ann')).dueAt).toBe(T + 5);
    });

    test('says until when a claim is leased, and what is due next', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([
        { user: 'ann', at: T },
        { user: 'bob', at: T + 7 },
      ]);
      const claim = await agenda.claim(T, 10);
      expect(claim.leasedUntil).toBe(T + leaseMs);
      expect(claim.nextDueAt).toBe(T + 7);
      expect(await agenda.inspect('ann')).toEqual({ dueAt: undefined, leasedUntil: T + leaseMs });
      expect(await agenda.inspect('bob')).toEqual({ dueAt: T + 7, leasedUntil: undefined });
    });

    test('with nobody due later, the end of a lease is what is due next', async () => {
      const { agenda } = await makeHot();
      expect((await agenda.claim(T, 10)).nextDueAt).toBeUndefined();
      await agenda.arm([{ user: 'ann', at: T }]);
      expect((await agenda.claim(T, 10)).nextDueAt).toBe(T + leaseMs);
      expect((await agenda.claim(T + 1, 10)).nextDueAt).toBe(T + leaseMs);
    });

    test('when the limit was used up there may be more at once', async () => {
      const { agenda } = await makeHot();
      await agenda.arm(['a', 'b'].map((user) => ({ user, at: T })));
      expect((await agenda.claim(T, 1)).nextDueAt).toBe(T);
    });

    test('passes over a user under a live lease who was touched meanwhile', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      await agenda.claim(T, 10);
      await agenda.arm([{ user: 'ann', at: T + 1 }]);
      expect((await agenda.claim(T + 2, 10)).users).toEqual([]);
      expect((await agenda.inspect('ann')).dueAt).toBe(T + 1);
    });

    test.each([1, 10, 250])('those passed over use up none of a limit of %i', async (limit) => {
      const { agenda } = await makeHot();
      const busy = Array.from({ length: 300 }, (_none, index) => `busy${index}`);
      await agenda.arm(busy.map((user) => ({ user, at: T - 10 })));
      let taken = 0;
      while (taken < busy.length) taken += (await agenda.claim(T, 250)).users.length;
      await agenda.arm(busy.map((user) => ({ user, at: T - 5 })));
      await agenda.arm([{ user: 'free', at: T }]);
      expect((await agenda.claim(T + 1, limit)).users).toEqual(['free']);
    });

    test('a lease that ran out brings its user back at once', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      await agenda.claim(T, 10);
      expect((await agenda.claim(T + leaseMs - 1, 10)).users).toEqual([]);
      const again = await agenda.claim(T + leaseMs, 10);
      expect(again.users).toEqual(['ann']);
      expect(again.leasedUntil).toBe(T + 2 * leaseMs);
    });

    test('settling arms the next look and ends the lease', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([
        { user: 'ann', at: T },
        { user: 'bob', at: T },
      ]);
      const claim = await agenda.claim(T, 10);
      const settled = await agenda.settle(claim, [
        { user: 'ann', at: T + 50 },
        { user: 'bob', at: undefined },
      ]);
      expect(settled).toBe(2);
      expect(await agenda.inspect('ann')).toEqual({ dueAt: T + 50, leasedUntil: undefined });
      expect(await agenda.inspect('bob')).toEqual({ dueAt: undefined, leasedUntil: undefined });
    });

    test('a touch during the lease stands when its look is settled to later', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      const claim = await agenda.claim(T, 10);
      await agenda.arm([{ user: 'ann', at: T + 1 }]);
      await agenda.settle(claim, [{ user: 'ann', at: T + HOUR_MS }]);
      expect((await agenda.inspect('ann')).dueAt).toBe(T + 1);
    });

    test('a touch during the lease stands when nothing else is to be looked at', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      const claim = await agenda.claim(T, 10);
      await agenda.arm([{ user: 'ann', at: T + 1 }]);
      await agenda.settle(claim, [{ user: 'ann', at: undefined }]);
      expect((await agenda.claim(T + 1, 10)).users).toEqual(['ann']);
    });

    test('a worker that wakes late ends nobody else’s lease and arms nothing', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      const late = await agenda.claim(T, 10);
      const other = await agenda.claim(T + leaseMs, 10);
      expect(await agenda.settle(late, [{ user: 'ann', at: T + 1 }])).toBe(0);
      expect(await agenda.inspect('ann')).toEqual({
        dueAt: undefined,
        leasedUntil: other.leasedUntil,
      });
    });

    test('settling twice, or nobody, changes nothing', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([{ user: 'ann', at: T }]);
      const claim = await agenda.claim(T, 10);
      await agenda.settle(claim, [{ user: 'ann', at: T + HOUR_MS }]);
      expect(await agenda.settle(claim, [{ user: 'ann', at: T + 1 }])).toBe(0);
      expect(await agenda.settle(claim, [])).toBe(0);
      expect((await agenda.inspect('ann')).dueAt).toBe(T + HOUR_MS);
    });

    test('counts who is armed, due and leased', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([
        { user: 'ann', at: T },
        { user: 'bob', at: T + 1 },
      ]);
      expect(await agenda.counts(T)).toEqual({ armed: 2, due: 1, leased: 0 });
      await agenda.claim(T, 10);
      expect(await agenda.counts(T)).toEqual({ armed: 1, due: 0, leased: 1 });
    });

    test('arming nobody is no error', async () => {
      const { agenda } = await makeHot();
      await agenda.arm([]);
      expect(await agenda.counts(T)).toEqual({ armed: 0, due: 0, leased: 0 });
    });
  });

  describe(`${name}: reading for a look`, () => {
    test('finds nothing of a user who is not there', async () => {
      const { ledgers } = await makeHot();
      const [reading] = await ledgers.read(['nobody'], T);
      expect(reading).toMatchObject({ user: 'nobody', version: '', pending: [] });
      expect(reading?.fields).toBeUndefined();
      expect(reading?.ledger).toBeUndefined();
      expect(reading?.problem).toBeUndefined();
      expect(reading?.expiresAt).toBeUndefined();
    });

    test('gives the fields that the policy reads, as they stand, and nothing else', async () => {
      const { ledgers, raw, keys } = await makeHot();
      const fields = {
        last_activity: '1800000000',
        cart: '[]',
        consent: '{"status":"yes"}',
        timezone: '',
      };
      await raw.hset(keys.session('ann'), { ...fields, favourite_colour: 'green' });
      const [reading] = await ledgers.read(['ann'], T);
      expect(reading?.fields).toEqual(fields);
    });

    test('a session of nothing but unknown fields is a session', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.hset(keys.session('ann'), { favourite_colour: 'green' });
      expect((await ledgers.read(['ann'], T))[0]?.fields).toEqual({});
    });

    test('says when the store will drop the session', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.hset(keys.session('ann'), { last_activity: '1' });
      expect((await ledgers.read(['ann'], T))[0]?.expiresAt).toBeUndefined();
      await raw.pexpire(keys.session('ann'), HOUR_MS);
      expectWithin((await ledgers.read(['ann'], T))[0]?.expiresAt, T + HOUR_MS, SECOND_MS);
    });

    test('says the same in brief, but for what only a look needs', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.hset(keys.session('ann'), { last_activity: '1', cart: '[]' });
      await raw.hset(keys.session('bob'), { favourite_colour: 'green' });
      const both = ['ann', 'bob'];
      for (const users of [both, [...both, 'nobody']]) {
        const readings = await ledgers.read(users, T);
        expect(await ledgers.read(users, T, { brief: true })).toEqual(readings);
      }
    });

    test('gives many users in the order asked for', async () => {
      const { ledgers, raw, keys } = await makeHot();
      const users = Array.from({ length: 300 }, (_none, index) => `u${index}`);
      for (const user of users) await raw.hset(keys.session(user), { last_activity: user });
      const readings = await ledgers.read(users.toReversed(), T);
      expect(readings.map(({ user }) => user)).toEqual(users.toReversed());
      for (const { user, fields } of readings) expect(fields?.last_activity).toBe(user);
    });

    test('large carts do not lose the users after them', async () => {
      const { ledgers, raw, keys } = await makeHot();
      const cart = JSON.stringify([{ product_id: 'x'.repeat(60_000) }]);
      const users = Array.from({ length: 40 }, (_none, index) => `u${index}`);
      for (const user of users) await raw.hset(keys.session(user), { last_activity: user, cart });
      const readings = await ledgers.read(users, T);
      expect(readings.map(({ fields }) => fields?.last_activity)).toEqual(users);
      expect(readings.every(({ fields }) => fields?.cart === cart)).toBe(true);
    });

    test('a cart above the limit is left out and said to be too large', async () => {
      const { ledgers, raw, keys } = await makeHot({ maxCart: 1_000 });
      await raw.hset(keys.session('ann'), { last_activity: '5', cart: 'x'.repeat(1_000) });
      await raw.hset(keys.session('bob'), { last_activity: '5', cart: 'x'.repeat(1_001) });
      const [ann, bob] = await ledgers.read(['ann', 'bob'], T);
      expect(ann?.problem).toBeUndefined();
      expect(bob?.problem?.reason).toBe('cart_too_large');
      expect(bob?.fields).toEqual({ last_activity: '5' });
    });

    test('another field of an absurd size is left out and said to be too large', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.hset(keys.session('ann'), { last_activity: '5', timezone: '1'.repeat(4_096) });
      await raw.hset(keys.session('bob'), { last_activity: '5', timezone: '1'.repeat(4_097) });
      const [ann, bob] = await ledgers.read(['ann', 'bob'], T);
      expect(ann?.problem).toBeUndefined();
      expect(bob?.problem?.reason).toBe('field_too_large');
      expect(bob?.fields).toEqual({ last_activity: '5' });
    });

    test('a session of the wrong type is that user’s trouble alone', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.set(keys.session('ann'), 'hello');
      await raw.hset(keys.session('bob'), { last_activity: '5' });
      const [ann, bob] = await ledgers.read(['ann', 'bob'], T);
      expect(ann?.problem?.reason).toBe('wrong_key_type');
      expect(bob?.problem).toBeUndefined();
    });

    test.each([
      ['a text that is no ledger', (hot: Hot) => hot.raw.set(hot.keys.ledger('ann'), 'hello')],
      ['a ledger of the wrong type', (hot: Hot) => hot.raw.rpush(hot.keys.ledger('ann'), 'hello')],
      [
        'a pending event that is none',
        async (hot: Hot) => {
          const { claim, reading } = await claimed(hot);
          await commit(hot, claim, reading, { events: [anEvent('ann', 1)] });
          const text = await hot.raw.get(hot.keys.ledger('ann'));
          await hot.raw.set(hot.keys.ledger('ann'), text!.slice(0, -5));
        },
      ],
    ])('%s is that user’s trouble alone', async (_what, spoil) => {
      const hot = await makeHot();
      for (const user of ['ann', 'bob']) await hot.raw.hset(hot.keys.session(user), { cart: '[]' });
      await spoil(hot);
      const [ann, bob] = await hot.ledgers.read(['ann', 'bob'], T);
      expect(ann?.problem?.reason).toBe('ledger_unreadable');
      expect(ann?.ledger).toBeUndefined();
      expect(bob?.problem).toBeUndefined();
    });

    test.each([
      ['yesterday'],
      [''],

      ['\uFFFD'],
    ])('an opt-out that is no instant (%j) still is one', async (text) => {
      const { hot, claim } = await claimed(await makeHot());
      await hot.raw.hset(hot.keys.optouts, { ann: text });
      const reading = await readOne(hot, 'ann');
      expect(reading.optedOutAt).toBeNaN();
      expect(await commit(hot, claim, reading)).toBe('committed');
    });

    test('equal digests are equal sights, different ones are not', async () => {
      const { ledgers, raw, keys } = await makeHot();
      const digest = async (): Promise<string | undefined> =>
        (await ledgers.read(['ann'], T))[0]?.digest;
      const seen = new Set([await digest()]);
      const fresh = async (): Promise<void> => {
        const next = await digest();
        expect(seen).not.toContain(next);
        expect(await digest()).toBe(next);
        seen.add(next);
      };
      await raw.hset(keys.session('ann'), { last_activity: '5' });
      await fresh();
      await raw.hset(keys.session('ann'), { last_activity: '', cart: '5' });
      await fresh();
      await raw.hset(keys.session('ann'), { last_activity: '5', cart: '' });
      await fresh();
      await raw.hset(keys.optouts, { ann: '7' });
      await fresh();
      await raw.del(keys.session('ann'));
      await fresh();
      await raw.set(keys.session('ann'), 'a text');
      await fresh();
    });

    test('what decides nothing leaves the digest alone', async () => {
      const { ledgers, raw, keys } = await makeHot();
      await raw.hset(keys.session('ann'), { last_activity: '5', context_tokens: '1' });
      const before = (await ledgers.read(['ann'], T))[0]?.digest;
      await raw.hset(keys.session('ann'), { context_tokens: '2', colour: 'red' });
      await raw.pexpire(keys.session('ann'), HOUR_MS);
      expect((await ledgers.read(['ann'], T + 5))[0]?.digest).toBe(before);
    });
  });

  describe(`${name}: committing the last of a look`, () => {
    const last = { nextAt: T + 50 };
    const events = [anEvent('ann', 1), anEvent('ann', 2)];

    test('settles where there is nothing to tell', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading, { last })).toBe('settled');
      expect(await hot.agenda.inspect('ann')).toEqual({ dueAt: T + 50, leasedUntil: undefined });
      expect((await readOne(hot, 'ann')).ledger).toEqual(LEDGER);
    });

    test('leaves a look alone that a touch has armed meanwhile', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await hot.agenda.arm([{ user: 'ann', at: T + 20 }]);
      expect(await commit(hot, claim, reading, { last })).toBe('settled');
      expect(await hot.agenda.inspect('ann')).toEqual({ dueAt: T + 20, leasedUntil: undefined });
    });

    test('arms nothing where no look is to come', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading, { last: { nextAt: undefined } })).toBe('settled');
      expect(await hot.agenda.counts(T + HOUR_MS)).toEqual({ armed: 0, due: 0, leased: 0 });
    });

    test('keeps what is to go to a bus elsewhere, and the lease until it is there', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading, { last, events })).toBe('committed');
      expect((await readOne(hot, 'ann')).pending).toEqual(events);
      expect(await hot.agenda.inspect('ann')).toEqual({
        dueAt: undefined,
        leasedUntil: claim.leasedUntil,
      });
    });

    test('puts the events on a bus in the same store, in their order and once', async () => {
      const hot = await makeHot({ busCap: 100 });
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading, { last, events })).toBe('settled');
      expect(await hot.told()).toEqual(events);
      expect(await readOne(hot, 'ann')).toMatchObject({ ledger: LEDGER, pending: [] });
      expect(await hot.agenda.inspect('ann')).toEqual({ dueAt: T + 50, leasedUntil: undefined });
      // As a client does that lost the answer with its connection.
      expect(await commit(hot, claim, reading, { last, events })).toBe('lease_lost');
      expect(await hot.told()).toEqual(events);
    });

    test('tells nothing before what is pending', async () => {
      const hot = await makeHot({ busCap: 100 });
      const { claim, reading } = await claimed(hot);
      const [first, second] = events;
      expect(await commit(hot, claim, reading, { events: [first!] })).toBe('committed');
      const again = await readOne(hot, 'ann');
      expect(await commit(hot, claim, again, { last, events: [second!] })).toBe('committed');
      expect(await hot.told()).toEqual([]);
      expect((await readOne(hot, 'ann')).pending).toEqual(events);
    });

    test('settles nobody of whom something is pending', async () => {
      const hot = await makeHot({ busCap: 100 });
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { events });
      expect(await commit(hot, claim, await readOne(hot, 'ann'), { last })).toBe('committed');
      expect((await hot.agenda.inspect('ann')).leasedUntil).toBe(claim.leasedUntil);
    });

    test('keeps what a full bus does not take', async () => {
      const hot = await makeHot({ busCap: 1 });
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading, { last, events })).toBe('committed');
      expect(await hot.told()).toEqual([]);
      expect((await readOne(hot, 'ann')).pending).toEqual(events);
      expect((await hot.agenda.inspect('ann')).leasedUntil).toBe(claim.leasedUntil);
    });

    test('tells nothing of a session that changed, and nothing without the lease', async () => {
      const hot = await makeHot({ busCap: 100 });
      const { claim, reading } = await claimed(hot);
      const tooLate = { last, events, now: claim.leasedUntil - leaseMarginMs };
      expect(await commit(hot, claim, reading, tooLate)).toBe('lease_lost');
      await hot.raw.hset(hot.keys.session('ann'), { cart: '[]' });
      expect(await commit(hot, claim, reading, { last, events })).toBe('changed');
      expect(await hot.told()).toEqual([]);
      expect(await hot.agenda.inspect('ann')).toEqual({
        dueAt: undefined,
        leasedUntil: claim.leasedUntil,
      });
    });

    test('moves each user of a batch by itself, and into quarantine', async () => {
      const hot = await makeHot({ busCap: 100 });
      const users = ['ann', 'bob', 'cem', 'dan', 'eve'];
      const { claim, readings } = await overtaken(hot, users);
      const writes = readings.map((reading) =>
        aWrite(reading, {
          events: [anEvent(reading.user, 1)],
          ...(reading.user !== 'dan' && { last }),
          ...(reading.user === 'eve' && {
            quarantine: { user: 'eve', key: 'eve', reason: 'x', detail: '', at: T },
          }),
        }),
      );
      expect(await hot.ledgers.commit(claim, writes, T)).toEqual([
        'settled',
        'changed',
        'lease_lost',
        'committed',
        'settled',
      ]);
      expect((await hot.told()).map(({ id }) => id)).toEqual(['ann-1', 'eve-1']);
      expect((await hot.ledgers.quarantined(10)).entries.map(({ user }) => user)).toEqual(['eve']);
    });
  });

  describe(`${name}: committing a look`, () => {
    test('what was committed is read again, with its events in their order', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      const events = [1, 2, 3].map((sequence) => anEvent('ann', sequence));
      expect(await commit(hot, claim, reading, { events })).toBe('committed');
      const after = await readOne(hot, 'ann');
      expect(after.ledger).toEqual(LEDGER);
      expect(after.pending.map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3]);
      expect(after.version).not.toBe('');
      expect(after.digest).toBe(reading.digest);
    });

    test.each<[string, (hot: Hot) => Promise<void>]>([
      ['there is none', () => Promise.resolve()],
      ['has nothing that decides', (hot) => hot.raw.hset(hot.keys.session('ann'), { phone: '1' })],
      ['is of the wrong type', (hot) => hot.raw.set(hot.keys.session('ann'), 'x')],
      [
        'has a cart above the limit',
        (hot) => hot.raw.hset(hot.keys.session('ann'), { cart: 'x'.repeat(70_000) }),
      ],
      [
        'has a long cart',
        (hot) => hot.raw.hset(hot.keys.session('ann'), { cart: 'x'.repeat(60_000) }),
      ],
      [
        'has an absurd field that decides',
        (hot) => hot.raw.hset(hot.keys.session('ann'), { consent: 'x'.repeat(5_000) }),
      ],
      [
        'has an absurd field that does not',
        (hot) => hot.raw.hset(hot.keys.session('ann'), { cart: '[]', timezone: 'x'.repeat(5_000) }),
      ],
      [
        'has characters that are none',
        (hot) => hot.raw.hset(hot.keys.session('ann'), { cart: '\uFFFD', consent: '\uFFFD' }),
      ],
    ])('a session that did not change is committed, though it %s', async (_what, write) => {
      const hot = await makeHot();
      await write(hot);
      await hot.agenda.arm([{ user: 'ann', at: T }]);
      const claim = await hot.agenda.claim(T, 1);
      expect(await commit(hot, claim, await readOne(hot, 'ann'))).toBe('committed');
    });

    test('events are added to those that are pending already', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { events: [anEvent('ann', 1)] });
      await commit(hot, claim, await readOne(hot, 'ann'), { events: [anEvent('ann', 2)] });
      expect((await readOne(hot, 'ann')).pending).toEqual([anEvent('ann', 1), anEvent('ann', 2)]);
    });

    test.each(['last_activity', 'cart', 'last_order_at', 'consent', 'rekindle'])(
      'a session whose %s changed since is looked at again',
      async (field) => {
        const hot = await makeHot();
        const { claim, reading } = await claimed(hot);
        await hot.raw.hset(hot.keys.session('ann'), { [field]: '1800000001' });
        await expectUnchanged(hot, 'ann', async () => {
          expect(await commit(hot, claim, reading, { events: [anEvent('ann', 1)] })).toBe(
            'changed',
          );
        });
      },
    );

    test.each<[string, (hot: Hot) => Promise<void>]>([
      ['was deleted', (hot) => hot.raw.del(hot.keys.session('ann'))],
      ['lost a field', (hot) => hot.raw.hdel(hot.keys.session('ann'), 'cart')],
      [
        'became a text',
        async (hot) => {
          await hot.raw.del(hot.keys.session('ann'));
          await hot.raw.set(hot.keys.session('ann'), 'x');
        },
      ],
      [
        'got an opt-out',
        (hot) => hot.sessions.write({ user: 'ann', at: T, activity: false, optedOut: true }),
      ],
    ])('a session that %s since is looked at again', async (_what, change) => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await change(hot);
      await expectUnchanged(hot, 'ann', async () => {
        expect(await commit(hot, claim, reading, { events: [anEvent('ann', 1)] })).toBe('changed');
      });
    });

    test('a session that appeared since is looked at', async () => {
      const hot = await makeHot();
      await hot.agenda.arm([{ user: 'ann', at: T }]);
      const claim = await hot.agenda.claim(T, 10);
      const reading = await readOne(hot, 'ann');
      await hot.raw.hset(hot.keys.session('ann'), { colour: 'red' });
      expect(await commit(hot, claim, reading)).toBe('changed');
    });

    test('what decides nothing may change', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await hot.raw.hset(hot.keys.session('ann'), {
        context_tokens: '99',
        active_channel: 'web',
        colour: 'red',
      });
      await hot.raw.rpush(hot.keys.messages('ann'), 'hello');
      expect(await commit(hot, claim, reading)).toBe('committed');
    });

    test('a ledger that somebody else wrote since is looked at again', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      expect(await commit(hot, claim, reading)).toBe('committed');
      expect(await commit(hot, claim, reading)).toBe('changed');
      expect(await commit(hot, claim, await readOne(hot, 'ann'))).toBe('committed');
    });

    test('a ledger that is gone since is looked at again', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading);
      const second = await readOne(hot, 'ann');
      await hot.raw.del(hot.keys.ledger('ann'));
      expect(await commit(hot, claim, second)).toBe('changed');
    });

    test('a lease must have its margin left, for clocks differ', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      const tooLate = claim.leasedUntil - leaseMarginMs;
      await expectUnchanged(hot, 'ann', async () => {
        expect(await commit(hot, claim, reading, { now: tooLate })).toBe('lease_lost');
      });
      expect(await commit(hot, claim, reading, { now: tooLate - 1 })).toBe('committed');
    });

    test('a lease that was settled, or that somebody else holds now, commits nothing', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await hot.agenda.claim(T + leaseMs, 10);
      expect(await commit(hot, claim, reading)).toBe('lease_lost');

      const other = await claimed(await makeHot({ prefix: 'other' }));
      await other.hot.agenda.settle(other.claim, [{ user: 'ann', at: T }]);
      expect(await commit(other.hot, other.claim, other.reading)).toBe('lease_lost');
    });

    test('each user of a batch has an outcome of its own', async () => {
      const hot = await makeHot();
      const users = ['ann', 'bob', 'cem', 'dan'];
      const { claim, readings } = await overtaken(hot, users);
      const writes = readings.map((reading) => aWrite(reading));
      expect(await hot.ledgers.commit(claim, writes, T)).toEqual([
        'committed',
        'changed',
        'lease_lost',
        'committed',
      ]);
    });

    test('a batch of large carts has an outcome for everybody', async () => {
      const hot = await makeHot();
      const cart = JSON.stringify([{ product_id: 'x'.repeat(60_000) }]);
      const users = Array.from({ length: 30 }, (_none, index) => `u${index}`);
      for (const user of users) await hot.raw.hset(hot.keys.session(user), { cart });
      await hot.agenda.arm(users.map((user) => ({ user, at: T })));
      const claim = await hot.agenda.claim(T, 100);
      const writes = (await hot.ledgers.read(users, T)).map((reading) =>
        aWrite(reading, { events: [anEvent(reading.user, 1), anEvent(reading.user, 2)] }),
      );
      expect(await hot.ledgers.commit(claim, writes, T)).toEqual(users.map(() => 'committed'));
      for (const { ledger, pending } of await hot.ledgers.read(users, T)) {
        expect(ledger).toEqual(LEDGER);
        expect(pending).toHaveLength(2);
      }
    });

    test('a ledger stays until it is told to go', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading);
      expect(await hot.raw.pttl(hot.keys.ledger('ann'))).toBe(Number.POSITIVE_INFINITY);
    });
  });

  describe(`${name}: striking what is on the bus`, () => {
    test('exactly the named events go, whatever came meanwhile', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { events: [anEvent('ann', 1), anEvent('ann', 2)] });
      await commit(hot, claim, await readOne(hot, 'ann'), { events: [anEvent('ann', 3)] });
      await strike(hot, [{ user: 'ann', ids: ['ann-1', 'ann-3', 'unheard of'] }]);
      expect((await readOne(hot, 'ann')).pending).toEqual([anEvent('ann', 2)]);
    });

    test('the ledger’s version moves on, and nothing else of it', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { events: [anEvent('ann', 1)] });
      const before = await readOne(hot, 'ann');
      await strike(hot, [{ user: 'ann', ids: ['ann-1'] }]);
      const after = await readOne(hot, 'ann');
      expect(after.version).not.toBe(before.version);
      expect(after.ledger).toEqual(before.ledger);
      expect(await commit(hot, claim, before)).toBe('changed');
    });

    test('the version moves on however many are struck at once', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      // As many as make the counter of strikes go round.
      const events = Array.from({ length: 79 }, (_none, index) => anEvent('ann', index));
      await commit(hot, claim, reading, { events });
      const before = await readOne(hot, 'ann');
      await strike(hot, [{ user: 'ann', ids: events.map(({ id }) => id) }]);
      const after = await readOne(hot, 'ann');
      expect(after.pending).toEqual([]);
      expect(after.version).not.toBe(before.version);
    });

    test('striking what is not there changes nothing', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { events: [anEvent('ann', 1)] });
      const before = await readOne(hot, 'ann');
      await strike(hot, [
        { user: 'ann', ids: ['x'] },
        { user: 'ann', ids: [] },
        { user: 'nobody', ids: ['x'] },
      ]);
      await strike(hot, []);
      expect(await readOne(hot, 'ann')).toEqual(before);
      expect(await hot.raw.get(hot.keys.ledger('nobody'))).toBeUndefined();
    });

    test('settling strikes and ends the lease; one that wakes late ends nobody else’s, and strikes all the same', async () => {
      const hot = await makeHot();
      const { agenda } = hot;
      for (const user of ['ann', 'bob']) await agenda.arm([{ user, at: T }]);
      const claim = await agenda.claim(T, 10);
      for (const user of claim.users) {
        const events = [anEvent(user, 1), anEvent(user, 2)];
        await commit(hot, claim, await readOne(hot, user), { events });
      }
      await agenda.settle(claim, [{ user: 'bob', at: T }]);
      const other = await agenda.claim(T + 1, 10);
      const settled = await agenda.settle(claim, [
        { user: 'bob', at: T + 5, published: ['bob-1', 'bob-2'] },
        { user: 'nobody', at: T + 5 },
        { user: 'ann', at: T + 5, published: ['ann-2'] },
      ]);
      expect(settled).toBe(1);
      expect((await readOne(hot, 'ann')).pending).toEqual([anEvent('ann', 1)]);
      expect((await readOne(hot, 'bob')).pending).toEqual([]);
      expect(await agenda.inspect('ann')).toEqual({ dueAt: T + 5, leasedUntil: undefined });
      expect(await agenda.inspect('bob')).toEqual({
        dueAt: undefined,
        leasedUntil: other.leasedUntil,
      });
    });

    test('a ledger of the wrong type does not stop the others’', async () => {
      const hot = await makeHot();
      for (const user of ['ann', 'bob']) {
        const { claim, reading } = await claimed(hot, user);
        await commit(hot, claim, reading, { events: [anEvent(user, 1)] });
      }
      await hot.raw.del(hot.keys.ledger('ann'));
      await hot.raw.rpush(hot.keys.ledger('ann'), 'x');
      await strike(
        hot,
        ['ann', 'bob'].map((user) => ({ user, ids: [`${user}-1`] })),
      );
      expect((await readOne(hot, 'bob')).pending).toEqual([]);
    });
  });

  describe(`${name}: forgetting a ledger`, () => {
    test('deletes it, and leaves alone what changed since it was read', async () => {
      const hot = await makeHot();
      const found = [];
      for (const user of ['ann', 'bob', 'cleo']) {
        const { claim, reading } = await claimed(hot, user);
        await commit(hot, claim, reading, { events: [anEvent(user, 1)] });
        found.push(await readOne(hot, user));
        if (user === 'bob') await commit(hot, claim, await readOne(hot, user));
        if (user === 'cleo') await strike(hot, [{ user, ids: ['cleo-1'] }]);
      }
      expect(await hot.ledgers.forget([...found, await readOne(hot, 'nobody')])).toBe(1);
      expect(await allOf((cursor) => hot.ledgers.scan(cursor))).toEqual(new Set(['bob', 'cleo']));
      expect(await hot.ledgers.forget([])).toBe(0);
    });

    test('one that cannot be read stays', async () => {
      const hot = await makeHot();
      await hot.raw.rpush(hot.keys.ledger('ann'), 'x');
      expect(await hot.ledgers.forget([await readOne(hot, 'ann')])).toBe(0);
      expect(await allOf((cursor) => hot.ledgers.scan(cursor))).toEqual(new Set(['ann']));
    });
  });

  describe(`${name}: going over all ledgers`, () => {
    test('finds every user with a ledger, and nobody else', async () => {
      const hot = await makeHot();
      const users = ['ann', 'bob', 'a:b', 'ledger:x', '[*]?\\'];
      for (const user of users) {
        const { claim, reading } = await claimed(hot, user);
        await commit(hot, claim, reading, { events: [anEvent(user, 1)] });
      }
      await strike(hot, [{ user: 'bob', ids: ['bob-1'] }]);
      await hot.raw.hset(hot.keys.session('only-a-session'), { cart: '[]' });
      expect(await allOf((cursor) => hot.ledgers.scan(cursor))).toEqual(new Set(users));
    });

    test('finds thousands', async () => {
      const hot = await makeHot();
      const users = Array.from({ length: 3_000 }, (_none, index) => `u${index}`);
      for (const user of users) await hot.raw.set(hot.keys.ledger(user), 'x');
      expect(await allOf((cursor) => hot.ledgers.scan(cursor))).toEqual(new Set(users));
    });
  });

  describe(`${name}: the quarantine`, () => {
    const entry = (user: string, at = T): Quarantined => ({
      user,
      key: `session:${user}`,
      reason: 'cart_not_json',
      detail: 'the field cart is no JSON',
      at,
    });

    test('shows the latest first, as many as asked for, and how many there are', async () => {
      const { ledgers } = await makeHot();
      await ledgers.quarantine([entry('ann', T), entry('bob', T + 2), entry('cem', T + 1)]);
      const { total, entries } = await ledgers.quarantined(2);
      expect(total).toBe(3);
      expect(entries).toEqual([entry('bob', T + 2), entry('cem', T + 1)]);
      expect(await ledgers.quarantined(0)).toEqual({ total: 3, entries: [] });
    });

    test('tells who was not there yet', async () => {
      const { ledgers } = await makeHot();
      expect(await ledgers.quarantine([entry('ann')])).toEqual([entry('ann')]);
      expect(await ledgers.quarantine([entry('ann', T + 5), entry('bob')])).toEqual([entry('bob')]);
      expect(await ledgers.quarantine([])).toEqual([]);
      expect((await ledgers.quarantined(10)).entries.map(({ at }) => at)).toEqual([T, T]);
    });

    test('is entered and left with a commit, and only then', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      const late = claim.leasedUntil;
      await commit(hot, claim, reading, { quarantine: entry('ann'), now: late });
      expect((await hot.ledgers.quarantined(10)).total).toBe(0);
      await commit(hot, claim, reading, { quarantine: entry('ann') });
      expect((await hot.ledgers.quarantined(10)).entries).toEqual([entry('ann')]);
      await commit(hot, claim, await readOne(hot, 'ann'));
      expect((await hot.ledgers.quarantined(10)).total).toBe(1);
      await commit(hot, claim, await readOne(hot, 'ann'), { quarantine: 'leave' });
      expect(await hot.ledgers.quarantined(10)).toEqual({ total: 0, entries: [] });
    });

    test('another reason takes the place of the first', async () => {
      const hot = await makeHot();
      const { claim, reading } = await claimed(hot);
      await commit(hot, claim, reading, { quarantine: entry('ann') });
      const worse = { ...entry('ann', T + 9), reason: 'wrong_key_type' };
      await commit(hot, claim, await readOne(hot, 'ann'), { quarantine: worse });
      expect(await hot.ledgers.quarantined(10)).toEqual({ total: 1, entries: [worse] });
    });

    test('keeps the latest so many of those that looks put there', async () => {
      const hot = await makeHot({ maxQuarantined: 3 });
      for (const [index, user] of ['a', 'b', 'c', 'd', 'e'].entries()) {
        const { claim, reading } = await claimed(hot, user);
        await commit(hot, claim, reading, { quarantine: entry(user, T + index) });
      }
      const { total, entries } = await hot.ledgers.quarantined(10);
      expect(total).toBe(3);
      expect(entries.map(({ user }) => user)).toEqual(['e', 'd', 'c']);
    });

    test('takes no more than fit where nothing else remembers who is in it', async () => {
      const { ledgers } = await makeHot({ maxQuarantined: 3 });
      expect(
        await ledgers.quarantine(['a', 'b', 'c', 'd', 'e'].map((user) => entry(user))),
      ).toHaveLength(3);
      expect(await ledgers.quarantine([entry('f')])).toEqual([]);
      expect((await ledgers.quarantined(10)).total).toBe(3);
    });

    test('is left by whoever is released', async () => {
      const { ledgers } = await makeHot();
      await ledgers.quarantine([entry('ann'), entry('bob')]);
      await ledgers.release(['ann', 'nobody']);
      await ledgers.release([]);
      expect((await ledgers.quarantined(10)).entries).toEqual([entry('bob')]);
    });
  });

  describe(`${name}: writing sessions`, () => {
    test('the first activity opens a session of ours and has it looked at now', async () => {
      const hot = await makeHot();
      await hot.sessions.write({ user: 'ann', at: T, activity: true, fields: { language: 'hi' } });
      const fields = await hot.raw.hgetall(hot.keys.session('ann'));
      expect(fields).toMatchObject({ last_activity: '1800000000', language: 'hi' });
      expect(parseOwnMarks(fields['rekindle'])).toMatchObject({ epoch: T, endedAt: undefined });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
      expectWithin(await hot.raw.pttl(hot.keys.session('ann')), ttlMs, SECOND_MS);
    });

    test('a touch of a user who is armed for the first threshold changes nothing', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, T + thresholdMs);
      await touched(hot, 'ann', T + MINUTE_MS);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + thresholdMs);
    });

    test('the return of a user who waits for something later is looked at now', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, T + 20 * HOUR_MS);
      await touched(hot, 'ann', T + HOUR_MS);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + HOUR_MS);
    });

    test('a touch of a user nobody waits for is looked at now', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, undefined);
      await touched(hot, 'ann', T + 1);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + 1);
    });

    test('a touch after a silence of the first threshold is looked at now, though the look was near', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, T + thresholdMs + 5);
      await touched(hot, 'ann', T + thresholdMs);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + thresholdMs);
    });

    test('a touch during a lease lands in the agenda and waits there', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      const claim = await hot.agenda.claim(T, 10);
      await touched(hot, 'ann', T + 1);
      expect((await hot.agenda.claim(T + 2, 10)).users).toEqual([]);
      await hot.agenda.settle(claim, [{ user: 'ann', at: T + thresholdMs }]);
      expect((await hot.agenda.claim(T + 2, 10)).users).toEqual(['ann']);
    });

    test('what is no doing of the user arms nothing and moves no activity', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, undefined);
      await hot.sessions.write({
        user: 'ann',
        at: T + 5_000,
        activity: false,
        fields: { topic: 'x' },
        messages: [said('hi')],
      });
      expect(await hot.agenda.inspect('ann')).toEqual({ dueAt: undefined, leasedUntil: undefined });
      expect((await hot.raw.hgetall(hot.keys.session('ann')))['last_activity']).toBe('1800000000');
    });

    test('what is to be looked at now is, without any activity', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, T + thresholdMs);
      await hot.sessions.write({ user: 'ann', at: T + 5, activity: false, armNow: true });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + 5);
    });

    test.each([1, 4 * MINUTE_MS, 10 * MINUTE_MS, 5 * DAY_MS])(
      'what happened %i ms earlier and comes late moves no activity back',
      async (lateMs) => {
        const hot = await makeHot();
        await touched(hot, 'ann', T);
        await hot.sessions.write({ user: 'ann', at: T - lateMs, now: T, activity: true });
        expect((await hot.raw.hgetall(hot.keys.session('ann')))['last_activity']).toBe(
          '1800000000',
        );
      },
    );

    test('an activity in the far future gives way to a real one', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '253402300799' });
      await touched(hot, 'ann', T);
      expect((await hot.raw.hgetall(hot.keys.session('ann')))['last_activity']).toBe('1800000000');
    });

    test('an activity a little ahead of this clock stands, yet this touch is seen', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '1800000200' });
      await touched(hot, 'ann', T);
      expect((await hot.raw.hgetall(hot.keys.session('ann')))['last_activity']).toBe(
        '1800000200.001',
      );
    });

    test('a write dated in the far future is looked at now all the same', async () => {
      const hot = await makeHot();
      await hot.sessions.write({ user: 'ann', at: T + 365 * DAY_MS, now: T, activity: true });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
      await lookedAt(hot, 'ann', T, undefined);
      await hot.sessions.write({ user: 'ann', at: T + 366 * DAY_MS, now: T + 1, activity: true });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + 1);
    });

    test('milliseconds are kept', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T + 7);
      expect((await hot.sessions.read('ann'))?.lastActivityAt).toBe(T + 7);
    });

    test('writes of one user take effect in the order of calls', async () => {
      const hot = await makeHot();
      const writes = Array.from({ length: 350 }, (_none, index) =>
        hot.sessions.write({
          user: 'ann',
          at: T + index,
          activity: true,
          fields: { topic: `t${index}` },
        }),
      );
      await Promise.all(writes);
      expect((await hot.sessions.read('ann'))?.fields['topic']).toBe('t349');
    });

    test('the life of a cart is noted: opened, added to, over when emptied, opened anew', async () => {
      const hot = await makeHot();
      const marks = async () =>
        parseOwnMarks((await hot.raw.hgetall(hot.keys.session('ann')))['rekindle']);
      await hot.sessions.write(cartWrite('ann', T, SHIRT));
      expect(await marks()).toEqual({
        epoch: T,
        endedAt: undefined,
        cartOpenedAt: T,
        cartAddedAt: T,
        cartDigest: cartDigest(SHIRT),
      });
      await hot.sessions.write(cartWrite('ann', T + 1, SHIRT));
      expect(await marks()).toMatchObject({ cartOpenedAt: T, cartAddedAt: T });
      await hot.sessions.write(cartWrite('ann', T + 2, TWO_SHIRTS));
      expect(await marks()).toMatchObject({ cartOpenedAt: T, cartAddedAt: T + 2 });
      await hot.sessions.write(cartWrite('ann', T + 3, SHIRT));
      expect(await marks()).toMatchObject({ cartOpenedAt: T, cartAddedAt: T + 2 });
      await hot.sessions.write(cartWrite('ann', T + 4, []));
      expect(await marks()).toMatchObject({
        cartOpenedAt: undefined,
        cartAddedAt: undefined,
        cartDigest: '',
      });
      await hot.sessions.write(cartWrite('ann', T + 5, SHIRT));
      expect(await marks()).toMatchObject({ cartOpenedAt: T + 5, cartAddedAt: T + 5 });
    });

    test('an order ends the life of a cart, with what it leaves behind', async () => {
      const hot = await makeHot();
      const marks = async () =>
        parseOwnMarks((await hot.raw.hgetall(hot.keys.session('ann')))['rekindle']);
      await hot.sessions.write(cartWrite('ann', T, TWO_SHIRTS));
      await hot.sessions.write({ ...cartWrite('ann', T + 1, SHIRT), ordered: true });
      expect(await marks()).toMatchObject({
        cartOpenedAt: undefined,
        cartDigest: cartDigest(SHIRT),
      });
      await hot.sessions.write(cartWrite('ann', T + 2, SHIRT));
      expect(await marks()).toMatchObject({ cartOpenedAt: undefined });
      await hot.sessions.write(cartWrite('ann', T + 3, TWO_SHIRTS));
      expect(await marks()).toMatchObject({ cartOpenedAt: T + 3 });
    });

    test('the lives of two carts never have the same name, even within a millisecond', async () => {
      const hot = await makeHot();
      const names = new Set<number | undefined>();
      for (let turn = 0; turn < 4; turn += 1) {
        await hot.sessions.write(cartWrite('ann', T, SHIRT));
        const { rekindle } = await hot.raw.hgetall(hot.keys.session('ann'));
        names.add(parseOwnMarks(rekindle)?.cartOpenedAt);
        await hot.sessions.write(cartWrite('ann', T, []));
      }
      expect(names.size).toBe(4);
      expect(names).not.toContain(undefined);
    });

    test('what the window pushes out goes to the overflow, in order', async () => {
      const hot = await makeHot({ window: 3 });
      for (let n = 1; n <= 5; n += 1) {
        await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: [said(`m${n}`)] });
      }
      expect(await hot.raw.lrange(hot.keys.overflow('ann'))).toEqual(
        ['m1', 'm2'].map((text) => said(text)),
      );
      expect((await hot.sessions.read('ann'))?.messages.map(({ content }) => content)).toEqual([
        'm3',
        'm4',
        'm5',
      ]);
    });

    test('many messages at once are kept, all of them', async () => {
      const hot = await makeHot();
      const messages = Array.from({ length: 10_050 }, (_none, index) => said(`m${index}`));
      await hot.sessions.write({ user: 'ann', at: T, activity: true, messages });
      const kept = [
        ...(await hot.raw.lrange(hot.keys.overflow('ann'))),
        ...(await hot.raw.lrange(hot.keys.messages('ann'))),
      ];
      expect(kept).toEqual(messages);
      expect(await hot.raw.lrange(hot.keys.messages('ann'))).toHaveLength(10);
    });

    test('the tokens of the window are counted: as noted, else 4 bytes each', async () => {
      const hot = await makeHot({ window: 2 });
      const tokens = async () => (await hot.sessions.read('ann'))?.contextTokens;
      await hot.sessions.write({
        user: 'ann',
        at: T,
        activity: true,
        messages: ['{"tokens":7,"role":"user","content":"x"}'],
      });
      expect(await tokens()).toBe(7);
      await hot.raw.rpush(hot.keys.messages('ann'), 'é'.repeat(9));
      await hot.sessions.write({
        user: 'ann',
        at: T,
        activity: true,
        messages: ['{"tokens":2,"role":"user","content":"y"}'],
      });
      expect(await tokens()).toBe(5 + 2);
    });

    test('an opt-out outlives the session', async () => {
      const hot = await makeHot();
      await hot.sessions.write({
        user: 'ann',
        at: T + 3,
        activity: false,
        optedOut: true,
        armNow: true,
      });
      expect(await hot.sessions.read('ann')).toBeUndefined();
      expect(await readOne(hot, 'ann')).toMatchObject({ optedOutAt: T + 3 });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + 3);
      expect(await hot.raw.pttl(hot.keys.optouts)).toBe(Number.POSITIVE_INFINITY);
    });

    test('an ended session is noted as such and looked at', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await lookedAt(hot, 'ann', T, T + thresholdMs);
      await hot.sessions.write({
        user: 'ann',
        at: T + 9,
        activity: false,
        ended: true,
        armNow: true,
      });
      expect((await hot.sessions.read('ann'))?.endedAt).toBe(T + 9);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + 9);
      await hot.sessions.write({
        user: 'nobody',
        at: T,
        activity: false,
        ended: true,
        armNow: true,
      });
      expect(await hot.sessions.read('nobody')).toBeUndefined();
    });

    test('the write after an end opens a new session; what was said before waits in the overflow', async () => {
      const hot = await makeHot();
      await hot.sessions.write({ ...cartWrite('ann', T, SHIRT), messages: [said('old')] });
      await hot.sessions.write({ user: 'ann', at: T + 1, activity: false, ended: true });
      await hot.sessions.write({ user: 'ann', at: T + 2, activity: true, messages: [said('new')] });
      const session = await hot.sessions.read('ann');
      expect(session).toMatchObject({ cart: [], endedAt: undefined, lastActivityAt: T + 2 });
      expect(session?.messages.map(({ content }) => content)).toEqual(['new']);
      expect(await hot.raw.lrange(hot.keys.overflow('ann'))).toEqual([said('old')]);
      expect(parseOwnMarks(session?.fields['rekindle'])?.epoch).toBe(T + 2);
    });

    test('consent and what else is the user’s own goes from an ended session to the next', async () => {
      const hot = await makeHot();
      const own = {
        consent: '{"status":"no"}',
        phone: '+49',
        timezone: 'Asia/Kolkata',
        language: 'hi',
      };
      await hot.sessions.write({
        user: 'ann',
        at: T,
        activity: true,
        fields: { ...own, topic: 'shoes' },
      });
      await hot.sessions.write({ user: 'ann', at: T + 1, activity: false, ended: true });
      await hot.sessions.write({
        user: 'ann',
        at: T + 2,
        activity: true,
        fields: { language: 'en' },
      });
      const fields = await hot.raw.hgetall(hot.keys.session('ann'));
      expect(fields).toMatchObject({ ...own, language: 'en' });
      expect(fields).not.toHaveProperty('topic');
    });

    test('a session of others stays theirs, with its TTL', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '1799999000', colour: 'red' });
      await hot.raw.pexpire(hot.keys.session('ann'), HOUR_MS);
      await hot.sessions.write({ ...cartWrite('ann', T, SHIRT), messages: [said('hi')] });
      const fields = await hot.raw.hgetall(hot.keys.session('ann'));
      expect(fields).toMatchObject({
        last_activity: '1800000000',
        colour: 'red',
        cart: JSON.stringify(SHIRT),
      });
      expect(fields).not.toHaveProperty('rekindle');
      expectWithin(await hot.raw.pttl(hot.keys.session('ann')), HOUR_MS, SECOND_MS);
      expect((await hot.sessions.read('ann'))?.ours).toBe(false);
    });

    test('a session of others cannot be ended by us, and is left as it is', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      const end = { user: 'ann', at: T, activity: false, ended: true, armNow: true };
      await expect(hot.sessions.write(end)).rejects.toThrow('written by another program');
      expect(await hot.raw.hgetall(hot.keys.session('ann'))).toEqual({ last_activity: '5' });
      expect((await hot.agenda.inspect('ann')).dueAt).toBeUndefined();
    });

    test('a list that is begun beside a session of others goes when that goes', async () => {
      const hot = await makeHot({ window: 1 });
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      await hot.raw.pexpire(hot.keys.session('ann'), HOUR_MS);
      for (const text of ['a', 'b']) {
        await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: [said(text)] });
      }
      expectWithin(await hot.raw.pttl(hot.keys.messages('ann')), HOUR_MS, SECOND_MS);
      // What was said waits for demotion, however long that takes.
      expect(await hot.raw.pttl(hot.keys.overflow('ann'))).toBe(Infinity);
    });

    test('a list of others keeps its TTL', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      await hot.raw.rpush(hot.keys.messages('ann'), said('theirs'));
      await hot.raw.pexpire(hot.keys.messages('ann'), HOUR_MS);
      await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: [said('ours')] });
      expectWithin(await hot.raw.pttl(hot.keys.messages('ann')), HOUR_MS, SECOND_MS);
    });

    test('a write that says nothing opens no session', async () => {
      const hot = await makeHot({ manage: true });
      await hot.sessions.write({ user: 'ann', at: T, activity: false });
      expect((await hot.agenda.counts(T)).armed).toBe(0);
      await hot.sessions.write({ user: 'ann', at: T, activity: false, armNow: true });
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
      expect(await hot.sessions.read('ann')).toBeUndefined();
    });

    test('with sessions of others managed, one becomes ours at the first write', async () => {
      const hot = await makeHot({ manage: true });
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '1799999000' });
      await hot.sessions.write({ user: 'ann', at: T, activity: false });
      expect((await hot.sessions.read('ann'))?.ours).toBe(true);
      expect((await hot.sessions.read('ann'))?.lastActivityAt).toBe(1_799_999_000_000);
      expectWithin(await hot.raw.pttl(hot.keys.session('ann')), ttlMs, SECOND_MS);
    });

    test.each<[string, (hot: Hot) => string, Partial<SessionWrite>]>([
      [
        'a session',
        (hot) => hot.keys.session('ann'),
        { activity: true, cart: { json: '[]', digest: '' } },
      ],
      ['messages', (hot) => hot.keys.messages('ann'), { activity: true, messages: [said('x')] }],
    ])(
      '%s of the wrong type rejects, changes nothing, and is that user’s trouble alone',
      async (_what, keyOf, write) => {
        const hot = await makeHot();
        await hot.raw.set(keyOf(hot), 'a text');
        const results = await Promise.allSettled([
          hot.sessions.write({ user: 'bob', at: T, activity: true }),
          hot.sessions.write({ user: 'ann', at: T, activity: true, ...write }),
          hot.sessions.write({ user: 'cem', at: T, activity: true }),
        ]);
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect(String((results[1] as PromiseRejectedResult).reason)).toContain(keyOf(hot));
        expect(await hot.raw.get(keyOf(hot))).toBe('a text');
        expect(await hot.agenda.inspect('ann')).toEqual({
          dueAt: undefined,
          leasedUntil: undefined,
        });
        for (const key of [
          hot.keys.session('ann'),
          hot.keys.messages('ann'),
          hot.keys.overflow('ann'),
        ]) {
          if (key !== keyOf(hot)) expect(await hot.raw.pttl(key)).toBeUndefined();
        }
      },
    );

    test('while the overflow is no list, messages stay in the window', async () => {
      const hot = await makeHot({ window: 1 });
      await hot.raw.set(hot.keys.overflow('ann'), 'a text');
      for (const text of ['a', 'b', 'c']) {
        await hot.sessions.write({ user: 'ann', at: T, activity: true, messages: [said(text)] });
      }
      expect(await hot.raw.lrange(hot.keys.messages('ann'))).toEqual(
        ['a', 'b', 'c'].map((text) => said(text)),
      );
      await hot.sessions.write({ user: 'ann', at: T, activity: false, ended: true });
      await expect(touched(hot, 'ann', T)).rejects.toThrow(/overflow/);
      expect(await hot.raw.lrange(hot.keys.messages('ann'))).toHaveLength(3);
    });

    test('an ended session with messages of the wrong type is not thrown away', async () => {
      const hot = await makeHot();
      await touched(hot, 'ann', T);
      await hot.raw.set(hot.keys.messages('ann'), '[]');
      await hot.sessions.write({ user: 'ann', at: T + 1, activity: false, ended: true });
      const before = await hot.raw.hgetall(hot.keys.session('ann'));
      await expect(hot.sessions.write({ user: 'ann', at: T + 2, activity: true })).rejects.toThrow(
        /messages/,
      );
      expect(await hot.raw.hgetall(hot.keys.session('ann'))).toEqual(before);
    });

    test('a write of thousands of fields does not stop the others’', async () => {
      const hot = await makeHot();
      const fields = Object.fromEntries(
        Array.from({ length: 10_000 }, (_none, n) => [`f${n}`, 'x']),
      );
      await Promise.all([
        hot.sessions.write({ user: 'ann', at: T, activity: true, fields }),
        hot.sessions.write({ user: 'bob', at: T, activity: true }),
      ]);
      expect((await hot.sessions.read('ann'))?.fields['f9999']).toBe('x');
      expect(await hot.sessions.read('bob')).toBeDefined();
    });
  });

  describe(`${name}: reading a session`, () => {
    test('there is none of a user who is not there', async () => {
      const { sessions } = await makeHot();
      expect(await sessions.read('nobody')).toBeUndefined();
    });

    test('gives it as it stands, with what Rekindle does not know', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), {
        last_activity: '1800000000',
        cart: JSON.stringify(SHIRT),
        active_channel: 'web',
        language: 'en',
        current_intent: 'buy',
        context_tokens: '12',
        colour: 'red',
      });
      await hot.raw.rpush(
        hot.keys.messages('ann'),
        '{"role":"user","content":"hi","x":1}',
        'no JSON',
        '[1]',
        'null',
      );
      expect(await hot.sessions.read('ann')).toEqual({
        user: 'ann',
        lastActivityAt: T,
        endedAt: undefined,
        ours: false,
        cart: SHIRT,
        channel: 'web',
        language: 'en',
        intent: 'buy',
        contextTokens: 12,
        fields: expect.objectContaining({ colour: 'red' }) as unknown,
        messages: [
          { role: 'user', content: 'hi', x: 1 },
          ...['no JSON', '[1]', 'null'].map((content) => ({ role: 'unknown', content })),
        ],
      });
    });

    test.each([
      [
        '[{"role":"user","content":"hi"},7]',
        [
          { role: 'user', content: 'hi' },
          { role: 'unknown', content: '7' },
        ],
      ],
      ['{"role":"user","content":"hi"}', [{ role: 'user', content: 'hi' }]],
      ['not JSON at all', [{ role: 'unknown', content: 'not JSON at all' }]],
    ])('messages kept as one text are read: %s', async (text, messages) => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      await hot.raw.set(hot.keys.messages('ann'), text);
      expect((await hot.sessions.read('ann'))?.messages).toEqual(messages);
    });

    test('a user whose id ends in :messages takes nothing from the other', async () => {
      const hot = await makeHot();
      await touched(hot, 'bob', T);
      await touched(hot, 'bob:messages', T);
      expect(await hot.sessions.read('bob')).toMatchObject({ user: 'bob', messages: [] });
      expect(await hot.sessions.read('bob:messages')).toMatchObject({
        user: 'bob:messages',
        ours: true,
      });
    });

    test.each([
      'hello',
      '1;0;99999999999999999999;1;Zk3a0Q1',
      '1;0;1;999999999999999;',
      '999999999999999;0;1;1;',
    ])('a session whose own notes somebody spoilt is not ours: %s', async (rekindle) => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5', rekindle });
      expect((await hot.sessions.read('ann'))?.ours).toBe(false);
      await hot.sessions.write({ user: 'ann', at: T, activity: true });
      expect(await hot.raw.hgetall(hot.keys.session('ann'))).toMatchObject({ rekindle });
      expect(await hot.raw.pttl(hot.keys.session('ann'))).toBe(Number.POSITIVE_INFINITY);
    });
  });

  describe(`${name}: arming what others touched`, () => {
    test('a new user is looked at now', async () => {
      const hot = await foreign('ann', { last_activity: formatInstant(T - 5) });
      await hot.sessions.armTouched(['ann'], T);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
    });

    test('an armed user’s touch changes nothing; a return is looked at now', async () => {
      const hot = await foreign('ann', { last_activity: formatInstant(T) });
      await hot.agenda.arm([{ user: 'ann', at: T + thresholdMs }]);
      await hot.sessions.armTouched(['ann'], T + 1);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T + thresholdMs);

      const back = await foreign('bob', { last_activity: formatInstant(T) });
      await back.agenda.arm([{ user: 'bob', at: T + 20 * HOUR_MS }]);
      await back.sessions.armTouched(['bob'], T + 1);
      expect((await back.agenda.inspect('bob')).dueAt).toBe(T + 1);
    });

    test('the look comes well before a short TTL', async () => {
      const hot = await foreign('ann', { last_activity: formatInstant(T) });
      await hot.raw.pexpire(hot.keys.session('ann'), 10 * MINUTE_MS);
      await hot.agenda.arm([{ user: 'ann', at: T + 6 * MINUTE_MS }]);
      await hot.sessions.armTouched(['ann'], T);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
    });

    test.each(['', 'yesterday', 'nan', 'inf', '-5', '0x7fffffff', '1e30', '99999999999999999999'])(
      'a last_activity of %j is looked at now, for the look says why',
      async (text) => {
        const hot = await foreign('ann', { last_activity: text });
        await hot.agenda.arm([{ user: 'ann', at: T + MINUTE_MS }]);
        await hot.sessions.armTouched(['ann'], T);
        expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
      },
    );

    test('a last_activity in the far future counts as now', async () => {
      const hot = await foreign('ann', { last_activity: '253402300799' });
      await hot.agenda.arm([{ user: 'ann', at: T + 20 * HOUR_MS }]);
      await hot.sessions.armTouched(['ann'], T);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
    });

    test('a last_activity of any length is looked at now, and holds nobody up', async () => {
      // With a pattern that tries every way to split them, these digits take an hour.
      const hot = await foreign('ann', { last_activity: `${'1'.repeat(500_000)}x` });
      await hot.sessions.armTouched(['ann'], T);
      expect((await hot.agenda.inspect('ann')).dueAt).toBe(T);
    });

    test('a session of the wrong type, and one that is gone, are looked at now', async () => {
      const hot = await makeHot();
      await hot.raw.set(hot.keys.session('ann'), 'x');
      await hot.sessions.armTouched(['ann', 'gone'], T);
      await hot.sessions.armTouched([], T);
      for (const user of ['ann', 'gone']) expect((await hot.agenda.inspect(user)).dueAt).toBe(T);
    });

    test('somebody’s messages are no session to look at', async () => {
      const hot = await makeHot();
      await hot.raw.rpush(hot.keys.messages('ann'), '{}');
      await hot.raw.set(hot.keys.messages('bob'), '[]');
      await hot.sessions.armTouched(['ann:messages', 'bob:messages'], T);
      expect((await hot.agenda.counts(T)).armed).toBe(0);
    });

    test('a session of ours in which nothing was the user’s doing yet waits for that', async () => {
      const hot = await makeHot();
      await hot.sessions.write({ user: 'ann', at: T, activity: false, messages: [said('hi')] });
      await hot.sessions.armTouched(['ann'], T);
      expect((await hot.agenda.inspect('ann')).dueAt).toBeUndefined();
    });

    async function foreign(user: string, fields: Record<string, string>): Promise<Hot> {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session(user), fields);
      return hot;
    }
  });

  describe(`${name}: going over all sessions`, () => {
    test('finds every user, and keys of ours are no sessions', async () => {
      const hot = await makeHot({ template: '<user_id>:s', prefix: 'rk' });
      const users = ['ann', 'b:c', 'emoji 🛒', '__proto__'];
      for (const user of users) await touched(hot, user, T);
      await hot.raw.set('rk:ledger:x:s', 'x');
      await hot.raw.set('unrelated', 'x');
      expect(await allOf((cursor) => hot.sessions.scan(cursor))).toEqual(new Set(users));
    });

    test('finds thousands', async () => {
      const hot = await makeHot();
      const users = Array.from({ length: 3_000 }, (_none, index) => `u${index}`);
      for (const user of users) await hot.raw.hset(hot.keys.session(user), { last_activity: '5' });
      expect(await allOf((cursor) => hot.sessions.scan(cursor))).toEqual(new Set(users));
    });

    test('tells messages from the session of a user whose id ends in :messages', async () => {
      const hot = await makeHot();
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      await hot.raw.rpush(hot.keys.messages('ann'), 'x');
      await hot.raw.set(hot.keys.messages('bob'), '[]');
      await hot.raw.hset(hot.keys.session('cem:messages'), { last_activity: '5' });
      expect(await allOf((cursor) => hot.sessions.scan(cursor))).toEqual(
        new Set(['ann', 'cem:messages']),
      );
    });

    test('a hash that ends like messages is a session, until messages take its place', async () => {
      const hot = await makeHot();
      for (const user of ['ann', 'bob']) {
        await hot.raw.hset(hot.keys.session(user), { last_activity: '5' });
        await hot.raw.hset(hot.keys.messages(user), { last_activity: '5' });
      }
      expect(await allOf((cursor) => hot.sessions.scan(cursor))).toEqual(
        new Set(['ann', 'ann:messages', 'bob', 'bob:messages']),
      );
      await hot.raw.del(hot.keys.messages('ann'), hot.keys.messages('bob'));
      await hot.raw.set(hot.keys.messages('ann'), '[]');
      await hot.raw.rpush(hot.keys.messages('bob'), '{}');
      expect(await allOf((cursor) => hot.sessions.scan(cursor))).toEqual(new Set(['ann', 'bob']));
      for (const { fields, problem } of await hot.ledgers.read(['ann:messages', 'bob:messages'], T))
        expect({ fields, problem }).toEqual({ fields: undefined, problem: undefined });
    });

    test('gives ids that cannot be one apart', async () => {
      const hot = await makeHot();
      const long = 'x'.repeat(513);
      await hot.raw.hset(hot.keys.session(long), { last_activity: '5' });
      await hot.raw.hset(hot.keys.session('x'.repeat(512)), { last_activity: '5' });
      const page = await hot.sessions.scan('');
      expect(page.impossible).toMatchObject([{ user: long }]);
      expect(page.users).toEqual(['x'.repeat(512)]);
    });
  });

  describe(`${name}: arming what was touched`, () => {
    test('tells whose sessions are not ours', async () => {
      const hot = await makeHot();
      await touched(hot, 'ours', T);
      await hot.raw.hset(hot.keys.session('theirs'), { last_activity: String(T) });
      await hot.raw.rpush(hot.keys.messages('list only'), 'x');
      expect(await hot.sessions.armTouched(['ours', 'theirs', 'list only'], T)).toEqual([
        'theirs',
        'list only',
      ]);
    });
  });

  describe(`${name}: hearing of touches`, () => {
    test('the sessions and messages of others are heard of until it is stopped', async () => {
      const hot = await makeHot();
      const heard = new Set<string>();
      const messagesOf = new Set<string>();
      const stop = new AbortController();
      const watching = hot.sessions.watch((user, messages) => {
        heard.add(user);
        if (messages) messagesOf.add(user);
      }, stop.signal);
      await expect.poll(() => hot.sessions.probeNotifications(200)).toBe(true);
      await hot.raw.hset(hot.keys.session('ann'), { last_activity: '5' });
      await hot.raw.rpush(hot.keys.messages('bob'), 'x');
      await hot.raw.hset(hot.keys.session('cem:messages'), { last_activity: '5' });
      await hot.raw.set('unrelated', 'x');
      await hot.raw.hset(hot.keys.session('x'.repeat(513)), { last_activity: '5' });
      await hot.raw.del(hot.keys.session('cem:messages'));
      await hot.raw.hset(hot.keys.session('last'), { last_activity: '5' });
      await expect.poll(() => heard).toContain('last');
      // Whose session that was is not told by its deletion.
      expect(heard).toEqual(new Set(['ann', 'bob', 'cem:messages', 'cem', 'last']));
      expect(messagesOf).toEqual(new Set(['bob', 'cem']));
      stop.abort();
      await watching;
      await hot.raw.hset(hot.keys.session('late'), { last_activity: '5' });
      expect(await hot.sessions.probeNotifications(50)).toBe(false);
      expect(heard).not.toContain('late');
    });

    test('a signal that aborted before stops it at once', async () => {
      const hot = await makeHot();
      await hot.sessions.watch(() => undefined, AbortSignal.abort());
    });
  });

  /** A batch of which bob has changed since it was read, and cem’s lease is over. */
  async function overtaken(
    hot: Hot,
    users: readonly string[],
  ): Promise<{ claim: Claim; readings: readonly Reading[] }> {
    for (const user of users) await hot.raw.hset(hot.keys.session(user), { last_activity: '5' });
    await hot.agenda.arm(users.map((user) => ({ user, at: T })));
    const claim = await hot.agenda.claim(T, 10);
    const readings = await hot.ledgers.read(users, T);
    await hot.raw.hset(hot.keys.session('bob'), { cart: '[]' });
    await hot.agenda.settle(claim, [{ user: 'cem', at: undefined }]);
    return { claim, readings };
  }

  async function claimed(
    hot: Hot,
    user = 'ann',
  ): Promise<{ hot: Hot; claim: Claim; reading: Reading }> {
    await hot.raw.hset(hot.keys.session(user), {
      last_activity: '1800000000',
      cart: JSON.stringify(SHIRT),
    });
    await hot.agenda.arm([{ user, at: T }]);
    const claim = await hot.agenda.claim(T, 10);
    return { hot, claim, reading: await readOne(hot, user) };
  }
}

const LEDGER: Ledger = { activityAt: T, sequence: T, cart: 'abcdef1' };

function aWrite(reading: Reading, write: Partial<LedgerWrite> = {}): LedgerWrite {
  return { reading, ledger: LEDGER, events: [], quarantine: undefined, ...write };
}

async function commit(
  hot: Hot,
  claim: Claim,
  reading: Reading,
  { now = T, ...write }: Partial<LedgerWrite> & { now?: number } = {},
): Promise<CommitOutcome | undefined> {
  return (await hot.ledgers.commit(claim, [aWrite(reading, write)], now))[0];
}

async function readOne(hot: Hot, user: string): Promise<Reading> {
  return (await hot.ledgers.read([user], T))[0]!;
}

function anEvent(user: string, sequence: number): CartEvent {
  return {
    specversion: '1.0',
    id: `${user}-${sequence}`,
    source: '/rekindle',
    type: 'cart.rescue_cancelled',
    subject: encodeURIComponent(user),
    time: '2027-01-15T08:00:00.000Z',
    datacontenttype: 'application/json',
    dataschema: 'urn:rekindle:schema:cart.rescue_cancelled:1',
    sequence: String(sequence).padStart(16, '0'),
    data: {
      user,
      episode: '2027-01-15T08:00:00.000Z',
      stage: 0,
      reason: 'resumed',
      last_activity: '2027-01-15T08:00:00.000Z',
      announcement_id: 'a',
    },
  };
}

/** What the ledger store holds of a user is the same after `work`, whatever that tried. */
async function expectUnchanged(hot: Hot, user: string, work: () => Promise<void>): Promise<void> {
  const held = async (): Promise<unknown> => {
    const { ledger, version, pending } = await readOne(hot, user);
    return { ledger, version, pending };
  };
  const before = await held();
  await work();
  expect(await held()).toEqual(before);
}

async function touched(hot: Hot, user: string, at: number): Promise<void> {
  await hot.sessions.write({ user, at, activity: true });
}

async function lookedAt(
  hot: Hot,
  user: string,
  now: number,
  next: number | undefined,
): Promise<void> {
  const claim = await hot.agenda.claim(now, 10);
  expect(claim.users).toContain(user);
  await hot.agenda.settle(claim, [{ user, at: next }]);
}

function cartWrite(user: string, at: number, cart: typeof SHIRT): SessionWrite {
  return {
    user,
    at,
    activity: true,
    cart: { json: JSON.stringify(cart), digest: cartDigest(cart) },
  };
}

function said(content: string): string {
  return JSON.stringify({ tokens: 1, role: 'user', content });
}

async function allOf(
  scan: (cursor: string) => Promise<{ cursor: string | undefined; users: readonly string[] }>,
): Promise<Set<string>> {
  const users = new Set<string>();
  let cursor: string | undefined = '';
  while (cursor !== undefined) {
    const page = await scan(cursor);
    for (const user of page.users) users.add(user);
    cursor = page.cursor;
  }
  return users;
}

function expectWithin(actual: number | undefined, expected: number, tolerance: number): void {
  expect(actual).toBeGreaterThan(expected - tolerance);
  expect(actual).toBeLessThanOrEqual(expected + tolerance);
}
