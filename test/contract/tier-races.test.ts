import { afterAll, expect, test, vi } from 'vitest';
import { testRedis } from '../support/redis-server.ts';
import { exploreTiers } from '../support/tier-explorer.ts';
import { scenarioOf } from '../support/tier-scenarios.ts';

const all = process.env['TIER_RACES'] === 'all';

vi.setConfig({ testTimeout: 3_600_000 });

const redis = testRedis();
const total = { histories: 0, ends: 0, steps: 0, states: 0 };

afterAll(() => {
  const [histories, ends, steps, states] = Object.values(total).map((n) => n.toLocaleString('en'));
  process.stdout.write(
    `tier races: ${histories} histories, ${steps} steps, ${states} states, ${ends} ends\n`,
  );
});

type Plan = Parameters<typeof scenarioOf>[0];

const RETURNS: readonly Plan[] = [
  { begins: 'due', tasks: ['demote'], deeds: ['says', 'says'] },
  { begins: 'due', tasks: ['demote', 'resume'], deeds: ['says'] },
  { begins: 'partly', tasks: ['demote', 'resume'], deeds: [] },
  { begins: 'sunk', tasks: ['resume'], deeds: ['says', 'says'] },
  { begins: 'sunk', tasks: ['resume', 'resume'], deeds: ['says'] },
  { begins: 'sunk', tasks: ['resume'], deeds: ['says', 'ends', 'says'] },
  { begins: 'sunk', tasks: ['resume', 'demote'], deeds: ['says'] },
  { begins: 'due', tasks: ['demote', 'demote'], deeds: ['says'] },
  { begins: 'foreign', tasks: ['demote', 'demote'], deeds: ['pushes'] },
  { begins: 'due', tasks: ['demote', 'look'], deeds: ['says'] },
  { begins: 'due', tasks: ['demote', 'demote'], deeds: [], dies: 'demote' },
];

/** Minutes each: run with `TIER_RACES=all`. */
const LONG: readonly Plan[] = [
  { begins: 'due', tasks: ['demote', 'demote'], deeds: ['says'], dies: 'demote' },
  { begins: 'due', tasks: ['demote', 'demote'], deeds: ['ends', 'says'] },
  { begins: 'sunk', tasks: ['resume', 'demote'], deeds: ['says', 'ends', 'says'] },
];

const ERASURES: readonly Plan[] = [
  { begins: 'due', tasks: ['erase', 'demote'], deeds: ['says'] },
  { begins: 'partly', tasks: ['erase', 'demote'], deeds: ['says'] },
  { begins: 'foreign', tasks: ['erase', 'demote'], deeds: ['pushes'] },
  { begins: 'foreign', tasks: ['erase', 'demote'], deeds: ['passes', 'passes'] },
  { begins: 'sunk', tasks: ['erase', 'resume'], deeds: ['says'] },
  { begins: 'due', tasks: ['erase', 'resume'], deeds: [] },
  { begins: 'due', tasks: ['erase', 'look'], deeds: ['says'] },
  { begins: 'partly', tasks: ['erase', 'erase'], deeds: ['says'] },
  { begins: 'sunk', tasks: ['erase', 'resume'], deeds: ['says'], dies: 'erase' },
];

/** As long. */
const LONG_ERASURES: readonly Plan[] = [
  { begins: 'partly', tasks: ['erase', 'demote'], deeds: ['says'], dies: 'erase' },
  { begins: 'foreign', tasks: ['erase', 'demote'], deeds: ['pushes'], dies: 'erase' },
];

const nameOf = ({ begins, tasks, deeds, dies }: Plan): string =>
  `${begins}: ${[...tasks, ...deeds].join(', ')}${dies === undefined ? '' : `; ${dies} may die`}`;

async function run(plan: Plan): Promise<void> {
  const client = redis.client();
  const scenario = scenarioOf(plan, { client: () => client, prefix: 'rekindle' });
  const explored = await exploreTiers(scenario);
  for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += explored[name];
  expect(explored.histories).toBeGreaterThan(5);
}

test.each([...RETURNS, ...(all ? LONG : [])].map((plan) => ({ name: nameOf(plan), plan })))(
  'what was said stands in warm once and in order, in every history of: $name',
  ({ plan }) => run(plan),
);

test.each(
  [...ERASURES, ...(all ? LONG_ERASURES : [])].map((plan) => ({ name: nameOf(plan), plan })),
)(
  'an erased user never comes back, and what is said later stands, in every history of: $name',
  ({ plan }) => run(plan),
);
