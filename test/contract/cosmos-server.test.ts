import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Container, CosmosClient, type ItemDefinition } from '@azure/cosmos';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CosmosServer, startCosmosServer } from '../servers/cosmos/cosmos-server.ts';

let server: CosmosServer;
let client: CosmosClient;
let container: Container;
let now = 1_800_000_000_000;

beforeEach(async () => {
  server = await startCosmosServer({ now: () => now });
  client = clientOf(server);
  const { database } = await client.databases.createIfNotExists({ id: 'db' });
  ({ container } = await database.containers.createIfNotExists({
    id: 'items',
    partitionKey: { paths: ['/owner'] },
    defaultTtl: -1,
    indexingPolicy: { excludedPaths: [{ path: '/body/*' }] },
  }));
});

afterEach(async () => {
  client.dispose();
  await server[Symbol.asyncDispose]();
});

function clientOf({ endpoint, key }: Pick<CosmosServer, 'endpoint' | 'key'>): CosmosClient {
  return new CosmosClient({
    endpoint,
    key,
    connectionPolicy: {
      enableEndpointDiscovery: false,
      retryOptions: {
        maxRetryAttemptCount: 2,
        fixedRetryIntervalInMilliseconds: 0,
        maxWaitTimeInSeconds: 1,
      },
    },
  });
}

async function fill(count: number, owner = 'ann'): Promise<void> {
  for (let n = 0; n < count; n += 1)
    await container.items.create({ id: `i${n}`, owner, n, vector: [n, 1] });
}

/** The status of a call that is refused. */
async function statusOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'served',
    (error: unknown) => (error as { readonly code?: unknown }).code,
  );
}

describe('the Cosmos DB server, to the real client', () => {
  test('keeps the settings of a container, and lets them be replaced, but for the partition key', async () => {
    const { resource } = await container.read();
    expect(resource).toMatchObject({ defaultTtl: -1, partitionKey: { paths: ['/owner'] } });
    await container.replace({ ...resource, id: 'items', defaultTtl: 60 });
    expect((await container.read()).resource?.defaultTtl).toBe(60);
    const moved = { id: 'items', partitionKey: { paths: ['/other'] } };
    expect(await statusOf(container.replace(moved as never))).toBe(400);
  });

  test('holds items under ETags, and says 304, 404, 409, 412 and 413', async () => {
    const { resource: made } = await container.items.create({ id: 'a', owner: 'ann', n: 1 });
    const etag = String(made?._etag);
    const item = container.item('a', 'ann');
    expect(await statusOf(container.items.create({ id: 'a', owner: 'ann' }))).toBe(409);
    const unless = { accessCondition: { type: 'IfNoneMatch', condition: etag } };
    expect((await item.read(unless)).statusCode).toBe(304);
    expect((await container.item('none', 'ann').read()).statusCode).toBe(404);
    expect((await container.item('a', 'bob').read()).statusCode).toBe(404);
    const provided = { accessCondition: { type: 'IfMatch', condition: etag } };
    expect((await item.replace({ id: 'a', owner: 'ann', n: 2 }, provided)).statusCode).toBe(200);
    expect(await statusOf(item.replace({ id: 'a', owner: 'ann', n: 3 }, provided))).toBe(412);
    expect(await statusOf(item.delete(provided))).toBe(412);
    const big = { id: 'b', owner: 'ann', text: 'x'.repeat(2 * 1024 * 1024) };
    expect(await statusOf(container.items.upsert(big))).toBe(413);
    expect((await item.delete()).statusCode).toBe(204);
    expect(await statusOf(item.delete())).toBe(404);
  });

  test('patches under a condition', async () => {
    await fill(1);
    const item = container.item('i0', 'ann');
    const operations = [{ op: 'incr', path: '/n', value: 5 } as const];
    await item.patch({ condition: 'FROM c WHERE c.n = 0', operations });
    expect((await item.read<ItemDefinition>()).resource?.['n']).toBe(5);
    expect(await statusOf(item.patch({ condition: 'FROM c WHERE c.n = 0', operations }))).toBe(412);
  });

  test('does all of a batch or nothing, and takes no more than 100 operations', async () => {
    await fill(1);
    const create = (id: string) =>
      ({ operationType: 'Create', resourceBody: { id, owner: 'ann' } }) as const;
    const refused = await container.items.batch([create('x'), create('i0'), create('y')], 'ann');
    expect(refused.code).toBe(207);
    expect(refused.result?.map(({ statusCode }) => statusCode)).toEqual([424, 409, 424]);
    expect(server.items('db', 'items')).toHaveLength(1);
    const done = await container.items.batch([create('x'), create('y')], 'ann');
    expect(done.result?.map(({ statusCode }) => statusCode)).toEqual([201, 201]);
    const wide = {
      operationType: 'Create',
      resourceBody: { id: 'z', owner: 'ann', text: 'x'.repeat(2 ** 21) },
    } as const;
    await expect(container.items.batch([wide], 'ann')).rejects.toMatchObject({
      cause: { code: 413 },
    });
  });

  test('answers queries in one partition page by page, and those over all by a plan', async () => {
    await fill(7);
    await fill(5, 'bob');
    const query = {
      query: 'SELECT * FROM c WHERE c.n >= @from ORDER BY c.n DESC',
      parameters: [{ name: '@from', value: 2 }],
    };
    const own = container.items.query<{ n: number }>(query, {
      partitionKey: 'ann',
      maxItemCount: 2,
    });
    const pages: number[][] = [];
    while (own.hasMoreResults()) pages.push((await own.fetchNext()).resources.map(({ n }) => n));
    expect(pages).toEqual([[6, 5], [4, 3], [2]]);
    expect(server.tally.crossPartitionQueries).toBe(0);
    const ordered = {
      ...query,
      query: 'SELECT c.owner, c.n FROM c WHERE c.n >= @from ORDER BY c.n, c.owner',
    };
    const { resources } = await container.items
      .query<{ owner: string; n: number }>(ordered)
      .fetchAll();
    expect(resources.map(({ owner, n }) => `${owner} ${n}`)).toEqual([
      'ann 2',
      'bob 2',
      'ann 3',
      'bob 3',
      'ann 4',
      'bob 4',
      'ann 5',
      'ann 6',
    ]);
    expect(server.tally.crossPartitionQueries).toBe(1);
  });

  test('tells how near vectors are where the container has a policy for them, and else refuses', async () => {
    const query = {
      query:
        'SELECT TOP 2 c.id, VectorDistance(c.vector, @to) AS score FROM c ORDER BY VectorDistance(c.vector, @to)',
      parameters: [{ name: '@to', value: [1, 0] }],
    };
    await fill(3);
    const asked = () =>
      container.items
        .query<{ id: string; score: number }>(query, { partitionKey: 'ann' })
        .fetchAll();
    expect(await statusOf(asked())).toBe(400);
    const { resource } = await container.read();
    const vectorEmbeddings = [
      { path: '/vector', dataType: 'float32', dimensions: 2, distanceFunction: 'cosine' },
    ];
    const wanted = { ...resource, vectorEmbeddingPolicy: { vectorEmbeddings } };
    server.vectors = false;
    expect(await statusOf(container.replace(wanted as never))).toBe(400);
    server.vectors = true;
    await container.replace(wanted as never);
    const { resources } = await asked();
    expect(resources.map(({ id }) => id)).toEqual(['i2', 'i1']);
    expect(resources[1]?.score).toBeCloseTo(Math.SQRT1_2);
  });

  test('drops what has lived its time, each item its own', async () => {
    await container.items.create({ id: 'a', owner: 'ann', ttl: 10 });
    await container.items.create({ id: 'b', owner: 'ann', ttl: -1 });
    now += 10_000;
    expect(server.items('db', 'items').map(({ id }) => id)).toEqual(['b']);
  });

  test('charges more for what is larger, and for what is written', async () => {
    const charge = async (call: Promise<{ requestCharge: number }>): Promise<number> =>
      (await call).requestCharge;
    const small = await charge(container.items.create({ id: 'a', owner: 'ann' }));
    const text = 'x'.repeat(100_000);
    const large = await charge(container.items.create({ id: 'b', owner: 'ann', text }));
    const read = await charge(container.item('a', 'ann').read());
    const replaced = await charge(container.items.upsert({ id: 'b', owner: 'ann', text }));
    expect([read < small, small < large, large < replaced]).toEqual([true, true, true]);
    expect(server.tally.charge).toBeCloseTo(small + large + read + replaced);
  });

  test('takes no other key than the one that stands', async () => {
    server.key = Buffer.from('another').toString('base64');
    expect(
      await container
        .item('a', 'ann')
        .read()
        .catch((error: unknown) => error),
    ).toMatchObject({ code: 401 });
    const other = clientOf(server);
    expect((await other.database('db').container('items').item('a', 'ann').read()).statusCode).toBe(
      404,
    );
    other.dispose();
  });
});

