import { expect, test } from 'vitest';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Delivery, Subscription } from '../../src/ports/bus.ts';
import { AgentBus } from '../../src/replay/agent-bus.ts';
import { profileOf } from '../../src/replay/profile.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';

type Act = (delivery: Delivery) => Promise<unknown>;

/** A member that does with each event what `act` says. */
async function member(bus: AgentBus, act: Act): Promise<AsyncDisposable> {
  const over = new AbortController();
  const subscription = await bus.subscribe({ group: 'one', types: ['cart.abandoned'] });
  const working = work(subscription, act, over.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await working;
    },
  };
}

async function work(subscription: Subscription, act: Act, signal: AbortSignal): Promise<void> {
  while (!signal.aborted)
    for (const delivery of await subscription.receive(1, 1_000, signal)) await act(delivery);
}

test('it rests when all that is due was settled, and gives what was deferred at its virtual instant', async () => {
  const clock = new VirtualClock(1_000);
  const bus = new AgentBus(clock);
  const seen: string[] = [];
  await using _member = await member(bus, async ({ event, attempt, ...delivery }) => {
    seen.push(`${event.id} at ${String(clock.now())}, attempt ${String(attempt)}`);
    if (event.id === 'b' && clock.now() === 1_000) await delivery.defer(500);
    else await delivery.done();
  });
  expect(await bus.rest()).toBe(0);
  for (const id of ['a', 'b', 'c']) bus.put(event(id));
  bus.put({ ...event('d'), type: 'cart.touched' } as AnyEvent);
  expect(await bus.rest()).toBe(3);
  expect(bus.nextAt()).toBe(1_500);
  clock.jumpTo(1_499);
  expect(await bus.rest()).toBe(0);
  clock.jumpTo(1_500);
  expect(await bus.rest()).toBe(1);
  expect(seen).toEqual([
    'a at 1000, attempt 1',
    'b at 1000, attempt 1',
    'c at 1000, attempt 1',
    'b at 1500, attempt 1',
  ]);
  expect(bus.nextAt()).toBeUndefined();
});

test('what failed is given again as another attempt', async () => {
  const clock = new VirtualClock(0);
  const bus = new AgentBus(clock);
  const attempts: number[] = [];
  await using _member = await member(bus, async (delivery) => {
    attempts.push(delivery.attempt);
    if (delivery.attempt === 1) await delivery.retry(10);
    else await delivery.deadLetter('enough');
  });
  bus.put(event('a'));
  await bus.rest();
  clock.jumpTo(10);
  await bus.rest();
  expect({ attempts, held: bus.held }).toEqual({ attempts: [1, 2], held: 0 });
});

test('a visitor is the same every time, and nobody says no to everything', () => {
  const visitors = Array.from({ length: 1_000 }, (_none, index) => `visitor-${String(index)}`);
  const profiles = visitors.map(profileOf);
  expect(visitors.map(profileOf)).toEqual(profiles);
  const consents = profiles.map(({ consent = '' }) => JSON.parse(consent) as { status: string });
  expect(consents.some(({ status }) => status === 'no')).toBe(false);
  for (const field of ['active_channel', 'language', 'timezone', 'consent']) {
    const shares = Map.groupBy(profiles, (profile) => profile[field]);
    expect(shares.size).toBeGreaterThan(1);
    for (const share of shares.values()) expect(share.length).toBeGreaterThan(50);
  }
});

function event(id: string): AnyEvent {
  return { id, type: 'cart.abandoned' } as AnyEvent;
}
