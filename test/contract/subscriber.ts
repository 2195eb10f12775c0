import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Wanted } from '../../src/abandonment/wanted.ts';
import { PermanentError, UsageError } from '../../src/model/errors.ts';
import type { AnyEvent, EventType, RekindleEvent } from '../../src/model/event.ts';
import type { Bus } from '../../src/ports/bus.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Inbox } from '../../src/ports/inbox.ts';
import { NoLongerWantedError, TakenAwayError } from '../../src/rescue/errors.ts';
import type { SubscriberOptions } from '../../src/rescue/options.ts';
import type { ReceivedEvent } from '../../src/rescue/received-event.ts';
import { Subscriber } from '../../src/rescue/subscriber.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { abandonedEvent, abandonedEvents, cancelledEvent } from '../support/sample-events.ts';

/** A bus and an inbox with nothing on them, which all subscribers of a test share. */
export interface SubscriberWorld {
  readonly openBus: () => Bus;
  readonly openInbox: () => Inbox;
  readonly clock: Clock;
  readonly erase: (user: string, at: number) => Promise<void>;
  /** Takes the bus away; the result brings it back. */
  readonly takeBusAway: () => Promise<() => Promise<void>>;
}

const CLAIM_MS = 600;
const SOON_MS = 10_000;
/** Long enough for whatever is due to come. */
const QUIET_MS = 2 * CLAIM_MS;

const YES: Wanted = { wanted: true, contact: abandonedEvent(1).data.contact };

type Announcement = ReceivedEvent<'cart.abandoned'>;

/** The announcement of the n-th user's later stage: overtakes the others. */
function laterEvent(n: number): RekindleEvent<'cart.abandoned'> {
  const event = abandonedEvent(n);
  return {
    ...event,
    id: `${event.id.slice(0, -1)}x`,
    sequence: '3'.padStart(16, '0'),
    data: { ...event.data, stage: 1 },
  };
}

function erasedEvent(n: number): RekindleEvent<'user.erased'> {
  const { data, ...attributes } = abandonedEvent(n);
  return {
    ...attributes,
    type: 'user.erased',
    id: `erasure-${n}`,
    sequence: '9'.padStart(16, '0'),
    data: { user: data.user, erased_at: attributes.time },
  };
}

