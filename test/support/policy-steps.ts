import fc from 'fast-check';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { Step, Who, Writer } from './policy-history.ts';

/** What matters happens around thresholds and expiries, so most waits end near one. */
const span = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, SECOND_MS, 29 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS) },
  { weight: 2, arbitrary: fc.constantFrom(30 * SECOND_MS, 20 * HOUR_MS, 72 * HOUR_MS) },
  { weight: 1, arbitrary: fc.constantFrom(7 * DAY_MS, 8 * DAY_MS, 11 * DAY_MS) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 * DAY_MS }) },
);

const item = fc.constantFrom('shirt', 'shoes', 'hat');

export function shopping(by: fc.Arbitrary<Writer>): fc.Arbitrary<Step>[] {
  return [
    fc.record({ do: fc.constantFrom('visit', 'visit', 'empty', 'order'), by }),
    fc.record({ do: fc.constantFrom('add', 'add', 'add', 'remove'), by, item }),
    fc.record({ do: fc.constantFrom('optOut', 'end') }),
  ];
}

export const wait = fc.record({ do: fc.constant('wait'), ms: span });

/** Who writes: the library, or another program, of which notifications tell or do not. */
const anybody = fc.constantFrom<Writer>('library', 'foreign', 'unheard');

const rarely: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant('expire'), ms: span.map((ms) => ms + 1) }),
  fc.record({ do: fc.constantFrom('vanish', 'reconcile', 'spoil', 'future') }),
  fc.record({
    do: fc.constant('consent'),
    by: anybody,
    status: fc.constantFrom('yes', 'no', 'unknown'),
  }),
];

const who = fc.constantFrom<Who>(0, 1);

const die = fc.record({ do: fc.constant('die'), who });

const writing = fc.oneof(...shopping(anybody));

/** Most calls come one by one, so that what others do comes between them. */
const going = fc.record({
  do: fc.constant('go'),
  who,
  calls: fc.constantFrom(1, 1, 1, 2, 3, 6),
  asleep: fc.boolean(),
});

const faults: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant('outage'), ms: span }),
  die,
  fc.record({
    do: fc.constant('bus'),
    is: fc.constantFrom('away', 'picky'),
    times: fc.integer({ min: 1, max: 4 }),
  }),
];

const anything = fc.oneof(
  { weight: 4, arbitrary: wait },
  { weight: 4, arbitrary: writing },
  { weight: 2, arbitrary: fc.oneof(...rarely) },
  { weight: 2, arbitrary: going },
  { weight: 2, arbitrary: fc.oneof(...faults) },
);

/** Something falls due while nobody looks, and then two workers and the user come at once. */
const scene = fc
  .tuple(
    fc.record({ do: fc.constant('outage'), ms: span }),
    fc.array(
      fc.oneof(
        { weight: 6, arbitrary: going },
        { weight: 2, arbitrary: writing },
        { weight: 1, arbitrary: fc.constant({ do: 'outage', ms: 30 * SECOND_MS } as const) },
        { weight: 1, arbitrary: die },
      ),
      { minLength: 4, maxLength: 12, size: 'max' },
    ),
  )
  .map(([quiet, rush]): readonly Step[] => [quiet, ...rush]);

/** All that may happen to one user, to those who look, and to the bus. */
export const history = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: anything.map((step) => [step]) },
      { weight: 1, arbitrary: scene },
    ),
    { minLength: 5, maxLength: 40, size: 'max' },
  )
  .map((parts) => parts.flat());
