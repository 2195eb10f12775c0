import { beforeEach, describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/model/duration.ts';
import { UsageError } from '../../src/model/errors.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { SessionRef } from '../../src/model/session-names.ts';
import { aroundStep } from '../support/around-step.ts';
import { HOSTILE_USER_IDS } from '../support/hostile-user-ids.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import type { Hot, HotOptions } from '../support/hot-options.ts';
import { LookWorld, START } from '../support/look-world.ts';
import { POLICY, SHIRT, SHOES } from '../support/watched-user.ts';

const T = START;
const { thresholdMs } = HOT_DEFAULTS;
const [FIRST] = POLICY.stagesMs as [number];

const ANN_1 = { user: 'ann', session: 's1' } as const;
const ANN_2 = { user: 'ann', session: 's2' } as const;
const BOB_1 = { user: 'bob', session: 's1' } as const;

/** What the hot tier promises where one user has several sessions. */
export function severalSessionsContract(
  name: string,
  makeHot: (options: Partial<HotOptions>) => Promise<Hot> | Hot,
): void {
  describe.each([
    'session:<user_id>:<session_id>',
    'chat:{<user_id>}:<session_id>:state',
    's/<session_id>/<user_id>',
  ])(`${name}: several sessions of one user, as %s`, (template) => {
    let hot: Hot;
    let world: LookWorld;
    beforeEach(async () => {
      hot = await makeHot({ template, window: 2 });
      world = new LookWorld(hot);
    });
    const ref = (session: SessionRef): string => hot.keys.names.refOf(session);
    const dueAt = async (session: SessionRef): Promise<number | undefined> =>
      (await hot.agenda.inspect(ref(session))).dueAt;
    const told = ({ user, session }: typeof ANN_1 | typeof ANN_2 | typeof BOB_1): string[] =>
      world.bus.heard
        .filter(({ subject }) => subject === `${user}/${session}`)
        .map(({ type, data }) => `${type} ${data.stage}`);

    test('each has a cart, a window and an agenda entry of its own', async () => {
      await world.library.updateCart(ANN_1, [SHIRT]);
      for (const content of ['a', 'b', 'c'])
        await world.library.appendMessage(ANN_1, { role: 'user', content });
      world.outage(1_000);
      await world.library.appendMessage(ANN_2, { role: 'user', content: 'x' });
      expect(await world.library.readSession(ANN_1)).toMatchObject({
        user: 'ann',
        session: 's1',
        lastActivityAt: T,
        cart: [SHIRT],
        messages: [{ content: 'b' }, { content: 'c' }],
      });
      expect(await world.library.readSession(ANN_2)).toMatchObject({
        session: 's2',
        lastActivityAt: T + 1_000,
        cart: [],
        messages: [{ content: 'x' }],
      });
      expect(await hot.raw.lrange(hot.keys.overflow(ref(ANN_1)))).toHaveLength(1);
      expect(await hot.raw.lrange(hot.keys.overflow(ref(ANN_2)))).toEqual([]);
      await world.runFor(0);
      expect(await dueAt(ANN_1)).toBe(T + thresholdMs);
      expect(await dueAt(ANN_2)).toBe(T + 1_000 + thresholdMs);
    });

    test('what one does leaves the TTL of the other alone', async () => {
      const fields = { last_activity: formatInstant(T) };
      for (const session of [ANN_1, ANN_2]) {
        await hot.raw.hset(hot.keys.session(ref(session)), fields);
        await hot.raw.pexpire(hot.keys.session(ref(session)), HOUR_MS);
      }
      await hot.raw.del(hot.keys.session(ref(ANN_1)));
      await world.library.recordActivity(ANN_1);
      expect(await hot.raw.pttl(hot.keys.session(ref(ANN_1)))).toBeGreaterThan(HOUR_MS);
      expect(await hot.raw.pttl(hot.keys.session(ref(ANN_2)))).toBeLessThanOrEqual(HOUR_MS);
    });

    test('a session that is ended is the only one', async () => {
      for (const session of [ANN_1, ANN_2]) await world.library.updateCart(session, [SHIRT]);
      await world.library.endSession(ANN_1);
      expect(await world.library.readSession(ANN_1)).toBeUndefined();
      expect(await world.library.readSession(ANN_2)).toBeDefined();
      await world.runFor(FIRST);
      expect([told(ANN_1), told(ANN_2)]).toEqual([[], ['cart.abandoned 0']]);
    });

    test('two carts that were opened at one instant are two episodes, under ids of their own', async () => {
      for (const session of [ANN_1, ANN_2, BOB_1]) await world.library.updateCart(session, [SHIRT]);
      await world.runFor(FIRST);
      const { wire } = world.bus;
      expect(wire.map(({ data }) => [data.user, data.session_id])).toEqual(
        expect.arrayContaining([
          ['ann', 's1'],
          ['ann', 's2'],
          ['bob', 's1'],
        ]),
      );
      expect(new Set(wire.map(({ id }) => id)).size).toBe(3);
      expect(new Set(wire.map(({ data }) => data.episode)).size).toBe(1);
      await world.library.updateCart(ANN_2, [SHIRT, SHOES]);
      await world.runFor(0);
      expect(wire.at(-1)).toMatchObject({
        type: 'cart.rescue_cancelled',
        subject: 'ann/s2',
        data: {
          user: 'ann',
          session_id: 's2',
          announcement_id: wire.find(({ subject }) => subject === 'ann/s2')?.id,
        },
      });
      expect([told(ANN_1), told(BOB_1)]).toEqual([['cart.abandoned 0'], ['cart.abandoned 0']]);
    });

    test('an event that waits comes back as it is, to the byte', async () => {
      await world.library.updateCart(ANN_1, [SHIRT]);
      world.bus.away = true;
      await world.runFor(FIRST);
      const [reading] = await hot.ledgers.read([ref(ANN_1)], world.now);
      world.bus.away = false;
      await world.runFor(HOUR_MS);
      expect(JSON.stringify(reading?.pending)).toBe(JSON.stringify(world.bus.wire));
      expect(world.bus.wire).toMatchObject([
        { subject: 'ann/s1', data: { user: 'ann', session_id: 's1' } },
      ]);
    });

    test('an opt-out is the user’s: all their episodes close, and nobody else’s', async () => {
      for (const session of [ANN_1, ANN_2, BOB_1]) await world.library.updateCart(session, [SHIRT]);
      await world.runFor(FIRST);
      await world.library.optOut('ann');
      await world.runFor(0);
      const closed = ['cart.abandoned 0', 'cart.rescue_cancelled 0'];
      expect([told(ANN_1), told(ANN_2)]).toEqual([closed, closed]);
      await world.runFor(20 * HOUR_MS);
      expect(told(BOB_1)).toEqual(['cart.abandoned 0', 'cart.abandoned 1']);
      expect([told(ANN_1), told(ANN_2)]).toEqual([closed, closed]);
      await world.library.updateCart({ user: 'ann', session: 's3' }, [SHIRT]);
      await world.runFor(FIRST);
      expect(world.bus.heard.filter(({ subject }) => subject === 'ann/s3')).toEqual([]);
    });

    test('a consent that is withdrawn in one is withdrawn for all', async () => {
      for (const session of [ANN_1, ANN_2, BOB_1]) await world.library.updateCart(session, [SHIRT]);
      await world.runFor(FIRST);
      const refused = { consent: JSON.stringify({ status: 'no', at: world.now }) };
      await world.foreign(ref(ANN_1), { last_activity: formatInstant(world.now), ...refused });
      await world.runFor(0);
      await world.reconcile();
      await world.runFor(20 * HOUR_MS);
      const closed = ['cart.abandoned 0', 'cart.rescue_cancelled 0'];
      expect([told(ANN_1), told(ANN_2)]).toEqual([closed, closed]);
      expect(told(BOB_1)).toEqual(['cart.abandoned 0', 'cart.abandoned 1']);
      expect(world.looks).toBeLessThan(10);
    });

    test('an opt-out between reading and commit is seen by each session’s commit', async () => {
      for (const session of [ANN_1, ANN_2]) await world.library.updateCart(session, [SHIRT]);
      world.outage(HOUR_MS);
      const looker = world.newLooker((ports) =>
        aroundStep(ports, 'ledgers', 'read', async (read) => {
          const readings = await read();
          await world.library.optOut('ann');
          return readings;
        }),
      );
      await looker.lookOnce();
      await world.runFor(HOUR_MS);
      expect(world.bus.wire).toEqual([]);
    });

    test('what belongs to the user is asked for by the user, all else by both', async () => {
      await expect(world.library.recordActivity('ann')).rejects.toThrow(UsageError);
      await expect(world.library.readSession('ann')).rejects.toThrow(UsageError);
      const both = ANN_1 as unknown as string;
      await expect(world.library.optOut(both)).rejects.toThrow(UsageError);
      expect((await hot.agenda.counts(T)).armed).toBe(0);
    });

    test('what others write is heard of, found and armed by both ids', async () => {
      const heard = new Set<string>();
      const stop = new AbortController();
      const watching = hot.sessions.watch((user) => heard.add(user), stop.signal);
      await expect.poll(() => hot.sessions.probeNotifications(200)).toBe(true);
      await world.foreign(ref(ANN_1), { last_activity: formatInstant(T) });
      await world.foreign(ref(ANN_2), { last_activity: formatInstant(T) });
      await hot.raw.rpush(hot.keys.messages(ref(ANN_1)), '{}');
      await hot.raw.hset(`${hot.keys.names.before}ann`, { last_activity: '5' });
      await expect.poll(() => heard).toEqual(new Set([ref(ANN_1), ref(ANN_2)]));
      stop.abort();
      await watching;
      expect(await dueAt(ANN_2)).toBe(T);
      const page = await hot.sessions.scan('');
      expect([page.users.toSorted(), page.impossible]).toEqual([[ref(ANN_1), ref(ANN_2)], []]);
    });

    test('an id that is empty or too long is put into quarantine, until its key is gone', async () => {
      const { before, between = '', after } = hot.keys.names;
      const refs = [`ann${between}`, `${between}s1`, `ann${between}${'x'.repeat(600)}`];
      for (const one of refs)
        await hot.raw.hset(before + one + after, { last_activity: formatInstant(T) });
      const page = await hot.sessions.scan('');
      expect(page.users).toEqual([]);
      expect(page.impossible.map(({ user }) => user).toSorted()).toEqual(refs.toSorted());
      for (const total of [3, 3]) {
        await world.reconcile();
        expect((await hot.ledgers.quarantined(10)).total).toBe(total);
      }
      await hot.raw.del(...refs.map((one) => before + one + after));
      await world.reconcile();
      expect((await hot.ledgers.quarantined(10)).total).toBe(0);
    });

    test('whatever they are called, each is found under its own key and announced', async () => {
      const ids = HOSTILE_USER_IDS.filter((one) => Buffer.byteLength(one) < 200);
      const pairs = ids.flatMap((user, at) =>
        [3, 17].map((step) => ({ user, session: ids[(at + step) % ids.length] ?? '' })),
      );
      const possible = pairs.filter(({ session }) => !session.includes(hot.keys.names.between!));
      expect(possible.length).toBeGreaterThan(pairs.length / 2);
      for (const session of possible) await world.library.updateCart(session, [SHIRT]);
      for (const session of possible) {
        expect(await world.library.readSession(session)).toMatchObject({ ...session });
        expect(hot.keys.sessionUser(hot.keys.session(ref(session)))).toBe(ref(session));
      }
      const refs = new Set(possible.map(ref));
      expect(new Set((await hot.sessions.scan('')).users)).toEqual(refs);
      await world.runFor(FIRST);
      expect(new Set((await hot.ledgers.scan('')).users)).toEqual(refs);
      const named = ({ user, session }: { user: string; session: string }): string =>
        JSON.stringify([user, session]);
      expect(
        world.bus.wire
          .map(({ data }) => named({ user: data.user, session: data.session_id ?? '' }))
          .toSorted(),
      ).toEqual(possible.map(named).toSorted());
    });
  });
}
