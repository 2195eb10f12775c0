import fc from 'fast-check';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { Place } from './rescue-process.ts';
import type { Port } from './rescue-world.ts';

export type Who = 'watcher' | 0 | 1;

/** One thing that happens: to a user, or to those who watch and write. */
export type RescueStep =
  /** Comes with a cart, by a channel, somewhere in the world. */
  | {
      readonly do: 'arrive';
      readonly user: string;
      readonly channel: string;
      readonly zone: string | undefined;
      readonly consent: 'yes' | 'no' | 'unknown' | undefined;
    }
  | {
      readonly do: 'visit' | 'message' | 'empty' | 'end' | 'reply' | 'erase';
      readonly user: string;
    }
  | { readonly do: 'add'; readonly user: string; readonly item: string }
  | {
      readonly do: 'order';
      readonly user: string;
      /** What it names as having brought it. */
      readonly ref: 'nothing' | 'announcement' | 'message' | 'another';
      readonly leaves: boolean;
    }
  | { readonly do: 'optOut'; readonly user: string; readonly of: string | undefined }
  | {
      readonly do: 'consent';
      readonly user: string;
      readonly status: 'yes' | 'no' | 'unknown';
      readonly scope: readonly string[] | undefined;
    }
  /** Time goes by; asleep, nobody notices until it has. */
  | { readonly do: 'wait'; readonly ms: number; readonly asleep: boolean }
  /** A process stops at its n-th call from now. */
  | { readonly do: 'halt'; readonly who: Who; readonly calls: number; readonly place: Place }
  | { readonly do: 'kill'; readonly who: Who }
  | { readonly do: 'resume' }
  /** The next calls to a port are refused, or take effect and are not heard of. */
  | {
      readonly do: 'fault';
      readonly port: Port;
      readonly times: number;
      readonly effective: boolean;
    }
  /** What was on the wire comes again. */
  | { readonly do: 'repeat'; readonly nth: number }
  /** From now on no message to this user is ever taken. */
  | { readonly do: 'poison'; readonly user: string };

/** Of the last one nobody ever hears. */
export const USERS = ['ann', 'bob', 'dan'] as const;

const user = fc.constantFrom('ann', 'ann', 'ann', 'bob', 'bob', 'dan');
const channel = fc.constantFrom('whatsapp', 'email', 'web');
const zone = fc.constantFrom(undefined, 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata');

const arrive = fc.record({
  do: fc.constant('arrive'),
  user,
  channel,
  zone,
  consent: fc.constantFrom('yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'no', 'unknown', undefined),
} as const);

const wait = fc.record({
  do: fc.constant('wait'),
  ms: fc.oneof(
    fc.constantFrom(31 * MINUTE_MS, 31 * MINUTE_MS, 40 * SECOND_MS, 12 * HOUR_MS, 20 * HOUR_MS),
    fc.constantFrom(1, 9 * HOUR_MS, 52 * HOUR_MS, 110 * HOUR_MS),
    fc.integer({ min: 0, max: 30 * HOUR_MS }),
  ),
  asleep: fc.constantFrom(false, false, false, false, true),
} as const);

const doing = fc.oneof(
  { weight: 3, arbitrary: arrive },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('visit', 'message', 'empty', 'end', 'reply', 'reply', 'erase'),
      user,
    } as const),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add'),
      user,
      item: fc.constantFrom('shirt', 'shoes', 'hat'),
    } as const),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('order'),
      user,
      ref: fc.constantFrom('nothing', 'nothing', 'announcement', 'message', 'another'),
      leaves: fc.boolean(),
    } as const),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('optOut'),
      user,
      of: fc.option(channel, { nil: undefined }),
    } as const),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('consent'),
      user,
      status: fc.constantFrom('yes', 'yes', 'yes', 'no', 'unknown'),
      scope: fc.constantFrom(undefined, ['email'], ['whatsapp', 'web']),
    } as const),
  },
);

const who = fc.constantFrom<Who>('watcher', 0, 0, 1);

/** A process stops, something happens meanwhile, and it goes on or dies. */
const stop = fc.tuple(
  fc.record({
    do: fc.constant('halt'),
    who,
    calls: fc.integer({ min: 1, max: 12 }),
    place: fc.constantFrom<Place>('before', 'after'),
  } as const),
  fc.array(fc.oneof({ weight: 2, arbitrary: wait }, doing), { minLength: 1, maxLength: 3 }),
  fc.boolean(),
);

const trouble: fc.Arbitrary<RescueStep[]> = fc.oneof(
  {
    weight: 5,
    arbitrary: stop.map(([halt, meanwhile, dies]): RescueStep[] => [
      halt,
      ...meanwhile,
      dies ? { do: 'kill', who: halt.who } : { do: 'resume' },
    ]),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        do: fc.constant('fault'),
        port: fc.constantFrom<Port>('publish', 'bus', 'hot', 'inbox', 'outbox', 'notes'),
        times: fc.integer({ min: 1, max: 4 }),
        effective: fc.boolean(),
      } as const)
      .map((one) => [one]),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ do: fc.constant('repeat'), nth: fc.nat(20) } as const)
      .map((one) => [one]),
  },
  {
    weight: 1,
    arbitrary: fc
      .oneof(
        fc.record({ do: fc.constant('kill'), who } as const),
        fc.record({ do: fc.constant('poison'), user } as const),
      )
      .map((one) => [one]),
  },
);

/** Where it begins: by day, by night, and before the clocks of Europe and America change. */
const startAt = fc.constantFrom(
  '2026-01-12T10:30:00.001Z',
  '2026-01-12T20:10:00.001Z',
  '2026-03-28T19:50:00.001Z',
  '2026-10-24T20:20:00.001Z',
  '2026-03-07T23:45:00.001Z',
  '2026-10-31T22:05:00.001Z',
);

export interface RescueStory {
  readonly startAt: string;
  readonly members: number;
  readonly steps: readonly RescueStep[];
}

/** All that may happen to a few users, to those who watch and write, and to what stands between them. */
export const story: fc.Arbitrary<RescueStory> = fc.record({
  startAt,
  members: fc.constantFrom(1, 2),
  steps: fc
    .tuple(
      arrive,
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: wait.map((one): RescueStep[] => [one]) },
          { weight: 5, arbitrary: doing.map((one): RescueStep[] => [one]) },
          { weight: 3, arbitrary: trouble },
        ),
        { minLength: 3, maxLength: 9, size: 'max' },
      ),
    )
    .map(([first, parts]) => [first, ...parts.flat()]),
});
