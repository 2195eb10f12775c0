import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { BusUnavailableError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type {
  Bus,
  DeadLetter,
  Delivery,
  SubscribeOptions,
  Subscription,
} from '../../src/ports/bus.ts';
import { didNotRun } from '../support/did-not-run.ts';
import { abandonedEvent, abandonedEvents, cancelledEvent } from '../support/sample-events.ts';
import { assertValidEvent } from '../support/schemas.ts';

/** A broker with nothing on it, and what can be done to it. */
export interface BusUnderTest {
  /** Opens the bus as another process would: all share the broker. The suite closes it. */
  readonly open: () => Promise<Bus> | Bus;
  /** Takes the broker away; the result brings it back. */
  readonly takeAway?: () => Promise<() => Promise<void>>;
  /** Cuts every connection to the broker; it stays up. */
  readonly cutConnections?: () => Promise<void>;
  /** Puts something on the bus that is no event. */
  readonly putJunk?: () => Promise<void>;
}

/** What a broker cannot do by its nature, and how the suite asks it instead. */
export interface BusTraits {
  /** How long its claims last, where a broker on a busy machine needs longer than 400 ms for the rest. */
  readonly claimMs?: number;
  /** It has one consumer group, whatever that is called. */
  readonly groups?: 'one';
  /** Only the events of a subject come in order, and so many subjects are in hand at once. */
  readonly subjectsInHand?: number;
  /** It would keep nothing without a group: until there is one it takes nothing. */
  readonly keepsWithoutGroup?: false;
  /** What waits for another attempt is not counted as behind. */
  readonly countsPutOff?: false;
}

const CLAIM_MS = 400;
/** Long enough for whatever is due to come, and for nothing to come that must not. */
const SOON_MS = 3_000;

/** What every adapter of the bus port keeps. Call it at the top of the adapter's test file. */
export function busContract(
  name: string,
  broker: () => BusUnderTest,
  traits: BusTraits = {},
): void {
  const { claimMs = CLAIM_MS, subjectsInHand = Infinity } = traits;
  const QUIET_MS = 2 * claimMs;
  describe(`${name} keeps the contract of a bus`, () => {
    let bus: Bus;
    const opened: Bus[] = [];

    const open = async (): Promise<Bus> => {
      const another = await broker().open();
      opened.push(another);
      return another;
    };
    const join = (options: Partial<SubscribeOptions> = {}, on = bus): Promise<Subscription> =>
      on.subscribe({ group: 'rescue', claimMs, maxDeliveries: 3, ...options });
    /** As they come, or each subject's as they come. */
    const inOrder = <T extends { readonly subject: string }>(events: readonly T[]): T[] =>
      subjectsInHand === Infinity
        ? [...events]
        : events.toSorted((one, other) =>
            one.subject < other.subject ? -1 : Number(one.subject > other.subject),
          );
    const idsInOrder = (events: readonly AnyEvent[]): string[] =>
      inOrder(events).map(({ id }) => id);
    const needsGroups = (context: TestContext): void => {
      if (traits.groups === 'one') didNotRun(context, 'this broker has one consumer group');
    };

    beforeEach(async () => {
      bus = await open();
    });
    afterEach(async () => {
      for (const one of opened.splice(0).reverse()) await one.close();
    });

    describe('publish', () => {
      it('gives every group every event, in order, as it was published', async (context) => {
        needsGroups(context);
        const first = await join({ group: 'first' });
        const second = await join({ group: 'second' });
        const events = [abandonedEvent(1), cancelledEvent(1), abandonedEvent(2)];
        expect(await bus.publish(events)).toEqual(events.map(() => ({ durable: true })));
        for (const member of [first, second]) {
          const deliveries = await receiveAll(member, 3);
          expect(inOrder(deliveries.map(({ event }) => event))).toEqual(inOrder(events));
          for (const { event } of deliveries) assertValidEvent(event);
        }
      });

      it('keeps the order of many events', async () => {
        const member = await join();
        const count = subjectsInHand === Infinity ? 1_200 : 10 * subjectsInHand;
        const events = many(count, subjectsInHand);
        expect(await bus.publish(events)).toHaveLength(count);
        const deliveries = await receiveAll(member, count);
        expect(idsInOrder(deliveries.map(({ event }) => event))).toEqual(idsInOrder(events));
      });

      it('keeps what is on the bus for a group that comes later, or takes nothing before', async () => {
        if (traits.keepsWithoutGroup === false) {
          await expect(bus.publish(abandonedEvents(3))).rejects.toThrow(BusUnavailableError);
          await join();
        }
        await bus.publish(abandonedEvents(3));
        expect(idsOf(await receiveAll(await join(), 3))).toHaveLength(3);
      });

      it('takes nothing when there is nothing', async () => {
        expect(await bus.publish([])).toEqual([]);
      });

      it('sends nothing once the signal is aborted', async () => {
        const member = await join();
        await expect(bus.publish(abandonedEvents(2), AbortSignal.abort())).rejects.toThrow();
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
      });
    });

    describe('receive', () => {
      it('shares the events among the members of a group', async () => {
        const members = [await join(), await join({}, await open())];
        await bus.publish(abandonedEvents(40));
        const ids: string[] = [];
        while (ids.length < 40) {
          for (const member of members) {
            const deliveries = await member.receive(3, 50);
            ids.push(...idsOf(deliveries));
            await settle(deliveries);
          }
        }
        expect(new Set(ids).size).toBe(40);
        expect(await members[0]!.receive(10, QUIET_MS)).toEqual([]);
      });

      it('wakes up for an event that comes while it waits', async () => {
        const member = await join();
        const waiting = member.receive(10, SOON_MS);
        await sleep(100);
        await bus.publish([abandonedEvent(1)]);
        expect(idsOf(await waiting)).toEqual([abandonedEvent(1).id]);
      });

      it('comes back with nothing when its time is up, or the signal aborts', async () => {
        const member = await join();
        expect(await member.receive(10, 100)).toEqual([]);
        const before = performance.now();
        expect(await member.receive(10, 60_000, AbortSignal.timeout(100))).toEqual([]);
        expect(performance.now() - before).toBeLessThan(SOON_MS);
        expect(await member.receive(10, 60_000, AbortSignal.abort())).toEqual([]);
      });

      it('gives only the types asked for, and settles the others', async () => {
        const member = await join({ types: ['cart.rescue_cancelled'] });
        await bus.publish([...abandonedEvents(10), cancelledEvent(1), ...abandonedEvents(5, 10)]);
        const deliveries = await receiveAll(member, 1);
        expect(deliveries.map(({ event }) => event.type)).toEqual(['cart.rescue_cancelled']);
        await settle(deliveries);
        const until = performance.now() + SOON_MS;
        do expect(await member.receive(10, 100)).toEqual([]);
        while ((await behind(bus, 'rescue')) !== 0 && performance.now() < until);
        expect(await behind(bus, 'rescue')).toBe(0);
      });

      it('comes back with nothing when the subscription is closed', async () => {
        const member = await join();
        const waiting = member.receive(10, 60_000);
        await sleep(50);
        await member.close();
        expect(await waiting).toEqual([]);
        expect(await member.receive(10, 60_000)).toEqual([]);
      });
    });

    describe('a delivery', () => {
      it('that is done is not given again', async () => {
        const member = await join();
        await bus.publish(abandonedEvents(3));
        const deliveries = await receiveAll(member, 3);
        expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
        await settle(deliveries);
        await deliveries[0]!.done();
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
        expect(await behind(bus, 'rescue')).toBe(0);
      });

      it('that nobody settles goes to another member', async () => {
        const dead = await join({}, await open());
        await bus.publish(abandonedEvents(3));
        await receiveAll(dead, 3);
        const alive = await join();
        const deliveries = await receiveAll(alive, 3);
        expect(idsInOrder(deliveries.map(({ event }) => event))).toEqual(
          idsInOrder(abandonedEvents(3)),
        );
        expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
        await settle(deliveries);
        expect(await alive.receive(10, QUIET_MS)).toEqual([]);
      });

      it('that is left by a closed subscription goes to another member', async () => {
        const leaving = await join();
        await bus.publish(abandonedEvents(2));
        await receiveAll(leaving, 2);
        await leaving.close();
        expect(await receiveAll(await join(), 2)).toHaveLength(2);
      });

      it('that is to be tried again comes back when it is due, not before', async () => {
        const member = await join();
        await bus.publish([abandonedEvent(1)]);
        const [delivery] = await receiveAll(member, 1);
        const before = performance.now();
        expect(await delivery!.retry(600)).toBe(true);
        expect(await member.receive(10, 300)).toEqual([]);
        const [again] = await receiveAll(member, 1);
        expect(performance.now() - before).toBeGreaterThanOrEqual(599);
        expect(again?.event).toEqual(delivery!.event);
        expect(again?.attempt).toBe(2);
      });

      it('that is to be tried again outlives its member, and delays no other', async () => {
        const other = await open();
        const leaving = await join({}, other);
        await bus.publish(abandonedEvents(3));
        const [first, ...rest] = await receiveAll(leaving, 3);
        await first!.retry(500);
        await settle(rest);
        await other.close();
        const member = await join();
        await bus.publish([abandonedEvent(7)]);
        const [fresh] = await receiveAll(member, 1);
        expect(fresh?.event.id).toBe(abandonedEvent(7).id);
        await fresh!.done();
        expect(idsOf(await receiveAll(member, 1))).toEqual([first!.event.id]);
      });

      it('that is deferred does not count as an attempt', async () => {
        const member = await join({ maxDeliveries: 2 });
        await bus.publish([abandonedEvent(1)]);
        for (let i = 0; i < 4; i += 1) {
          const [delivery] = await receiveAll(member, 1);
          expect(delivery!.attempt).toBe(1);
          expect(await delivery!.defer(10)).toBe(true);
        }
        expect((await receiveAll(member, 1))[0]!.attempt).toBe(1);
      });

      it('that is renewed stays with its member', async () => {
        const member = await join();
        const other = await join({}, await open());
        await bus.publish([abandonedEvent(1)]);
        const [delivery] = await receiveAll(member, 1);
        for (let i = 0; i < 6; i += 1) {
          expect(await other.receive(10, claimMs / 3)).toEqual([]);
          expect(await delivery!.renew()).toBe(true);
        }
        await delivery!.done();
        expect(await other.receive(10, QUIET_MS)).toEqual([]);
      });

      it('that was renewed and then forgotten is lost as well', async () => {
        const slow = await join();
        const other = await join({}, await open());
        await bus.publish([abandonedEvent(1)]);
        const [late] = await receiveAll(slow, 1);
        expect(await late!.renew()).toBe(true);
        const [current] = await receiveAll(other, 1);
        expect(current!.attempt).toBe(2);
        expect(await late!.renew()).toBe(false);
        expect(await late!.retry(60_000)).toBe(false);
        expect(await current!.renew()).toBe(true);
      });

      it('may be settled while it is being renewed', async () => {
        const member = await join();
        await bus.publish(abandonedEvents(2));
        const [first, second] = await receiveAll(member, 2);
        expect(await Promise.all([first!.renew(), first!.retry(0)])).toEqual([true, true]);
        await Promise.all([second!.renew(), second!.done()]);
        await settle(await receiveAll(member, 1));
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
        expect(await behind(bus, 'rescue')).toBe(0);
      });

      it('that was given to another member is lost to the first, and undisturbed by it', async () => {
        const slow = await join();
        const other = await join({}, await open());
        await bus.publish([abandonedEvent(1)]);
        const [late] = await receiveAll(slow, 1);
        const [current] = await receiveAll(other, 1);
        expect(await late!.renew()).toBe(false);
        expect(await late!.retry(60_000)).toBe(false);
        expect(await late!.deadLetter('too late')).toBe(false);
        expect(await current!.renew()).toBe(true);
        await current!.done();
        expect(await bus.deadLetters('rescue', 10)).toEqual([]);
        expect(await behind(bus, 'rescue')).toBe(0);
      });

      it('that took effect late harms nobody', async () => {
        const slow = await join();
        const other = await join({}, await open());
        await bus.publish(abandonedEvents(2));
        const late = await receiveAll(slow, 2);
        const current = await receiveAll(other, 2);
        await settle(late);
        await current[0]!.done();
        await current[1]!.retry(0);
        await settle(await other.receive(10, QUIET_MS));
        expect(await behind(bus, 'rescue')).toBe(0);
      });
    });

    describe('dead letters', () => {
      it('keep what a handler put aside, for its group alone', async (context) => {
        needsGroups(context);
        const member = await join();
        const other = await join({ group: 'other' });
        await bus.publish(abandonedEvents(2));
        const [first, second] = await receiveAll(member, 2);
        const before = Date.now();
        expect(await first!.deadLetter('no such product')).toBe(true);
        await second!.done();
        const [letter, ...more] = await bus.deadLetters('rescue', 10);
        expect(more).toEqual([]);
        expect(letter).toMatchObject({
          event: first!.event,
          reason: 'no such product',
          attempts: 1,
        });
        expect(JSON.parse(letter!.body)).toEqual(first!.event);
        expect(Math.abs(letter!.at - before)).toBeLessThan(5_000);
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
        expect(await receiveAll(other, 2)).toHaveLength(2);
        expect(await bus.deadLetters('other', 10)).toEqual([]);
        expect(await bus.groups()).toContainEqual({ group: 'rescue', behind: 0, deadLetters: 1 });
      });

      it('take an event whose last attempt failed, with its reason', async () => {
        const member = await join({ maxDeliveries: 2 });
        await bus.publish([abandonedEvent(1)]);
        await (await receiveAll(member, 1))[0]!.retry(0, 'mail server down');
        await (await receiveAll(member, 1))[0]!.retry(0, 'mail server still down');
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
        const [letter] = await bus.deadLetters('rescue', 10);
        expect(letter).toMatchObject({ event: abandonedEvent(1), attempts: 2 });
        expect(letter?.reason).toContain('mail server still down');
      });

      it('take an event that was never settled', async () => {
        const member = await join({ maxDeliveries: 2 });
        await bus.publish(abandonedEvents(2));
        await receiveAll(member, 2);
        await receiveAll(member, 2);
        // Whoever receives finds that it was the last attempt.
        let letters: readonly DeadLetter[] = [];
        for (let turn = 0; letters.length < 2 && turn < 5; turn += 1) {
          expect(await member.receive(10, 2 * QUIET_MS)).toEqual([]);
          letters = await bus.deadLetters('rescue', 10);
        }
        expect(idsInOrder(letters.map(({ event }) => event!))).toEqual(
          idsInOrder(abandonedEvents(2)),
        );
        expect(letters[0]).toMatchObject({ attempts: 2 });
      }, 60_000);

      it('are listed oldest first, as many as asked for', async () => {
        const member = await join();
        await bus.publish(abandonedEvents(3));
        const deliveries = await receiveAll(member, 3);
        for (const delivery of deliveries) await delivery.deadLetter('why not');
        const letters = await bus.deadLetters('rescue', 2);
        expect(letters.map(({ event }) => event?.id)).toEqual(idsOf(deliveries).slice(0, 2));
        expect(new Set(letters.map(({ id }) => id)).size).toBe(2);
      });

      it('are given to their group again, and to no other, as if nobody had tried them', async (context) => {
        needsGroups(context);
        const member = await join({ maxDeliveries: 1 });
        const other = await join({ group: 'other' });
        await bus.publish(abandonedEvents(3));
        for (const delivery of await receiveAll(member, 3)) await delivery.deadLetter('why not');
        await settle(await receiveAll(other, 3));
        const [, second] = await bus.deadLetters('rescue', 10);
        expect(await bus.deadLetters('rescue', 1, second!.id)).toEqual([second]);
        expect(await bus.replay('rescue', [second!.id, second!.id, 'nobody'])).toBe(1);
        expect(await bus.deadLetters('rescue', 10)).toHaveLength(2);
        const [again] = await receiveAll(member, 1);
        expect(again).toMatchObject({ event: second!.event, attempt: 1 });
        await again!.deadLetter('still not');
        expect(await bus.replay('rescue')).toBe(3);
        expect(await bus.deadLetters('rescue', 10)).toEqual([]);
        expect(await bus.replay('rescue')).toBe(0);
        const deliveries = await receiveAll(member, 3);
        expect(new Set(idsOf(deliveries))).toEqual(new Set(abandonedEvents(3).map(({ id }) => id)));
        await settle(deliveries);
        expect(await other.receive(10, QUIET_MS)).toEqual([]);
        expect(await behind(bus, 'rescue')).toBe(0);
      });

      it('are gone once they were dropped', async () => {
        const member = await join();
        await bus.publish(abandonedEvents(2));
        for (const delivery of await receiveAll(member, 2)) await delivery.deadLetter('why not');
        const [first, second] = await bus.deadLetters('rescue', 10);
        expect(await bus.drop('rescue', [first!.id, 'nobody'])).toBe(1);
        expect(await bus.drop('rescue', [first!.id])).toBe(0);
        expect(await bus.deadLetters('rescue', 10)).toEqual([second]);
        expect(await bus.replay('rescue', [first!.id])).toBe(0);
        expect(await member.receive(10, QUIET_MS)).toEqual([]);
      });

      it('take what is no event, and the rest goes on', async (context) => {
        const putJunk = offered(context, broker(), 'putJunk');
        const member = await join();
        await bus.publish([abandonedEvent(1)]);
        await putJunk();
        await bus.publish([abandonedEvent(2)]);
        const deliveries = await receiveAll(member, 2);
        expect(idsOf(deliveries)).toEqual([abandonedEvent(1).id, abandonedEvent(2).id]);
        await settle(deliveries);
        const letters = await bus.deadLetters('rescue', 100);
        expect(letters.length).toBeGreaterThan(0);
        for (const { event, reason } of letters) {
          expect(event).toBeUndefined();
          expect(reason).toContain('not an event');
        }
        expect(await behind(bus, 'rescue')).toBe(0);
      });
    });

    describe('groups and trim', () => {
      it('tell how far each group is behind', async (context) => {
        needsGroups(context);
        const quick = await join({ group: 'quick' });
        await join({ group: 'slow' });
        await bus.publish(abandonedEvents(5));
        const deliveries = await receiveAll(quick, 5);
        expect(await behind(bus, 'quick')).toBe(5);
        await settle(deliveries.slice(0, 3));
        await deliveries[3]!.retry(60_000);
        expect(await behind(bus, 'quick')).toBe(traits.countsPutOff === false ? 1 : 2);
        expect(await behind(bus, 'slow')).toBe(5);
      });

      it('take nothing that is unsettled, nor anything while there is no group', async (context) => {
        needsGroups(context);
        if (traits.keepsWithoutGroup !== false) await bus.publish(abandonedEvents(10));
        expect(await bus.trim()).toBe(0);
        const quick = await join({ group: 'quick' });
        const slow = await join({ group: 'slow' });
        if (traits.keepsWithoutGroup === false) await bus.publish(abandonedEvents(10));
        await settle(await receiveAll(quick, 10));
        const first = await receiveAll(slow, 3, 3);
        await settle(first);
        await bus.trim();
        const rest = (await receiveAll(slow, 7)).map(({ event }) => event);
        const expected = abandonedEvents(10).filter(({ id }) => !idsOf(first).includes(id));
        expect(idsInOrder(rest)).toEqual(idsInOrder(expected));
      });
    });

    describe('when the broker fails', () => {
      it('publish says so, receive waits, and both go on when it is back', async (context) => {
        const takeAway = offered(context, broker(), 'takeAway');
        const member = await join();
        await bus.publish([abandonedEvent(1)]);
        await settle(await receiveAll(member, 1));
        const bringBack = await takeAway();
        const waiting = receiveAll(member, 1);
        const refusal = await bus.publish([abandonedEvent(2)]).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(BusUnavailableError);
        expect((refusal as Error).cause).toBeDefined();
        await bringBack();
        await publishUntilTaken(bus, [abandonedEvent(3)]);
        expect(idsOf(await waiting)).toContain(abandonedEvent(3).id);
      });

      it('nothing is lost over connections that are cut again and again', async (context) => {
        const cutConnections = offered(context, broker(), 'cutConnections');
        const member = await join({ maxDeliveries: 100 });
        const seen = new Set<string>();
        const each = subjectsInHand === Infinity ? 10 : 3;
        const events = many(30 * each, subjectsInHand);
        const publishing = new AbortController();
        const reading = (async () => {
          while (!publishing.signal.aborted || !(await settledAll(bus))) {
            for (const delivery of await member.receive(10, 200)) {
              seen.add(delivery.event.id);
              // What was not settled comes again.
              await delivery.done().catch(expectUnavailable);
            }
          }
        })();
        for (let i = 0; i < 30; i += 1) {
          await publishUntilTaken(bus, events.slice(each * i, each * (i + 1)));
          if (i % 3 === 0) await cutConnections();
          await sleep(10);
        }
        publishing.abort();
        await reading;
        expect(seen.size).toBe(events.length);
      }, 60_000);
    });
  });
}

/** Announcements, each of another subject, or of so many in turn. */
function many(count: number, subjects: number): AnyEvent[] {
  return abandonedEvents(count).map((event, n) =>
    subjects === Infinity
      ? event
      : { ...abandonedEvent(n % subjects), id: event.id, sequence: event.id },
  );
}

/** Receives until `count` deliveries are there, at most `each` at a time. */
export async function receiveAll(
  member: Subscription,
  count: number,
  each?: number,
): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  const deadline = performance.now() + 2 * SOON_MS;
  while (deliveries.length < count && performance.now() < deadline) {
    const max = each === undefined ? 500 : Math.min(each, count - deliveries.length);
    deliveries.push(...(await member.receive(max, SOON_MS)));
  }
  expect(deliveries).toHaveLength(count);
  return deliveries;
}

export async function settle(deliveries: readonly Delivery[]): Promise<void> {
  await Promise.all(deliveries.map((delivery) => delivery.done()));
}

function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ event }) => event.id);
}

export async function behind(bus: Bus, group: string): Promise<number | undefined> {
  return (await bus.groups()).find((state) => state.group === group)?.behind;
}

async function publishUntilTaken(bus: Bus, events: readonly AnyEvent[]): Promise<void> {
  for (;;) {
    try {
      await bus.publish(events);
      return;
    } catch (error) {
      expectUnavailable(error);
      await sleep(50);
    }
  }
}

async function settledAll(bus: Bus): Promise<boolean> {
  const left = await behind(bus, 'rescue').catch(expectUnavailable);
  return left === 0;
}

function expectUnavailable(error: unknown): undefined {
  expect(error).toBeInstanceOf(BusUnavailableError);
  return undefined;
}

/** The fault, or the end of the test with a word about why it did not run. */
function offered<K extends 'takeAway' | 'cutConnections' | 'putJunk'>(
  context: TestContext,
  broker: BusUnderTest,
  fault: K,
): NonNullable<BusUnderTest[K]> {
  return broker[fault] ?? didNotRun(context, `this broker offers no ${fault}`);
}
