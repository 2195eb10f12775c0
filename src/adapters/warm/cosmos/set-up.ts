/** How database and container must be set up: what differs, and how it is made so. */
import {
  type ContainerDefinition,
  type CosmosClient,
  type IndexingPolicy,
  PartitionKeyDefinitionVersion,
  VectorEmbeddingDataType,
  VectorEmbeddingDistanceFunction,
  VectorIndexType,
} from '@azure/cosmos';
import { isDeepStrictEqual } from 'node:util';
import type { Diagnosis } from '../../../model/diagnosis.ts';
import { EMBEDDING_PATH } from './likeness.ts';
import { ORDERS } from './query.ts';
import { statusOf } from './trouble.ts';

export interface SetUpRequest {
  readonly database: string;
  readonly container: string;
  /** Numbers of an embedding, where the account has vector search and is to tell the nearest; undefined: no such policy. */
  readonly dimensions?: number;
}

const PARTITION_KEY = '/owner';

/** What is queried; the texts are not. */
const INCLUDED = [
  '/owner/?',
  '/rank/?',
  '/version/?',
  '/entry/key/?',
  '/entry/timestamp/?',
  '/entry/importance/?',
  '/entry/step/?',
  '/entry/type/?',
  '/entry/expiresAt/?',
  '/entry/attributes/*',
  '/entry/words/[]/?',
];

/** An index of flat vectors takes no more numbers; beyond it is a graph. */
const QUANTIZED_MAX = 4_096;

/** An order by several properties needs an index of just these, in their order. */
const COMPOSITE = [
  ...Object.values(ORDERS).map(({ column, direction }) => {
    const order = direction === 'ASC' ? ('ascending' as const) : ('descending' as const);
    return [
      { path: '/rank', order: 'ascending' as const },
      { path: `/entry/${column}`, order },
      { path: '/entry/key', order },
    ];
  }),
  ['/entry/timestamp', '/owner', '/entry/key'].map((path) => ({
    path,
    order: 'ascending' as const,
  })),
];

/** @throws RangeError for more numbers than the service has an index for */
function definitionOf({ container, dimensions }: SetUpRequest): ContainerDefinition {
  if (dimensions !== undefined && dimensions > QUANTIZED_MAX)
    throw new RangeError(`Cosmos DB has an index for at most ${QUANTIZED_MAX} dimensions`);
  const indexingPolicy: IndexingPolicy = {
    indexingMode: 'consistent',
    automatic: true,
    includedPaths: INCLUDED.map((path) => ({ path })),
    excludedPaths: [{ path: '/*' }],
    compositeIndexes: COMPOSITE,
    ...(dimensions !== undefined && {
      vectorIndexes: [{ path: EMBEDDING_PATH, type: VectorIndexType.QuantizedFlat }],
    }),
  };
  return {
    id: container,
    partitionKey: { paths: [PARTITION_KEY], version: PartitionKeyDefinitionVersion.V2 },
    // On, and each document has its own.
    defaultTtl: -1,
    indexingPolicy,
    ...(dimensions !== undefined && {
      vectorEmbeddingPolicy: {
        vectorEmbeddings: [
          {
            path: EMBEDDING_PATH,
            dataType: VectorEmbeddingDataType.Float32,
            dimensions,
            distanceFunction: VectorEmbeddingDistanceFunction.Cosine,
          },
        ],
      },
    }),
  };
}

/**
 * Makes what is missing, and makes what differs as it must be; what cannot be changed is refused and left alone.
 * @returns what was done, and what was as it must be
 */
export async function setUp(client: CosmosClient, request: SetUpRequest): Promise<Diagnosis[]> {
  const { database, container } = request;
  const wanted = definitionOf(request);
  await unlessThere(client.databases.createIfNotExists({ id: database }));
  let standing = await read(client, request);
  if (!standing) {
    const made = await unlessThere(client.database(database).containers.create(wanted));
    if (made) return [{ level: 'ok', what: `container ${container} made` }];
    standing = await read(client, request);
  }
  if (!standing) throw new Error(`container ${container} was made by others and removed again`);
  const differences = differencesOf(standing, request);
  if (differences.length === 0)
    return [{ level: 'ok', what: `container ${container} is as it must be` }];
  // What only another container can have is left to a person, and then nothing is changed.
  const final = differences.filter(({ change }) => change !== MAKE);
  if (final.length > 0) return differences;
  // What others have set there beside ours stays.
  await client
    .database(database)
    .container(container)
    .replace({ ...standing, ...wanted });
  return differences.map(({ what }) => ({ level: 'ok', what: `${what}: changed` }));
}

