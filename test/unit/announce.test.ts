import { expect, test } from 'vitest';
import { Announcer } from '../../src/abandonment/announce.ts';
import type { Observe } from '../../src/abandonment/observe.ts';
import type { Bus, PublishResult } from '../../src/ports/bus.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { abandonedEvents } from '../support/sample-events.ts';

const DURABLE: PublishResult = { durable: true };
const FULL: PublishResult = { durable: false, retryable: true, reason: 'full', group: 'slow' };
const TOO_LARGE: PublishResult = { durable: false, retryable: false, reason: 'too large' };

/** An announcer over a bus that answers as it is told, and what it observed. */
function announcerOn(answers: PublishResult[][]) {
  const seen: string[] = [];
  const clock = new VirtualClock(1_000_000);
  const bus = { publish: async () => answers.shift() ?? [] } as unknown as Bus;
  const observe: Observe = (what) => seen.push(what);
  return { announcer: new Announcer(bus, clock, observe), clock, seen };
}

const [first, second] = abandonedEvents(2);
const batch = [
  { user: 'ann', events: [first!] },
  { user: 'bob', events: [second!] },
];

test('a bus that has room for some is away for the rest, and back once it takes all', async () => {
  const { announcer, clock, seen } = announcerOn([[DURABLE, FULL], [DURABLE]]);
  const announced = await announcer.announce(batch);
  expect(seen).toEqual(['published', 'busAway']);
  // It took some, so it is asked again soon.
  expect(announced).toEqual([
    { user: 'ann', published: [first!.id], retryAt: undefined },
    { user: 'bob', published: [], retryAt: clock.now() + 1_000 },
  ]);
  clock.jumpTo(clock.now() + 1_000);
  expect(await announcer.announce(batch.slice(1))).toEqual([
    { user: 'bob', published: [second!.id], retryAt: undefined },
  ]);
  expect(seen.slice(2)).toEqual(['published', 'busBack']);
});

test('an event that the bus will never take says nothing about the bus', async () => {
  const { announcer, clock, seen } = announcerOn([[TOO_LARGE, DURABLE]]);
  const announced = await announcer.announce(batch);
  expect(seen).toEqual(['refused', 'published']);
  expect(announced).toEqual([
    { user: 'ann', published: [], retryAt: clock.now() + 10_000 },
    { user: 'bob', published: [second!.id], retryAt: undefined },
  ]);
});

test('while the bus is away nothing is tried, and the pauses grow', async () => {
  const { announcer, clock, seen } = announcerOn([
    [FULL, FULL],
    [FULL, FULL],
  ]);
  await announcer.announce(batch);
  await announcer.announce(batch);
  expect(seen).toEqual(['busAway']);
  clock.jumpTo(clock.now() + 1_000);
  const [ann] = await announcer.announce(batch);
  expect(seen).toEqual(['busAway', 'busAway']);
  expect(ann).toEqual({ user: 'ann', published: [], retryAt: clock.now() + 2_000 });
});