describe('a fault of the Cosmos DB server', () => {
  const create = (id: string): Promise<unknown> => container.items.create({ id, owner: 'ann' });
  const there = (): unknown[] => server.items('db', 'items').map(({ id }) => id);

  test('is a status for so many calls of a kind; 429 is honoured by the client, 503 on a write is not', async () => {
    server.fail({ kinds: ['create'], times: 2, effect: 429, retryAfterMs: 1 });
    await create('a');
    server.fail({ kinds: ['create'], times: 1, effect: 503 });
    expect(await statusOf(create('b'))).toBe(503);
    await create('c');
    expect(there()).toEqual(['a', 'c']);
  });

  test('cuts the connection before the operation takes effect, or after', async () => {
    server.fail({ kinds: ['create'], times: 1, effect: 'cut before' });
    expect(await statusOf(create('a'))).not.toBe('served');
    server.fail({ kinds: ['create'], times: 1, effect: 'cut after' });
    expect(await statusOf(create('b'))).not.toBe('served');
    expect(there()).toEqual(['b']);
  });

  test('hits one item, alone or in a batch, until it is ended', async () => {
    const end = server.fail({ item: (id) => id === 'b', effect: 503 });
    expect(await statusOf(create('b'))).toBe(503);
    const batch = ['a', 'b'].map(
      (id) => ({ operationType: 'Create', resourceBody: { id, owner: 'ann' } }) as const,
    );
    const refused = await container.items.batch(batch, 'ann');
    expect(refused.result?.map(({ statusCode }) => statusCode)).toEqual([424, 503]);
    end();
    await container.items.batch(batch, 'ann');
    expect(there()).toEqual(['a', 'b']);
  });
});

test('the Cosmos DB server stands by itself, and goes with whoever started it', async () => {
  const child = spawn(process.execPath, ['test/servers/main.ts', 'cosmos'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const own = clientOf(JSON.parse(line.toString()) as { endpoint: string; key: string });
  await own.databases.createIfNotExists({ id: 'db' });
  own.dispose();
  child.stdin.end();
  expect(await exited).toEqual([0, null]);
});