/** Says how it stands, and what `setUp` would change. Changes nothing. @throws what the client throws where it is away */
export async function examine(client: CosmosClient, request: SetUpRequest): Promise<Diagnosis[]> {
  const { database, container } = request;
  const standing = await read(client, request);
  if (!standing)
    return [
      {
        level: 'refuse',
        what: `Cosmos DB has no container ${container} in the database ${database}`,
        change: MAKE,
      },
    ];
  const differences = differencesOf(standing, request);
  return differences.length > 0
    ? differences
    : [{ level: 'ok', what: `container ${container} of ${database} is as it must be` }];
}

/** @returns false if another had made it first */
async function unlessThere(making: Promise<unknown>): Promise<boolean> {
  try {
    await making;
    return true;
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    return false;
  }
}

const MAKE = 'rekindle setup --apply';

async function read(
  client: CosmosClient,
  { database, container }: SetUpRequest,
): Promise<ContainerDefinition | undefined> {
  try {
    const { resource } = await client.database(database).container(container).read();
    return resource;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

function differencesOf(standing: ContainerDefinition, request: SetUpRequest): Diagnosis[] {
  const wanted = definitionOf(request);
  const findings: Diagnosis[] = [];
  const paths = standing.partitionKey?.paths ?? [];
  if (!isDeepStrictEqual(paths, [PARTITION_KEY]))
    findings.push({
      level: 'refuse',
      what: `the partition key is ${paths.join(', ')}, and cannot be changed`,
      change: `name another container; its partition key is to be ${PARTITION_KEY}`,
    });
  if (standing.defaultTtl === undefined)
    findings.push({
      level: 'warn',
      what: 'time to live is off: what has expired is hidden and keeps its room',
      change: MAKE,
    });
  else if (standing.defaultTtl !== -1)
    findings.push({
      level: 'refuse',
      what: `whatever names no time to live goes after ${standing.defaultTtl} s: conversations would be lost`,
      change: MAKE,
    });
  const lacking = lackingOf(standing.indexingPolicy ?? {}, wanted.indexingPolicy ?? {});
  if (lacking.length > 0)
    findings.push({
      level: 'warn',
      what: `the indexing policy lacks ${lacking.join(', ')}`,
      change: MAKE,
    });
  return [...findings, ...vectorDifference(standing, request)];
}

/** The service gives back more than it was told: what it must have is looked for. */
function lackingOf(standing: IndexingPolicy, wanted: IndexingPolicy): string[] {
  const paths = ({ includedPaths = [] }: IndexingPolicy): string[] =>
    includedPaths.map(({ path }) => path);
  const orders = ({ compositeIndexes = [] }: IndexingPolicy): string[] =>
    compositeIndexes.map((index) => index.map(({ path, order }) => `${path} ${order}`).join(' + '));
  const everything = paths(standing).includes('/*');
  const lacking = everything ? [] : paths(wanted).filter((path) => !paths(standing).includes(path));
  return [...lacking, ...orders(wanted).filter((order) => !orders(standing).includes(order))];
}

function vectorDifference(
  standing: ContainerDefinition,
  { dimensions }: SetUpRequest,
): Diagnosis[] {
  if (dimensions === undefined) return [];
  const own = standing.vectorEmbeddingPolicy?.vectorEmbeddings.find(
    ({ path }) => path === EMBEDDING_PATH,
  );
  if (own?.dimensions === dimensions) return [];
  if (!own)
    return [
      { level: 'warn', what: 'there is no vector policy: likeness is told here', change: MAKE },
    ];
  return [
    {
      level: 'refuse',
      what: `the vector policy is for ${own.dimensions} dimensions, and cannot be changed`,
      change: `name another container, or embeddings of ${own.dimensions} dimensions`,
    },
  ];
}
