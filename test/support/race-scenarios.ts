import { BEGINNINGS } from './race.ts';
import type { Beginning, Scenario } from './race.ts';
import type { Write } from './race-truth.ts';

const TOUCHES: readonly Write[] = [
  'library views',
  'library adds',
  'foreign views',
  'foreign adds',
  'lost views',
  'lost adds',
];

const ORDERS: readonly Write[] = [
  'library orders',
  'foreign orders',
  'foreign notes order',
  'lost notes order',
];

const OTHERS: readonly Write[] = [
  'foreign slips in',
  'foreign chats',
  'foreign deletes',
  'lost slips in',
  'lost deletes',
];

/** Two touches, or a touch and an order. */
const PAIRS = TOUCHES.flatMap((touch, n) =>
  [...TOUCHES.slice(n), ...ORDERS].map((other) => [touch, other] as const),
);

const LEASE = { jumps: ['lease'] } as const;
const STAGE = { jumps: ['stage'] } as const;

/** What happens in a group of races, and the scenarios: those that a minute allows, or all. */
export interface Group {
  readonly name: string;
  readonly some: readonly Scenario[];
  readonly all: () => readonly Scenario[];
}

export const GROUPS: readonly Group[] = [
  {
    name: 'two writes between the steps of a worker that may die',
    some: [
      // Each pair from another beginning.
      ...PAIRS.map((writes, n) => scenario(BEGINNINGS[n % BEGINNINGS.length]!, writes)),
      scenario('told', ['foreign notes order', 'foreign slips in']),
      scenario('told', ['lost deletes']),
    ],
    all: () => [
      ...PAIRS.flatMap((writes) => BEGINNINGS.map((begins) => scenario(begins, writes))),
      ...['foreign', 'lost'].flatMap((by) =>
        ORDERS.map((order) => scenario('told', [order, `${by} slips in` as Write])),
      ),
      ...PAIRS.filter(([, other]) => TOUCHES.includes(other)).flatMap((touches) =>
        ORDERS.map((order) => scenario('quiet', [...touches, order])),
      ),
    ],
  },
  {
    name: 'a worker that goes on after its lease, beside the next one',
    some: [
      scenario('quiet', ['library views'], LEASE),
      scenario('quiet', ['foreign adds'], LEASE),
      scenario('quiet', ['lost views'], LEASE),
      scenario('new', ['foreign adds'], LEASE),
      scenario('back', ['library orders'], LEASE),
      scenario('still quiet', ['foreign notes order'], LEASE),
      scenario('told', ['foreign chats', 'lost views'], LEASE),
      scenario('quiet', ['library views', 'library orders'], { ...LEASE, dies: false }),
      scenario('quiet', ['foreign views', 'lost adds'], { ...LEASE, dies: false }),
    ],
    all: () => [
      ...singles(LEASE),
      ...PAIRS.map((writes) => scenario('quiet', writes, { ...LEASE, dies: false })),
      scenario('told', ['foreign chats', 'lost views'], LEASE),
      scenario('quiet', ['library views', 'library orders'], LEASE),
      scenario('quiet', ['foreign views', 'lost adds'], LEASE),
      scenario('quiet', ['library views', 'foreign adds', 'library orders'], LEASE),
    ],
  },
  {
    name: 'the next threshold comes while a worker is in a look',
    some: [
      scenario('quiet', ['library views'], STAGE),
      scenario('still quiet', ['library adds'], STAGE),
    ],
    all: () => singles(STAGE),
  },
];

function singles(given: Partial<Scenario>): Scenario[] {
  return [...TOUCHES, ...ORDERS, ...OTHERS].flatMap((write) =>
    BEGINNINGS.map((begins) => scenario(begins, [write], given)),
  );
}

function scenario(
  begins: Beginning,
  writes: readonly Write[],
  given: Partial<Scenario> = {},
): Scenario {
  const session = writes.some((write) => write.startsWith('library')) ? 'library' : 'foreign';
  return { begins, session, writes, jumps: [], dies: true, ...given };
}
