import type { Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectCosmos } from '../../src/adapters/warm/cosmos/connect.ts';
import { CosmosWarm } from '../../src/adapters/warm/cosmos/cosmos-warm.ts';
import type { Charge } from '../../src/adapters/warm/cosmos/requests.ts';
import { examine, setUp } from '../../src/adapters/warm/cosmos/set-up.ts';
import { UnsuitableStoreError, WarmUnavailableError } from '../../src/model/errors.ts';
import { ABSENT, type EntryWrite, TOGETHER_MAX } from '../../src/ports/warm.ts';
import type { CosmosServer } from '../servers/cosmos/cosmos-server.ts';
import { CosmosPlace, DATABASE } from '../support/cosmos-warm.ts';
import { T, anEntry, putOne, write } from './warm.ts';

const LARGE = 'wide '.repeat(320_000);
const DAY_S = 86_400;

// Megabytes to and fro, on a machine that does other things as well.
vi.setConfig({ testTimeout: 120_000 });

let place: CosmosPlace;
let server: CosmosServer;
let now = T;

beforeAll(async () => {
  place = await CosmosPlace.start(() => now);
  ({ server } = place);
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

const clock = { now: () => now };

async function opened(): Promise<{
  warm: CosmosWarm;
  container: Container;
  charges: Charge[];
  items: () => readonly Record<string, unknown>[];
}> {
  const container = await place.container();
  const charges: Charge[] = [];
  const onCharge = (charge: Charge): void => void charges.push(charge);
  return {
    warm: place.warmIn(container, { clock, onCharge }),
    container,
    charges,
    items: () => server.items(DATABASE, container.id),
  };
}

const ofRank = (items: readonly Record<string, unknown>[], rank: number): unknown[] =>
  items.filter((item) => item['rank'] === rank);

describe('ids', () => {
  test('of any length and alphabet are those of their entries and owners', async () => {
    const { warm } = await opened();
    const ids = [
      'a/b',
      'a\\b',
      'a?b#c',
      '!head',
      'x'.repeat(1_023),
      'é'.repeat(500),
      ' ',
      '\n',
      'A',
    ];
    const owners = ['o'.repeat(5_000), '!open', '/', 'जूते'];
    for (const owner of owners) await write(warm, ...ids.map((id) => anEntry(owner, id)));
    for (const owner of owners) {
      const found = await warm.get(owner, ids);
      expect(found.map(({ entry }) => entry.memoryId)).toEqual(ids);
      expect(found[0]?.entry.agentId).toBe(owner);
      expect(await warm.count(owner)).toBe(ids.length);
    }
    expect(await warm.sweep()).toBe(0);
  });
});

describe('partitions', () => {
  test('are crossed by the question for aged owners alone', async () => {
    const { warm } = await opened();
    const before = server.tally.crossPartitionQueries;
    await write(warm, anEntry('ann', 'm', { memoryType: 'note', embedding: [1, 2] }));
    await putOne(warm, { entry: anEntry('ann', 'm'), expected: ABSENT });
    await warm.get('ann', ['m']);
    await warm.find('ann', { attributes: [{ name: 'a', from: 1 }] }, 'important', { limit: 5 });
    await warm.search('ann', 'about this', { limit: 5 });
    await warm.similar('ann', [1, 1], { limit: 5 });
    await warm.recalled('ann', ['m'], T);
    await warm.count('ann');
    await warm.remove('ann', [{ memoryId: 'm' }]);
    await warm.erase('ann', T, T + 1);
    await warm.sweep();
    expect(server.tally.crossPartitionQueries).toBe(before);
    await warm.aged('note', T + 1, { limit: 5 });
    expect(server.tally.crossPartitionQueries).toBe(before + 1);
  });

  test('of who was erased name nobody, and nothing of what was said is left in them', async () => {
    const { warm, items } = await opened();
    await write(
      warm,
      anEntry('ann@example.org', 'm', { content: 'secret' }),
      anEntry('ann@example.org', 'large', { content: `secret ${LARGE}` }),
    );
    await warm.erase('ann@example.org', T, T + 1_000);
    expect(items().map(({ id }) => id)).toEqual(['!head']);
    expect(JSON.stringify(items())).not.toMatch(/ann|secret/);
  });
});

describe('time to live', () => {
  test('takes what has expired an hour later, whoever forgot it, and tombstones when they are long past', async () => {
    const { warm, items } = await opened();
    const entry = anEntry('ann', 'm');
    await putOne(warm, { entry, expiresAt: now + 1_000 });
    await putOne(warm, { entry: anEntry('ann', 'stays') });
    await warm.erase('bob', now, now + 10 * DAY_S * 1_000);
    now += 1_000;
    expect(await warm.count('ann')).toBe(1);
    expect(ofRank(items(), 1)).toHaveLength(2);
    now += 3_600_000;
    expect(ofRank(items(), 1)).toHaveLength(1);
    now += 39 * DAY_S * 1_000;
    expect(ofRank(items(), 0)).toHaveLength(1);
    now += 2 * DAY_S * 1_000;
    expect(items().map(({ id }) => id)).toEqual(['stays']);
    // The head went with the rest: the next writer makes another.
    expect((await putOne(warm, { entry })).outcome).toBe('written');
  });
});

describe('an entry over the limit of a document', () => {
  const large = (content: string, id = 'large') => anEntry('ann', id, { content, sources: ['a'] });

  test('comes back whole, and leaves no part behind when it is replaced, removed or erased', async () => {
    const { warm, items } = await opened();
    const parts = (): number => ofRank(items(), 2).length;
    await write(warm, large(LARGE), large('small', 'other'));
    expect(parts()).toBe(2);
    const found = await warm.find('ann', {}, 'newest', { limit: 10 });
    expect(found.items.map(({ entry }) => entry.content.length).toSorted()).toEqual([
      LARGE.length,
      5,
    ]);
    expect((await warm.search('ann', 'wide', { limit: 5 }))[0]?.entry.content).toBe(LARGE);
    await write(warm, large(`${LARGE}anew`));
    expect(parts()).toBe(2);
    expect((await warm.get('ann', ['large']))[0]?.entry.content).toBe(`${LARGE}anew`);
    await write(warm, large('shorter'));
    expect(parts()).toBe(0);
    await write(warm, large(LARGE));
    expect(await warm.remove('ann', [{ memoryId: 'large' }])).toEqual(['removed']);
    expect(parts()).toBe(0);
    await write(warm, large(LARGE));
    expect(await warm.erase('ann', T, 2 * T)).toBe(2);
    expect(items().map(({ rank }) => rank)).toEqual([0]);
  });

  test('is written together with others, or none of them is; many that fit one by one do so as well', async () => {
    const { warm, items } = await opened();
    await write(warm, anEntry('ann', 'stands'));
    const writes = [large(LARGE), large('small', 'stands')].map(
      (entry): EntryWrite => ({ entry, expected: ABSENT }),
    );
    const outcomes = await warm.put('ann', writes, { together: true });
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['withheld', 'conflict']);
    expect(ofRank(items(), 2)).toEqual([]);
    const many = Array.from({ length: TOGETHER_MAX }, (_none, n) =>
      large(`${n} ${'x'.repeat(30_000)}`, `m${n}`),
    );
    const all = await warm.put(
      'ann',
      many.map((entry) => ({ entry })),
      { together: true, readBack: true },
    );
    expect(all).toMatchObject(many.map((stands) => ({ outcome: 'written', stands })));
    const found = await warm.find('ann', {}, 'newest', { limit: 1_000 });
    expect(found.items.filter(({ entry }) => entry.content.length > 30_000)).toHaveLength(
      TOGETHER_MAX,
    );
  });

  test('for what is beside its texts has failed, and the others are written', async () => {
    const { warm } = await opened();
    const wide = Object.fromEntries(
      Array.from({ length: 200 }, (_none, n) => [`a${n}`, 'x'.repeat(10_000)]),
    );
    const outcomes = await warm.put('ann', [
      { entry: anEntry('ann', 'wide', { attributes: wide }) },
      { entry: anEntry('ann', 'm') },
    ]);
    expect(outcomes).toMatchObject([
      { outcome: 'failed', retryable: false },
      { outcome: 'written' },
    ]);
  });
});

describe('what a call costs', () => {
  test('is told with its round trips: one for a write that follows a find', async () => {
    const { warm, charges } = await opened();
    await warm.find('ann', {}, 'newest', { limit: 1 });
    const entries = ['a', 'b', 'c'].map(
      (id): EntryWrite => ({ entry: anEntry('ann', id), expected: ABSENT }),
    );
    await warm.put('ann', entries, { together: true });
    await warm.get('ann', ['a', 'b', 'c']);
    await warm.put('ann', entries.slice(0, 1));
    expect(charges.map(({ operation, roundTrips }) => [operation, roundTrips])).toEqual([
      ['find', 1],
      ['put', 1],
      ['get', 1],
      ['put', 2],
    ]);
    for (const { charge } of charges) expect(charge).toBeGreaterThan(1);
  });

  test('is told of what was refused, too', async () => {
    const { charges, container } = await opened();
    const warm = place.warmIn(container, {
      clock,
      budgetMs: 1_000,
      onCharge: (charge) => void charges.push(charge),
    });
    const end = server.fail({ effect: 503 });
    await expect(warm.count('ann')).rejects.toThrow(WarmUnavailableError);
    end();
    expect(charges).toHaveLength(1);
    expect(charges[0]?.roundTrips).toBeGreaterThan(1);
  });
});

describe('many who write for one owner at once', () => {
  test('are in nobody’s way', async () => {
    const { warm, container } = await opened();
    const charges: Charge[] = [];
    const other = place.warmIn(container, { clock, onCharge: (one) => void charges.push(one) });
    await write(warm, anEntry('ann', 'first'));
    await Promise.all(
      Array.from({ length: 20 }, (_none, n) =>
        write(n % 2 === 0 ? warm : other, anEntry('ann', `m${n}`)),
      ),
    );
    expect(await warm.count('ann')).toBe(21);
    expect(charges.every(({ roundTrips }) => roundTrips === 1)).toBe(true);
  });
});

describe('the key', () => {
  test('may be another one from one call to the next, and is in no error', async () => {
    const { container } = await opened();
    const clientOf = (key: string) => connectCosmos({ endpoint: server.endpoint, as: { key } });
    const former = server.key;
    let client = clientOf(former);
    const warm = new CosmosWarm({
      container: () => client.database(DATABASE).container(container.id),
      clock,
    });
    await write(warm, anEntry('ann', 'm'));
    server.key = Buffer.from('another key that stands').toString('base64');
    const refused: unknown = await warm.count('ann').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(WarmUnavailableError);
    expect(String((refused as Error).stack)).not.toContain(former);
    client.dispose();
    client = clientOf(server.key);
    expect(await warm.count('ann')).toBe(1);
    client.dispose();
    server.key = former;
  });
});

describe('the set-up', () => {
  const client = () => connectCosmos({ endpoint: server.endpoint, as: { key: server.key } });

  test('is made where it is missing, and found to be as it must be', async () => {
    const own = client();
    const request = { database: 'fresh', container: 'warm', dimensions: 3 };
    expect(await examine(own, request)).toMatchObject([{ level: 'refuse' }]);
    expect(await setUp(own, request)).toMatchObject([{ level: 'ok' }]);
    expect(await examine(own, request)).toMatchObject([{ level: 'ok' }]);
    expect(await setUp(own, request)).toMatchObject([{ level: 'ok' }]);
    own.dispose();
  });

  test('may be made by several at once', async () => {
    const own = client();
    const request = { database: 'several', container: 'warm' };
    const found = await Promise.all(Array.from({ length: 4 }, () => setUp(own, request)));
    expect(found.flat().map(({ level }) => level)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(await examine(own, request)).toMatchObject([{ level: 'ok' }]);
    own.dispose();
  });

  test('tells of what differs and changes it, but for what cannot be changed', async () => {
    const own = client();
    const request = { database: DATABASE, container: 'differs' };
    await own.databases.createIfNotExists({ id: DATABASE });
    await own.database(DATABASE).containers.create({
      id: 'differs',
      partitionKey: { paths: ['/owner'] },
      indexingPolicy: { includedPaths: [{ path: '/rank/?' }], excludedPaths: [{ path: '/*' }] },
    });
    const found = await examine(own, { ...request, dimensions: 3 });
    expect(found.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn']);
    expect(found.map(({ what }) => what).join()).toMatch(
      /time to live.*\/entry\/timestamp.*vector policy/s,
    );
    await setUp(own, request);
    expect(await examine(own, request)).toMatchObject([{ level: 'ok' }]);
    await own.database(DATABASE).containers.create({
      id: 'other',
      partitionKey: { paths: ['/id'] },
      defaultTtl: 60,
    });
    const others = { database: DATABASE, container: 'other' };
    const refused = await setUp(own, others);
    expect(refused.filter(({ level }) => level === 'refuse')).toHaveLength(2);
    const { resource } = await own.database(DATABASE).container('other').read();
    expect(resource?.defaultTtl).toBe(60);
    own.dispose();
  });

  test('that is missing is said by every call', async () => {
    const own = client();
    const warm = new CosmosWarm({ container: () => own.database('none').container('none'), clock });
    await expect(warm.count('ann')).rejects.toThrow(UnsuitableStoreError);
    await expect(putOne(warm, { entry: anEntry('ann', 'm') })).rejects.toThrow(
      UnsuitableStoreError,
    );
    own.dispose();
  });
});

test('a vector policy that does not answer leaves likeness to be told here', async () => {
  const container = await place.container(2);
  const warm = place.warmIn(container, { clock });
  await write(warm, anEntry('ann', 'm', { embedding: [1, 1] }));
  const { resource } = await container.read();
  if (!resource) throw new Error('no container');
  expect(await warm.similar('ann', [1, 0], { limit: 1 })).toHaveLength(1);
  const { vectorEmbeddingPolicy: _gone, ...without } = resource;
  await container.replace(without);
  const [found] = await warm.similar('ann', [1, 0], { limit: 1 });
  expect(found?.score).toBeCloseTo(Math.SQRT1_2);
});
