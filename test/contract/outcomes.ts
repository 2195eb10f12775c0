import { beforeEach, describe, expect, test } from 'vitest';
import type { CartRecoveredData, RekindleEvent } from '../../src/model/event.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { formatInstant, isoInstant } from '../../src/model/instant.ts';
import type { Note } from '../../src/model/ledger.ts';
import { noteReply, noteTouch } from '../../src/rescue/outcome.ts';
import type { Hot, HotOptions } from '../support/hot-options.ts';
import { LookWorld } from '../support/look-world.ts';
import { strike } from '../support/strike.ts';
import { SHIRT, SHOES } from '../support/watched-user.ts';

/** Makes a hot tier over nothing, with a clock that the suite moves. */
export type MakeHot = (now: () => number, options?: Partial<HotOptions>) => Promise<Hot> | Hot;

const FIRST = 30 * MINUTE_MS;

/** What becomes of announcements: messages and answers that are noted, orders, channels that are opted out of. */
export function outcomesContract(name: string, makeHot: MakeHot): void {
  let world: LookWorld;
  const now = (): number => world.now;
  beforeEach(async () => {
    world = new LookWorld(await makeHot(now));
  });

  type Announced = RekindleEvent<'cart.abandoned'>;
  const announced = async (user = 'ann'): Promise<Announced> => {
    await world.library.updateCart(user, [SHIRT], { channel: 'whatsapp' });
    await world.runFor(FIRST);
    return latest();
  };
  const latest = (): Announced => world.bus.heard.findLast((one) => one.type === 'cart.abandoned')!;
  const ports = (): Parameters<typeof noteTouch>[3] => ({ ...world.hot, clock: world.clock });
  const sent = (event: Announced, message_id = 'm1', at = world.now, channel = 'whatsapp') =>
    noteTouch(event.data.user, event, { channel, message_id, at }, ports());
  const recovered = (): CartRecoveredData[] =>
    world.bus.heard.flatMap((one) => (one.type === 'cart.recovered' ? [one.data] : []));

  describe(`${name}: a message that was sent`, () => {
    test('is told once, however often it is noted', async () => {
      const event = await announced();
      world.outage(SECOND_MS);
      expect(await sent(event)).toBe(true);
      await world.runFor(0);
      expect(await sent(event)).toBe(true);
      expect(await sent(event)).toBe(true);
      await world.runFor(0);
      expect(world.bus.of('ann')).toEqual(['announced 0', 'touched 0: whatsapp']);
      expect(world.bus.heard.at(-1)).toMatchObject({
        subject: 'ann',
        data: {
          episode: event.data.episode,
          announcement_id: event.id,
          message_id: 'm1',
          at: isoInstant(world.now),
        },
      });
    });

    test('is another with another id or on another channel', async () => {
      const event = await announced();
      await sent(event, 'm1');
      await sent(event, 'm2');
      await sent(event, 'm1', world.now, 'email');
      await world.runFor(0);
      expect(world.bus.of('ann').slice(1)).toEqual([
        'touched 0: whatsapp',
        'touched 0: whatsapp',
        'touched 0: email',
      ]);
    });

    test('is told although its episode is over', async () => {
      const event = await announced();
      await world.library.updateCart('ann', []);
      await world.runFor(0);
      await sent(event);
      await world.runFor(0);
      expect(world.bus.of('ann').at(-1)).toBe('touched 0: whatsapp');
    });

    test('is told of a session that nobody understands', async () => {
      const event = await announced();
      await world.hot.raw.hset(world.hot.keys.session('ann'), { cart: '{' });
      await sent(event);
      await world.runFor(0);
      expect(world.bus.of('ann').at(-1)).toBe('touched 0: whatsapp');
      await world.reconcile();
      await world.runFor(0);
      expect(world.bus.of('ann')).toHaveLength(2);
    });

    test('is no activity: the next stage comes when it is due', async () => {
      await sent(await announced());
      await world.runFor(20 * HOUR_MS);
      expect(world.bus.of('ann').at(-1)).toBe('announced 1');
    });

    test('is not noted of somebody of whom nothing is known', async () => {
      const event = await announced();
      await world.hot.raw.del(world.hot.keys.ledger('ann'));
      expect(await sent(event)).toBe(false);
      expect(await world.hot.agenda.inspect('ann')).toMatchObject({ leasedUntil: undefined });
      expect(await world.hot.ledgers.read(['ann'], world.now)).toMatchObject([{ notes: [] }]);
    });

    test('is taken in by a look that saw it, and no commit that did not passes over it', async () => {
      const event = await announced();
      await world.library.recordActivity('ann');
      const claim = await world.hot.agenda.claim(world.now, 1);
      const [before] = await world.hot.ledgers.read(['ann'], world.now);
      await sent(event);
      const write = {
        reading: before!,
        ledger: before!.ledger!,
        events: [],
        quarantine: undefined,
      };
      expect(await world.hot.ledgers.commit(claim, [write], world.now)).toEqual(['changed']);
      const [reading] = await world.hot.ledgers.read(['ann'], world.now);
      expect(reading!.notes).toHaveLength(1);
      expect(
        await world.hot.ledgers.commit(claim, [{ ...write, reading: reading! }], world.now),
      ).toEqual(['committed']);
      expect((await world.hot.ledgers.read(['ann'], world.now))[0]!.notes).toEqual([]);
    });

    test('stays noted while events are struck', async () => {
      const event = await announced();
      world.bus.away = true;
      await world.library.recordActivity('ann');
      await world.runFor(0);
      await sent(event);
      const [{ pending } = { pending: [] }] = await world.hot.ledgers.read(['ann'], world.now);
      expect(pending).toHaveLength(1);
      await strike(world.hot, [{ user: 'ann', ids: pending.map(({ id }) => id) }]);
      const [reading] = await world.hot.ledgers.read(['ann'], world.now);
      expect(reading).toMatchObject({ pending: [], notes: [{ what: 'touch', messageId: 'm1' }] });
    });

    test.each<[string, Record<string, unknown>]>([
      ['without a channel', { channel: '' }],
      ['with a channel that is none', { channel: 'x'.repeat(65) }],
      ['without an id', { message_id: undefined }],
      ['with an id too long to be told', { message_id: 'x'.repeat(257) }],
      ['at no instant', { at: Number.NaN }],
    ])('is refused %s', async (_what, wrong) => {
      const event = await announced();
      const message = { channel: 'whatsapp', message_id: 'm1', ...wrong };
      expect(() => noteTouch('ann', event, message, ports())).toThrow(/channel|message_id|instant/);
    });

    test('counts for the cap once, for as long as that looks back', async () => {
      world = new LookWorld(await makeHot(now, { contactWindowMs: DAY_MS }));
      const event = await announced();
      const at = world.now;
      await sent(event);
      await sent(event);
      await sent(event, 'm2', at + 1);
      const contactedAt = async (user: string): Promise<readonly number[]> =>
        (await world.hot.ledgers.read([user], world.now))[0]!.contactedAt;
      expect(await contactedAt('ann')).toEqual([at, at + 1]);
      expect(await contactedAt('bob')).toEqual([]);
    });
  });

  describe(`${name}: an order`, () => {
    test('that names the announcement is owed to it', async () => {
      const event = await announced();
      await sent(event);
      world.outage(3 * DAY_MS);
      await world.library.placeOrder('ann', { recovery_ref: event.id, orderId: 'o1', value: 99.5 });
      await world.runFor(0);
      expect(recovered()).toMatchObject([
        {
          class: 'direct',
          announcement_id: event.id,
          order_id: 'o1',
          value: 99.5,
          ordered_at: isoInstant(world.now),
          touch: { channel: 'whatsapp', message_id: 'm1' },
        },
      ]);
    });

    test('that names a message is owed to that', async () => {
      const event = await announced();
      await sent(event, 'm1');
      world.outage(MINUTE_MS);
      await sent(event, 'm2');
      world.outage(3 * DAY_MS);
      await world.library.placeOrder('ann', { recovery_ref: 'm1' });
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ class: 'direct', touch: { message_id: 'm1' } }]);
    });

    test('that names something else is judged as if it named nothing', async () => {
      await announced();
      await world.library.placeOrder('ann', { recovery_ref: 'another shop’s' });
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ class: 'organic', touch: null, order_id: null }]);
    });

    test('after an answer is owed to the message before it', async () => {
      const event = await announced();
      await sent(event);
      world.outage(2 * DAY_MS);
      await noteReply('ann', event, world.now, ports());
      world.outage(2 * DAY_MS);
      await world.library.placeOrder('ann');
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ class: 'direct', touch: { message_id: 'm1' } }]);
    });

    test.each([
      ['whatsapp', DAY_MS, 'assisted'],
      ['whatsapp', DAY_MS + 1, 'organic'],
      ['email', 5 * DAY_MS, 'assisted'],
      ['email', 5 * DAY_MS + 1, 'organic'],
      ['E-Mail', 5 * DAY_MS, 'assisted'],
      ['constructor', DAY_MS, 'assisted'],
      ['__proto__', DAY_MS, 'assisted'],
    ])('after a message by %s, %i ms later, is %s', async (channel, afterMs, owedTo) => {
      const event = await announced();
      const at = world.now;
      await sent(event, 'm1', at, channel);
      await world.runUntil(at + afterMs);
      await world.library.placeOrder('ann', { at: at + afterMs });
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ class: owedTo }]);
    });

    test('is worth what the cart was, where it does not say', async () => {
      await announced();
      await world.library.placeOrder('ann');
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ value: 20, stage: 0 }]);
    });

    test('of a cart that was not announced is nobody’s doing', async () => {
      await world.library.updateCart('ann', [SHIRT]);
      await world.runFor(FIRST - 1);
      await world.library.placeOrder('ann');
      await world.runFor(0);
      expect(recovered()).toEqual([]);
    });

    test('is told once, also when the user had come back before', async () => {
      await announced();
      await world.library.recordActivity('ann');
      await world.runFor(MINUTE_MS);
      await world.library.placeOrder('ann');
      await world.runFor(MINUTE_MS);
      await world.reconcile();
      await world.runFor(DAY_MS);
      expect(world.bus.of('ann')).toEqual([
        'announced 0',
        'cancelled 0: resumed',
        'recovered 0: organic',
      ]);
    });

    test('says nothing of the order before it', async () => {
      const event = await announced();
      await world.library.placeOrder('ann', { recovery_ref: event.id, orderId: 'o1', value: 5 });
      await world.runFor(MINUTE_MS);
      await world.library.updateCart('ann', [SHOES]);
      await world.runFor(FIRST);
      await world.library.placeOrder('ann');
      await world.runFor(0);
      expect(recovered()).toMatchObject([
        { class: 'direct', order_id: 'o1', value: 5 },
        { class: 'organic', order_id: null, value: 90 },
      ]);
    });

    test('of another program is judged by the same fields', async () => {
      const event = await announced();
      await world.foreign('ann', {
        cart: '[]',
        last_order_at: formatInstant(world.now),
        order_id: 'o7',
        order_value: '12.5',
        recovery_ref: event.id,
      });
      await world.runFor(0);
      expect(recovered()).toMatchObject([{ class: 'direct', order_id: 'o7', value: 12.5 }]);
    });

    test.each([['text'], ['-1'], ['Infinity'], ['NaN']])(
      'whose value is %s is worth what the cart was',
      async (order_value) => {
        await announced();
        await world.foreign('ann', { last_order_at: formatInstant(world.now), order_value });
        await world.runFor(0);
        expect(recovered()).toMatchObject([{ value: 20 }]);
      },
    );

    test('with a note under way counts it, for a look sees both or neither', async () => {
      const event = await announced();
      await sent(event);
      await world.library.placeOrder('ann');
      await world.runFor(0);
      expect(world.bus.of('ann').slice(1)).toEqual([
        'touched 0: whatsapp',
        'cancelled 0: ordered',
        'recovered 0: assisted',
      ]);
    });

    test('keeps the latest messages of an episode, and no more', async () => {
      const event = await announced();
      for (let n = 0; n < 20; n += 1) await sent(event, `m${n}`);
      await world.runFor(0);
      const [reading] = await world.hot.ledgers.read(['ann'], world.now);
      expect(reading!.ledger!.episode!.touches!.map(({ messageId }) => messageId)).toEqual(
        Array.from({ length: 16 }, (_none, index) => `m${index + 4}`),
      );
    });
  });

  describe(`${name}: opting out of a channel`, () => {
    test('takes back what was announced for it, once, and leaves the cart open', async () => {
      await announced();
      world.outage(1);
      await world.library.optOut('ann', 'WhatsApp');
      await world.runFor(HOUR_MS);
      await world.reconcile();
      await world.runFor(20 * HOUR_MS);
      expect(world.bus.of('ann')).toEqual(['announced 0', 'cancelled 0: opted_out', 'announced 1']);
      expect(latest().data.contact).toMatchObject({ allowed: 'no', basis: 'opt_out' });
    });

    test('leaves what is on another channel as it is', async () => {
      await announced();
      world.outage(1);
      await world.library.optOut('ann', ['sms', 'email']);
      await world.runFor(HOUR_MS);
      expect(world.bus.of('ann')).toEqual(['announced 0']);
    });

    test('adds to those before, and a later one of all stands above them', async () => {
      await announced();
      world.outage(1);
      await world.library.optOut('ann', 'sms');
      await world.library.optOut('ann', ['e-mail', 'sms']);
      const read = async () => (await world.hot.ledgers.read(['ann'], world.now))[0]!;
      const at = world.now;
      expect(await read()).toMatchObject({
        optedOutAt: undefined,
        optedOutOf: new Map([
          ['e-mail', at],
          ['sms', at],
        ]),
      });
      await world.library.optOut('ann');
      expect(await read()).toMatchObject({ optedOutAt: at });
      await world.library.optOut('ann', 'sms');
      expect(await read()).toMatchObject({ optedOutAt: at, optedOutOf: new Map([['sms', at]]) });
      await world.runFor(0);
      expect(world.bus.of('ann').at(-1)).toBe('cancelled 0: opted_out');
    });

    test('is taken back by a later consent to that channel, and by no other', async () => {
      await announced();
      world.outage(1);
      await world.library.optOut('ann', ['whatsapp', 'sms']);
      world.outage(1);
      const consent = { status: 'yes', scope: ['whatsapp', 'sms'], at: world.now };
      const to = (scope: string[]): string => JSON.stringify({ ...consent, scope });
      const nextStage = async (stage: number, scope: string[]) => {
        await world.library.recordActivity('ann', { fields: { consent: to(scope) } });
        await world.runFor(20 * HOUR_MS * stage * stage);
        expect(latest().data.stage).toBe(stage);
        return latest().data.contact;
      };
      expect(await nextStage(1, ['sms'])).toMatchObject({ basis: 'opt_out' });
      expect(await nextStage(2, ['whatsapp'])).toMatchObject({ allowed: 'yes' });
    });

    test.each([[''], ['a,b'], ['a;b'], ['a=b'], ['x'.repeat(33)], [[]], [['sms', ' ']]])(
      'is refused of %j',
      async (scope) => {
        await expect(world.library.optOut('ann', scope)).rejects.toThrow('a scope is a channel');
      },
    );
  });

  test(`${name}: notes that are no notes of ours make the ledger unreadable, and nothing else`, async () => {
    await announced();
    const key = world.hot.keys.ledger('ann');
    const note: Note = { what: 'reply', episode: 1, at: 1 };
    await world.hot.ledgers.note('ann', note, world.now);
    const [reading] = await world.hot.ledgers.read(['ann'], world.now);
    expect(reading!.notes).toEqual([note]);
    await world.hot.raw.set(key, '0000000 spoilt');
    expect(await world.hot.ledgers.read(['ann'], world.now)).toMatchObject([
      { problem: { reason: 'ledger_unreadable' } },
    ]);
  });
}
