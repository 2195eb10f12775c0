import { connectCosmos } from '../../src/adapters/warm/cosmos/connect.ts';
import { CosmosWarm } from '../../src/adapters/warm/cosmos/cosmos-warm.ts';
import type { Charge } from '../../src/adapters/warm/cosmos/requests.ts';
import { setUp } from '../../src/adapters/warm/cosmos/set-up.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { Demoter } from '../../src/tiers/demote.ts';
import { startCosmosServer } from '../../test/servers/cosmos/cosmos-server.ts';
import { type Bench, type Sample, assertDone, inFlight, userIds } from '../harness.ts';
import { Pipeline } from '../pipeline.ts';
import { talk, turnsOf } from '../rows/tiers.ts';

/** Sessions under way at once. */
const AT_ONCE = 16;

const WHERE = { database: 'bench', container: 'ours' };

/** Round trips and charges are counted by a server that speaks the protocol; its charges are an estimate. */
export async function demoteToCosmos(
  bench: Bench,
): Promise<Readonly<Record<'trips' | 'charge', Sample>>> {
  await using server = await startCosmosServer();
  const client = connectCosmos({ endpoint: server.endpoint, as: { key: server.key } });
  try {
    await setUp(client, WHERE);
    const users = userIds(bench.sessions);
    const container = client.database(WHERE.database).container(WHERE.container);
    const charges: Charge[] = [];
    await demoteAll(
      bench,
      users,
      (clock) =>
        new CosmosWarm({ container: () => container, clock, onCharge: (one) => charges.push(one) }),
    );
    const ours = { ...server.tally };
    const told = charges.reduce((sum, { roundTrips }) => sum + roundTrips, 0);
    assertDone(told, ours.requests, 'requests were told of');

    const { database } = await client.databases.createIfNotExists({ id: WHERE.database });
    const made = await database.containers.create({ id: 'peer', partitionKey: '/owner' });
    await inFlight(users, AT_ONCE, async (owner) => {
      for (const text of turnsOf(owner, 0)) {
        const message = JSON.parse(text) as { readonly id: string };
        await made.container.items.upsert({ owner, ...message });
      }
    });
    const each = (total: number): number => total / users.length;
    const peer = {
      requests: each(server.tally.requests - ours.requests),
      charge: each(server.tally.charge - ours.charge),
    };
    return {
      trips: { value: each(ours.requests), peer: peer.requests, note: notesOf(charges) },
      charge: { value: each(ours.charge), peer: peer.charge },
    };
  } finally {
    client.dispose();
  }
}

async function demoteAll(
  bench: Bench,
  users: readonly string[],
  open: (clock: Pipeline['clock']) => CosmosWarm,
): Promise<void> {
  const queued: string[] = [];
  await using pipeline = await Pipeline.open(bench, {
    add: async (_queue, some) => void queued.push(...some),
  });
  const { hot, clock } = pipeline;
  await talk(pipeline, users);
  pipeline.shift(2 * DAY_MS);
  await pipeline.drain();
  assertDone(queued.length, users.length, 'demotions were queued');
  const warm = open(clock);
  const demoter = new Demoter({ ...hot, clock, warm }, bench.config);
  await inFlight(queued, AT_ONCE, (user) => demoter.demote(user));
  const left = await Promise.all(users.map((user) => hot.sessions.read(user)));
  assertDone(left.filter((session) => !session).length, users.length, 'sessions were sunk');
}

/** Which calls there were, one line. */
function notesOf(charges: readonly Charge[]): string {
  const byOperation = Map.groupBy(charges, ({ operation }) => operation);
  return [...byOperation]
    .map(([operation, some]) => {
      const trips = some.reduce((sum, { roundTrips }) => sum + roundTrips, 0);
      return `${operation}: ${trips.toLocaleString('en')}`;
    })
    .join(', ');
}