/** What the subscriber kit keeps over any bus and inbox. Call it at the top of a test file. */
export function subscriberContract(name: string, world: () => SubscriberWorld): void {
  describe(`a subscriber over ${name}`, () => {
    let bus: Bus;
    const opened: Bus[] = [];
    const running: Subscriber[] = [];
    /** What is not wanted any more, by the event's id. */
    let unwanted: Map<string, Wanted & { wanted: false }>;
    let asked: string[][];
    let hotAway: boolean;

    const wanted = async (
      events: readonly RekindleEvent<'cart.abandoned'>[],
    ): Promise<Wanted[]> => {
      if (hotAway) throw new Error('the hot tier is away');
      asked.push(events.map(({ id }) => id));
      return events.map(({ id }) => unwanted.get(id) ?? YES);
    };

    const make = <T extends EventType = EventType>(
      options: Partial<SubscriberOptions<T>> & Pick<SubscriberOptions<T>, 'handler'>,
      inbox: Inbox = world().openInbox(),
    ): Subscriber => {
      const own = world().openBus();
      opened.push(own);
      const subscriber = new Subscriber(
        { bus: own, inbox, clock: world().clock, wanted },
        {
          group: 'rescue',
          claimMs: CLAIM_MS,
          maxDeliveries: 3,
          backoff: { firstMs: 50, longestMs: 50 },
          ...options,
        },
      );
      running.push(subscriber);
      return subscriber;
    };
    const run = async <T extends EventType = EventType>(
      options: Partial<SubscriberOptions<T>> & Pick<SubscriberOptions<T>, 'handler'>,
      inbox?: Inbox,
    ): Promise<Subscriber> => {
      const subscriber = make(options, inbox);
      await subscriber.start();
      return subscriber;
    };
    const behind = async (): Promise<number | undefined> =>
      (await bus.groups()).find(({ group }) => group === 'rescue')?.behind;
    const settled = (): Promise<void> =>
      vi.waitFor(async () => expect(await behind()).toBe(0), { timeout: SOON_MS, interval: 20 });
    const until = (check: () => void): Promise<void> =>
      vi.waitFor(check, { timeout: SOON_MS, interval: 5 });

    beforeEach(() => {
      unwanted = new Map();
      asked = [];
      hotAway = false;
      bus = world().openBus();
      opened.push(bus);
    });
    afterEach(async () => {
      const now = AbortSignal.abort();
      await Promise.allSettled(running.splice(0).map((one) => one.stop(now)));
      for (const one of opened.splice(0)) await one.close();
    });

    describe('once in effect', () => {
      it('calls the handler once for each event, however often it is on the bus', async () => {
        const handled: string[] = [];
        const subscriber = await run({ handler: ({ id }) => handled.push(id) });
        const events = abandonedEvents(50);
        for (let i = 0; i < 3; i += 1) await bus.publish(events);
        await until(() => expect(subscriber.counts.repeats).toBe(100));
        await settled();
        expect(handled.toSorted()).toEqual(events.map(({ id }) => id).toSorted());
        expect(subscriber.counts).toMatchObject({ received: 150, handled: 50 });
      });

      it('calls it once over two subscribers, and again in another group', async () => {
        const handled: string[] = [];
        const others: string[] = [];
        await run({ handler: ({ id }) => handled.push(id) });
        await run({ handler: ({ id }) => handled.push(id) });
        await run({ group: 'other', handler: ({ id }) => others.push(id) });
        for (let i = 0; i < 3; i += 1) await bus.publish(abandonedEvents(40));
        await until(() => expect(others).toHaveLength(40));
        await settled();
        expect(new Set(handled).size).toBe(40);
        expect(handled).toHaveLength(40);
      });

      it('tells the handler what no other does', async () => {
        const seen: Announcement[] = [];
        await run<'cart.abandoned'>({
          types: ['cart.abandoned'],
          handler: (event) => seen.push(event),
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(seen).toHaveLength(1));
        const [event] = seen;
        expect(JSON.parse(JSON.stringify(event))).toEqual(abandonedEvent(1));
        expect(Object.keys(event!)).toEqual(Object.keys(abandonedEvent(1)));
        expect(event).toMatchObject({ attempt: 1, mayBeRepeat: false });
        expect(event!.signal.aborted).toBe(false);
        expect(await event!.isStillWanted()).toEqual(YES);
      });

      it('hands an event of a dead member to another, and says that it may be a repeat', async () => {
        const dead = world().openBus();
        const subscription = await dead.subscribe({ group: 'rescue', claimMs: CLAIM_MS });
        await bus.publish(abandonedEvents(2));
        const [first] = await subscription.receive(2, SOON_MS);
        const { id, source, subject, sequence } = first!.event;
        await world()
          .openInbox()
          .begin('rescue', [{ id, source, subject, sequence, at: Date.now(), user: 'user-0' }], {
            now: world().clock.now(),
            holdMs: CLAIM_MS,
            token: 'dead',
          });
        await subscription.close();
        await dead.close();
        const seen = new Map<string, boolean>();
        await run({ handler: (event) => seen.set(event.id, event.mayBeRepeat) });
        await until(() => expect(seen.size).toBe(2));
        expect(seen).toEqual(
          new Map([
            [abandonedEvent(0).id, true],
            [abandonedEvent(1).id, false],
          ]),
        );
        await settled();
      });
    });

    describe('order', () => {
      it('handles the events of a subject one after another, others side by side', async () => {
        const inHand = new Set<string>();
        let together = 0;
        const order: string[] = [];
        await run({
          handler: async ({ subject, sequence }) => {
            expect(inHand.has(subject)).toBe(false);
            inHand.add(subject);
            together = Math.max(together, inHand.size);
            await sleep(20);
            order.push(`${subject} ${sequence}`);
            inHand.delete(subject);
          },
        });
        const touched = (n: number): AnyEvent =>
          ({ ...cancelledEvent(n), type: 'cart.touched', id: `touch-${n}` }) as unknown as AnyEvent;
        await bus.publish([1, 2, 3, 4].flatMap((n) => [abandonedEvent(n), touched(n)]));
        await until(() => expect(order).toHaveLength(8));
        expect(together).toBeGreaterThan(1);
        for (const n of [1, 2, 3, 4]) {
          const of = order.filter((one) => one.startsWith(`user-${n} `));
          expect(of).toEqual(of.toSorted());
        }
      });

      it('settles what was overtaken, and does not handle it', async () => {
        const handled: string[] = [];
        const subscriber = await run({ handler: ({ id }) => handled.push(id) });
        await bus.publish([laterEvent(1)]);
        await until(() => expect(handled).toHaveLength(1));
        for (const [n, event] of [abandonedEvent(1), cancelledEvent(1)].entries()) {
          await bus.publish([event]);
          await until(() => expect(subscriber.counts.overtaken).toBe(n + 1));
        }
        await settled();
        expect(handled).toEqual([laterEvent(1).id]);
      });

      it('hands over a fact, once, that comes after a later call to act', async () => {
        const handled: string[] = [];
        const subscriber = await run({ handler: ({ id }) => handled.push(id) });
        await bus.publish([laterEvent(1)]);
        await until(() => expect(handled).toHaveLength(1));
        const touch = { ...cancelledEvent(1), type: 'cart.touched', id: 'touch' } as const;
        for (let i = 0; i < 2; i += 1) await bus.publish([touch as unknown as AnyEvent]);
        await until(() => expect(subscriber.counts.repeats).toBe(1));
        expect(handled).toEqual([laterEvent(1).id, 'touch']);
        expect(subscriber.counts.overtaken).toBe(0);
        await settled();
      });

      it('handles nothing from before an erasure', async () => {
        const handled: string[] = [];
        const subscriber = await run({ handler: ({ id }) => handled.push(id) });
        await world().erase('user-1', Date.parse(abandonedEvent(1).time));
        await bus.publish([abandonedEvent(1), erasedEvent(1), abandonedEvent(2)]);
        await until(() => expect(handled).toHaveLength(2));
        await settled();
        expect(handled.toSorted()).toEqual([abandonedEvent(2).id, 'erasure-1'].toSorted());
        expect(subscriber.counts.erased).toBe(1);
      });

      it('keeps to its concurrency, and reads no further ahead than it may', async () => {
        let now = 0;
        let most = 0;
        const released = Promise.withResolvers<undefined>();
        const subscriber = await run({
          concurrency: 3,
          readAhead: 5,
          handler: async () => {
            now += 1;
            most = Math.max(most, now);
            await released.promise;
            now -= 1;
          },
        });
        await bus.publish(abandonedEvents(30));
        await until(() => expect(now).toBe(3));
        await until(() => expect(subscriber.counts.received).toBe(8));
        await sleep(100);
        expect(subscriber.counts.received).toBe(8);
        released.resolve(undefined);
        await until(() => expect(subscriber.counts.handled).toBe(30));
        expect(most).toBe(3);
      });
    });

    describe('a handler that fails', () => {
      it('is called again, until it went to the dead letters with reason and attempts', async () => {
        const attempts: [number, boolean][] = [];
        const subscriber = await run({
          handler: ({ attempt, mayBeRepeat }) => {
            attempts.push([attempt, mayBeRepeat]);
            throw new RangeError(`mail server down ${'!'.repeat(2_000)}`);
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.deadLettered).toBe(1));
        expect(attempts).toEqual([
          [1, false],
          [2, true],
          [3, true],
        ]);
        const [letter] = await bus.deadLetters('rescue', 10);
        expect(letter).toMatchObject({ event: abandonedEvent(1), attempts: 3 });
        expect(letter!.reason).toContain('RangeError: mail server down');
        expect(letter!.reason.length).toBeLessThan(700);
        expect(subscriber.counts).toMatchObject({ retried: 2, handled: 0 });
        await bus.replay('rescue');
        await until(() => expect(attempts).toHaveLength(6));
      });

      it('says at once that an event can never succeed', async () => {
        const subscriber = await run({
          handler: () => {
            throw new PermanentError('no such product');
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.deadLettered).toBe(1));
        const [letter] = await bus.deadLetters('rescue', 10);
        expect(letter).toMatchObject({ attempts: 1, reason: 'PermanentError: no such product' });
      });

      it('in any way harms no other event', async () => {
        const handled: string[] = [];
        const nonsense: Record<number, () => unknown> = {
          0: () => {
            throw new Error('at once');
          },
          1: () => Promise.reject(new Error('later')),
          2: () => {
            throw undefined as unknown as Error;
          },
          3: () => {
            throw Object.defineProperty(new Error('x'), 'message', {
              get: () => {
                throw new Error('in the message');
              },
            });
          },
          4: () => Promise.reject(Object.create(null) as Error),
          5: () => ({
            get then() {
              throw new Error('no promise');
            },
          }),
          6: () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject('text') }),
          7: () => new Promise(() => undefined),
          8: () => {
            throw Symbol('what') as unknown as Error;
          },
        };
        const fine: Record<number, unknown> = {
          9: Symbol('fine'),
          10: new Proxy({}, {}),
          11: false,
          12: Array(10).fill(null),
        };
        const subscriber = await run({
          handlerTimeoutMs: 200,
          maxDeliveries: 2,
          handler: (event) => {
            const n = Number(event.subject.slice('user-'.length));
            const bad = nonsense[n];
            if (bad) return bad();
            handled.push(event.id);
            return fine[n];
          },
        });
        await bus.publish(abandonedEvents(40));
        await until(() => expect(subscriber.counts.deadLettered).toBe(9));
        await until(() => expect(handled).toHaveLength(31));
        expect(subscriber.counts).toMatchObject({ handled: 31, retried: 9, timedOut: 2 });
        await settled();
        const letters = await bus.deadLetters('rescue', 100);
        expect(letters.map(({ reason }) => reason).join('\n')).toContain('text');
        expect(letters.some(({ reason }) => reason.includes('longer than 200 ms'))).toBe(true);
      });

      it('does not count when it ends after its time', async () => {
        const late = Promise.withResolvers<undefined>();
        const signals: AbortSignal[] = [];
        const subscriber = await run({
          handlerTimeoutMs: 200,
          handler: ({ signal, attempt }) => {
            signals.push(signal);
            return attempt === 1 ? late.promise : undefined;
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(signals[0]?.aborted).toBe(true));
        expect(signals[0]!.reason).toEqual(new TakenAwayError('timed_out'));
        await until(() => expect(subscriber.counts.handled).toBe(1));
        late.resolve(undefined);
        await settled();
        expect(subscriber.counts).toMatchObject({ handled: 1, timedOut: 1, retried: 1 });
      });

      it('tells the log who, and nothing of what was said', async () => {
        const { log, lines } = recordingLogger('info');
        const own = world().openBus();
        opened.push(own);
        const subscriber = new Subscriber(
          { bus: own, inbox: world().openInbox(), clock: world().clock, wanted },
          {
            group: 'rescue',
            handler: () => {
              throw new PermanentError('secret of user-1');
            },
          },
          { log },
        );
        running.push(subscriber);
        await subscriber.start();
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.deadLettered).toBe(1));
        const told = JSON.stringify(lines());
        expect(told).toContain(abandonedEvent(1).id);
        expect(told).toContain('PermanentError');
        expect(told).not.toMatch(/secret|user-1/);
      });
    });

    describe('a claim', () => {
      it('of a long handler is renewed, and of those that wait behind it', async () => {
        const handled: string[] = [];
        const handler = async ({ id }: AnyEvent): Promise<void> => {
          await sleep(2 * CLAIM_MS);
          handled.push(id);
        };
        const one = await run({ handler, concurrency: 1 });
        await bus.publish(abandonedEvents(2));
        await until(() => expect(one.counts.received).toBe(2));
        const other = await run({ handler });
        await until(() => expect(handled).toHaveLength(2));
        await settled();
        expect(one.counts).toMatchObject({ handled: 2, lost: 0 });
        expect(other.counts.received).toBe(0);
      });

      it('that was lost aborts the handler, and its result does not count', async () => {
        const inbox = world().openInbox();
        let cut = false;
        const deaf: Inbox = {
          begin: (...args) => inbox.begin(...args),
          end: (...args) => inbox.end(...args),
          renew: async (...args) => {
            if (cut) throw new Error('cut off');
            return inbox.renew(...args);
          },
        };
        const signals: AbortSignal[] = [];
        const end = Promise.withResolvers<undefined>();
        const late = await run(
          {
            handler: ({ signal }) => {
              signals.push(signal);
              cut = true;
              return end.promise;
            },
          },
          deaf,
        );
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(signals).toHaveLength(1));
        // Another member is given it, as if this one had frozen.
        const { id, source, subject, sequence } = abandonedEvent(1);
        const entry = { id, source, subject, sequence, at: Date.now(), user: 'user-1' };
        const later = { now: world().clock.now() + CLAIM_MS, holdMs: 60_000, token: 'other' };
        expect(await inbox.begin('rescue', [entry], later)).toEqual(['again']);
        cut = false;
        await until(() => expect(signals[0]!.aborted).toBe(true));
        expect(signals[0]!.reason).toEqual(new TakenAwayError('lost'));
        end.resolve(undefined);
        await until(() => expect(late.counts.lost).toBe(1));
        expect(late.counts.handled).toBe(0);
        expect(await behind()).toBe(1);
        expect(await inbox.end('rescue', [{ ...entry, outcome: 'done' }], 'other')).toEqual([true]);
      });

      it('of a handler that blocks the event loop is checked before its result counts', async () => {
        const inbox = world().openInbox();
        const { id, source, subject, sequence } = abandonedEvent(1);
        const entry = { id, source, subject, sequence, at: Date.now(), user: 'user-1' };
        let taken: Promise<unknown> | undefined;
        const subscriber = await run({
          handler: ({ attempt }) => {
            if (attempt > 1) return;
            const later = { now: world().clock.now() + CLAIM_MS, holdMs: 1, token: 'other' };
            taken = inbox.begin('rescue', [entry], later);
            const over = performance.now() + 1.2 * CLAIM_MS;
            while (performance.now() < over);
          },
        });
        await bus.publish([abandonedEvent(1), abandonedEvent(2), abandonedEvent(3)]);
        await until(() => expect(subscriber.counts.lost).toBeGreaterThan(0));
        expect(await taken).toEqual(['again']);
        await settled();
        expect(subscriber.counts.handled).toBe(3);
      });
    });

    describe('a deferred event', () => {
      it('comes again when it is due, is no attempt, and outlives its subscriber', async () => {
        const dueAt = Date.now() + 1_500;
        const seen: { attempt: number; at: number; mayBeRepeat: boolean }[] = [];
        const handler = (event: ReceivedEvent): void => {
          seen.push({ attempt: event.attempt, at: Date.now(), mayBeRepeat: event.mayBeRepeat });
          if (Date.now() < dueAt) event.deferUntil(new Date(dueAt).toISOString());
        };
        const first = await run({ handler });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(first.counts.deferred).toBe(1));
        await first.stop();
        const second = await run({ handler });
        await until(() => expect(second.counts.handled).toBe(1));
        expect(seen).toHaveLength(2);
        expect(seen[1]).toMatchObject({ attempt: 1, mayBeRepeat: false });
        expect(seen[1]!.at).toBeGreaterThanOrEqual(dueAt - 5);
        await settled();
      });

      it('whose cancellation came meanwhile is overtaken', async () => {
        let calls = 0;
        const subscriber = await run<'cart.abandoned'>({
          types: ['cart.abandoned'],
          handler: (event) => {
            calls += 1;
            event.deferUntil(Date.now() + 1_000);
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.deferred).toBe(1));
        await bus.publish([cancelledEvent(1)]);
        await until(() => expect(subscriber.counts.overtaken).toBe(1));
        await settled();
        expect(calls).toBe(1);
        expect(subscriber.counts.consumed).toBe(1);
      });

      it('that is to be held until the past comes again, but not in a circle', async () => {
        const at: number[] = [];
        const subscriber = await run({
          handler: (event) => {
            at.push(performance.now());
            if (at.length < 2) event.deferUntil(0);
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.handled).toBe(1));
        expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(990);
      });

      it('is told what no instant is', async () => {
        const errors: unknown[] = [];
        const subscriber = await run({
          handler: (event) => {
            for (const at of ['soon', NaN, Infinity, null, undefined, {}]) {
              try {
                event.deferUntil(at as string);
              } catch (error) {
                errors.push(error);
              }
            }
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(subscriber.counts.handled).toBe(1));
        expect(errors).toHaveLength(6);
        for (const error of errors) expect(error).toBeInstanceOf(UsageError);
      });
    });

    describe('what is not wanted any more', () => {
      it('is not handled, and the reason is counted', async () => {
        unwanted.set(abandonedEvent(1).id, { wanted: false, reason: 'ordered' });
        const handled: string[] = [];
        const subscriber = await run({ handler: ({ id }) => handled.push(id) });
        await bus.publish(abandonedEvents(20));
        await until(() => expect(handled).toHaveLength(19));
        await settled();
        expect(subscriber.counts.unwanted).toEqual({ ordered: 1 });
        expect(asked.length).toBeLessThan(20);
        expect(asked.flat()).toHaveLength(20);
      });

      const whileHandled = async (
        options: Partial<SubscriberOptions<'cart.abandoned'>>,
        then: () => unknown,
      ): Promise<{ reason: unknown; subscriber: Subscriber }> => {
        const begun = Promise.withResolvers<AbortSignal>();
        const subscriber = await run<'cart.abandoned'>({
          types: ['cart.abandoned'],
          ...options,
          handler: async ({ id, signal }) => {
            if (id !== abandonedEvent(1).id) return;
            begun.resolve(signal);
            await sleep(SOON_MS, undefined, { signal });
          },
        });
        await bus.publish([abandonedEvent(1)]);
        const signal = await begun.promise;
        await then();
        await until(() => expect(signal.aborted).toBe(true));
        await settled();
        expect(subscriber.counts).toMatchObject({ retried: 0, lost: 0 });
        expect(await bus.deadLetters('rescue', 1)).toEqual([]);
        return { reason: signal.reason as unknown, subscriber };
      };

      it('aborts its handler when its cancellation comes', async () => {
        const { reason, subscriber } = await whileHandled({}, () =>
          bus.publish([cancelledEvent(1)]),
        );
        expect(reason).toEqual(new NoLongerWantedError('resumed'));
        expect(subscriber.counts).toMatchObject({ unwanted: { resumed: 1 }, consumed: 1 });
      });

      it('aborts its handler when a later announcement comes', async () => {
        const { reason, subscriber } = await whileHandled({}, () => bus.publish([laterEvent(1)]));
        expect(reason).toEqual(new NoLongerWantedError('overtaken'));
        expect(subscriber.counts).toMatchObject({ overtaken: 1, handled: 1 });
      });

      it('aborts its handler when its user is erased', async () => {
        const { reason } = await whileHandled({}, () => bus.publish([erasedEvent(1)]));
        expect(reason).toEqual(new NoLongerWantedError('erased'));
      });

      it('aborts its handler when nobody but the hot tier says so', async () => {
        const { reason, subscriber } = await whileHandled({ claimMs: 5_000 }, () =>
          unwanted.set(abandonedEvent(1).id, { wanted: false, reason: 'opted_out' }),
        );
        expect(reason).toEqual(new NoLongerWantedError('opted_out'));
        expect(subscriber.counts.unwanted).toEqual({ opted_out: 1 });
      });

      it('is settled before its handler is called, where its cancellation was read ahead', async () => {
        const handled: string[] = [];
        const held = Promise.withResolvers<undefined>();
        const subscriber = await run<'cart.abandoned'>({
          concurrency: 1,
          handler: async ({ id }) => {
            handled.push(id);
            await held.promise;
          },
          types: ['cart.abandoned'],
        });
        await bus.publish([
          abandonedEvent(1),
          abandonedEvent(2),
          cancelledEvent(2),
          abandonedEvent(3),
        ]);
        await until(() => expect(subscriber.counts.unwanted).toEqual({ resumed: 1 }));
        held.resolve(undefined);
        await settled();
        expect(handled).toEqual([abandonedEvent(1).id, abandonedEvent(3).id]);
      });
    });

    describe('what is away', () => {
      it('the hot tier: nothing is handled unknowing, and it is no attempt', async () => {
        const attempts: number[] = [];
        hotAway = true;
        const subscriber = await run({
          maxDeliveries: 1,
          handler: ({ attempt }) => attempts.push(attempt),
        });
        await bus.publish(abandonedEvents(3));
        await until(() => expect(subscriber.counts.postponed).toBeGreaterThanOrEqual(3));
        expect(attempts).toEqual([]);
        hotAway = false;
        await until(() => expect(subscriber.counts.handled).toBe(3));
        expect(attempts).toEqual([1, 1, 1]);
        await settled();
      });

      it('the bus: what took effect meanwhile is not handled again', async () => {
        const handled: string[] = [];
        const begun = Promise.withResolvers<undefined>();
        const gone = Promise.withResolvers<undefined>();
        const subscriber = await run({
          maxDeliveries: 100,
          handler: async ({ id }) => {
            handled.push(id);
            begun.resolve(undefined);
            await gone.promise;
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await begun.promise;
        const bringBack = await world().takeBusAway();
        gone.resolve(undefined);
        await until(() => expect(subscriber.counts.handled).toBe(1));
        await bringBack();
        await bus.publish([abandonedEvent(2)]);
        await until(() => expect(subscriber.counts.handled).toBe(2));
        await settled();
        expect(handled).toEqual([abandonedEvent(1).id, abandonedEvent(2).id]);
      });
    });

    describe('stop', () => {
      it('lets handlers finish, and gives back what waits', async () => {
        const first: string[] = [];
        const begun = Promise.withResolvers<undefined>();
        const one = await run({
          concurrency: 2,
          handler: async ({ id }) => {
            begun.resolve(undefined);
            await sleep(300);
            first.push(id);
          },
        });
        await bus.publish(abandonedEvents(10));
        await begun.promise;
        await until(() => expect(one.counts.received).toBe(10));
        await one.stop();
        expect(first).toHaveLength(2);
        expect(one.counts).toMatchObject({ handled: 2, givenBack: 8 });
        const second: [string, number, boolean][] = [];
        await run({
          handler: (event) => second.push([event.id, event.attempt, event.mayBeRepeat]),
        });
        await until(() => expect(second).toHaveLength(8));
        for (const [id, attempt, mayBeRepeat] of second) {
          expect(first).not.toContain(id);
          expect([attempt, mayBeRepeat]).toEqual([1, false]);
        }
        await settled();
      });

      it('aborts handlers when its time is up, and gives their events back', async () => {
        const signals: AbortSignal[] = [];
        const one = await run({
          handler: ({ signal }) => {
            signals.push(signal);
            return new Promise(() => undefined);
          },
        });
        await bus.publish([abandonedEvent(1)]);
        await until(() => expect(signals).toHaveLength(1));
        await one.stop(AbortSignal.timeout(50));
        expect(signals[0]!.reason).toEqual(new TakenAwayError('stopping'));
        const again: boolean[] = [];
        await run({ handler: ({ mayBeRepeat }) => again.push(mayBeRepeat) });
        await until(() => expect(again).toEqual([true]));
        await settled();
      });

      it('may come twice, before the start and during it', async () => {
        const handled: string[] = [];
        const never = make({ handler: ({ id }) => handled.push(id) });
        await never.stop();
        await never.start();
        const cut = make({ handler: ({ id }) => handled.push(id) });
        const starting = cut.start();
        await Promise.all([cut.stop(), cut.stop(), starting]);
        await bus.publish([abandonedEvent(1)]);
        await sleep(QUIET_MS / 4);
        expect(handled).toEqual([]);
      });
    });

    it('refuses what it cannot be given', () => {
      const handler = (): void => undefined;
      const wrong: Record<string, Partial<SubscriberOptions>> = {
        group: { group: '' },
        handler: { handler: 'x' as unknown as () => void },
        types: { types: ['cart.left' as EventType] },
        concurrency: { concurrency: 0 },
        readAhead: { readAhead: -1 },
        claimMs: { claimMs: 1.5 },
        maxDeliveries: { maxDeliveries: NaN },
        handlerTimeoutMs: { handlerTimeoutMs: 0 },
        'backoff.longestMs': { backoff: { firstMs: 10, longestMs: 5 } },
      };
      for (const [what, options] of Object.entries(wrong)) {
        expect(() => make({ handler, ...options }), what).toThrow(UsageError);
      }
    });
  });
}
