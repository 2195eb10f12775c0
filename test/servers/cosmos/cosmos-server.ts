/**
 * A server on loopback that speaks the part of Azure Cosmos DB's protocol (NoSQL, over HTTP) that a store of documents
 * needs, to the official client: databases and containers, items under ETags, patches under conditions, transactional
 * batches, queries in one partition and over all of them, TTL, request charges, continuation, and whatever fault a test
 * asks for. What it knows of the service is written where it is done; it keeps nothing on a disk.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { chargeOf, chargeOfQuery, round } from './charges.ts';
import { type ContainerSettings, Documents, type Json, type Result } from './documents.ts';
import { type Fault, Faults, type RequestKind } from './faults.ts';
import { Queries, type Query } from './queries.ts';
import { NOT_SERVABLE, RANGES, planOf, rangeOf } from './query-plan.ts';
import {
  type Asked,
  type WireOperation,
  header,
  idOf,
  idsOf,
  isSigned,
  kindOf,
  operationOf,
  operationOfBatch,
} from './request.ts';

/** What was asked of the server, for tests and benches. */
export interface CosmosTally {
  /** Without those that tell a client of the account or the container. */
  requests: number;
  charge: number;
  crossPartitionQueries: number;
  readonly kinds: Partial<Record<RequestKind, number>>;
}

export interface CosmosServer extends AsyncDisposable {
  readonly endpoint: string;
  /** The key that stands; another one may be set, as when keys are rotated. */
  key: string;
  readonly tally: CosmosTally;
  /** Whether containers may have a vector policy. */
  vectors: boolean;
  /** @returns what ends it */
  fail(fault: Fault): () => void;
  /** The items of a container as they stand, to look at. */
  items(database: string, container: string): readonly Json[];
}

export interface CosmosServerOptions {
  /** Unix milliseconds; for TTL. Default: the clock of the machine. */
  readonly now?: () => number;
  readonly vectors?: boolean;
}

/** As the service has it, in bytes of the request. */
const BATCH_MAX_BYTES = 2 * 1024 * 1024;
const BATCH_MAX = 100;
const PAGE_DEFAULT = 100;

export async function startCosmosServer(options: CosmosServerOptions = {}): Promise<CosmosServer> {
  const account = new Account(options);
  const server = createServer((request, response) => void account.serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(account, {
    endpoint: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

interface Answer {
  readonly status: number;
  readonly substatus?: number;
  readonly body?: unknown;
  readonly charge?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

class Account {
  key = randomBytes(64).toString('base64');
  vectors: boolean;
  readonly tally: CosmosTally = { requests: 0, charge: 0, crossPartitionQueries: 0, kinds: {} };
  readonly #now: () => number;
  readonly #faults = new Faults();
  readonly #queries = new Queries();
  readonly #databases = new Map<string, Map<string, Documents>>();

  constructor({ now = Date.now, vectors = true }: CosmosServerOptions) {
    this.#now = now;
    this.vectors = vectors;
  }

  fail(fault: Fault): () => void {
    return this.#faults.add(fault);
  }

  items(database: string, container: string): readonly Json[] {
    return this.#databases.get(database)?.get(container)?.list() ?? [];
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname)
      .split('/')
      .filter((part) => part !== '');
    const asked: Asked = {
      method: request.method ?? '',
      path,
      headers: request.headers,
      body: body === '' ? undefined : JSON.parse(body),
      bytes: Buffer.byteLength(body),
    };
    const kind = kindOf(asked);
    if (kind !== 'account' && kind !== 'resource') {
      this.tally.requests += 1;
      this.tally.kinds[kind] = (this.tally.kinds[kind] ?? 0) + 1;
    }
    const fault = this.#faults.ofRequest(kind, idsOf(asked));
    if (fault?.effect === 'hang') return;
    if (fault?.effect === 'cut before') return void request.socket.destroy();
    const answer =
      typeof fault?.effect === 'number' ? faultAnswer(fault) : this.#answer(asked, kind);
    if (fault?.effect === 'cut after') return void request.socket.destroy();
    this.tally.charge = round(this.tally.charge + (answer.charge ?? 0));
    const { status, substatus, headers = {}, charge = 0 } = answer;
    const etag = (answer.body as Json | undefined)?.['_etag'];
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-ms-activity-id': randomUUID(),
      'x-ms-request-charge': String(charge),
      'x-ms-session-token': '0:-1#1',
      ...(typeof etag === 'string' && { etag }),
      ...(substatus !== undefined && { 'x-ms-substatus': String(substatus) }),
      ...headers,
    });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  #answer(asked: Asked, kind: RequestKind): Answer {
    if (!isSigned(asked, this.key)) return refusal(401, 'Unauthorized');
    if (kind === 'account') return accountAnswer(`http://${asked.headers.host}/`);
    const [, database = '', , container = ''] = asked.path;
    if (asked.path.length <= 2) return this.#database(asked, database);
    const containers = this.#databases.get(database);
    if (!containers) return refusal(404, 'NotFound', 1003);
    if (asked.path.length <= 4) return this.#container(asked, containers, container);
    const documents = containers.get(container);
    if (!documents) return refusal(404, 'NotFound', 1003);
    if (asked.path[4] === 'pkranges')
      return { status: 200, body: { PartitionKeyRanges: RANGES, _count: RANGES.length } };
    if (kind === 'query' || kind === 'plan') return this.#query(asked, documents);
    if (kind === 'batch') return this.#batch(asked, documents);
    const operation = operationOf(asked, kind);
    const partition =
      header(asked, 'x-ms-documentdb-partitionkey') ??
      ('body' in operation ? documents.partitionOf(operation.body) : '');
    const result = documents.apply(partition, operation);
    return { ...answerOf(result), charge: chargeOf(operation, result) };
  }

  #database({ method, body }: Asked, id: string): Answer {
    if (method === 'POST') {
      const made = body as { readonly id: string };
      if (this.#databases.has(made.id)) return refusal(409, 'Conflict');
      this.#databases.set(made.id, new Map());
      return { status: 201, body: resource(made) };
    }
    if (!this.#databases.has(id)) return refusal(404, 'NotFound');
    if (method !== 'DELETE') return { status: 200, body: resource({ id }) };
    this.#databases.delete(id);
    return { status: 204 };
  }

  #container({ method, body }: Asked, containers: Map<string, Documents>, id: string): Answer {
    if (method === 'POST' || method === 'PUT') {
      const made = body as Json & ContainerSettings & { readonly id: string };
      const standing = containers.get(made.id);
      if (made['vectorEmbeddingPolicy'] !== undefined && !this.vectors)
        return refusal(400, 'BadRequest: vector search is not enabled for this account');
      if (method === 'POST' && standing) return refusal(409, 'Conflict');
      if (method === 'PUT' && !standing) return refusal(404, 'NotFound');
      const settings = resource(made);
      if (!standing) containers.set(made.id, new Documents(settings, this.#now));
      else if (String(standing.settings.partitionKey.paths) !== String(made.partitionKey.paths))
        return refusal(400, 'BadRequest: the partition key cannot be changed');
      else standing.settings = settings;
      return { status: standing ? 200 : 201, body: settings };
    }
    const documents = containers.get(id);
    if (!documents) return refusal(404, 'NotFound');
    if (method !== 'DELETE') return { status: 200, body: documents.settings, charge: 2 };
    containers.delete(id);
    return { status: 204 };
  }

  #query(asked: Asked, documents: Documents): Answer {
    const query = asked.body as Query;
    const partition = header(asked, 'x-ms-documentdb-partitionkey');
    const range = header(asked, 'x-ms-documentdb-partitionkeyrangeid');
    try {
      if (kindOf(asked) === 'plan') return { status: 200, body: planOf(query.query) };
      if (partition === undefined && range === undefined) {
        this.tally.crossPartitionQueries += 1;
        return refusal(400, NOT_SERVABLE, 1004);
      }
      const items = documents
        .list(partition)
        .filter(
          (item) => partition !== undefined || rangeOf(documents.partitionOf(item)) === range,
        );
      const limit = Number(header(asked, 'x-ms-max-item-count') ?? PAGE_DEFAULT);
      const page = this.#queries.run(items, query, documents.settings, {
        limit: limit > 0 ? limit : PAGE_DEFAULT,
        continuation: header(asked, 'x-ms-continuation'),
      });
      return {
        status: 200,
        body: { Documents: page.items, _count: page.items.length },
        charge: chargeOfQuery(page.items, items.length),
        headers: {
          'x-ms-item-count': String(page.items.length),
          ...(page.continuation !== undefined && { 'x-ms-continuation': page.continuation }),
        },
      };
    } catch (error) {
      return refusal(400, `BadRequest: ${error instanceof Error ? error.message : ''}`);
    }
  }

  #batch(asked: Asked, documents: Documents): Answer {
    const wire = asked.body as readonly WireOperation[];
    if (wire.length > BATCH_MAX) return refusal(400, 'BadRequest: more than 100 operations');
    if (asked.bytes > BATCH_MAX_BYTES) return refusal(413, 'RequestEntityTooLarge');
    const partition = header(asked, 'x-ms-documentdb-partitionkey') ?? '';
    const operations = wire.map(operationOfBatch);
    const hit = operations
      .map((operation, index) => ({ index, fault: this.#faults.ofItem(idOf(operation)) }))
      .find(({ fault }) => typeof fault?.effect === 'number');
    const results: Result[] = hit
      ? operations.map((_one, index) =>
          index === hit.index
            ? { status: Number(hit.fault?.effect), code: 'injected' }
            : { status: 424, code: 'FailedDependency' },
        )
      : documents.together(partition, operations);
    const charges = results.map((result, index) => {
      const operation = operations[index];
      return operation && result.status !== 424 ? chargeOf(operation, result) : 0;
    });
    return {
      status: results.some(({ status }) => status >= 400) ? 207 : 200,
      body: results.map(({ status, substatus, item }, index) => ({
        statusCode: status,
        ...(substatus !== undefined && { subStatusCode: substatus }),
        requestCharge: charges[index],
        eTag: item?.['_etag'],
        resourceBody: item,
        ...(hit?.index === index && { retryAfterMilliseconds: hit.fault?.retryAfterMs }),
      })),
      charge: round(charges.reduce((sum, charge) => sum + charge, 0)),
    };
  }
}

function accountAnswer(url: string): Answer {
  const locations = [{ name: 'local', databaseAccountEndpoint: url }];
  return {
    status: 200,
    body: {
      id: 'local',
      writableLocations: locations,
      readableLocations: locations,
      userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
      enableMultipleWriteLocations: false,
    },
  };
}

function resource<T extends object>(body: T): T & Json {
  return { ...body, _rid: 'r', _self: 'self', _etag: `"${randomUUID()}"`, _ts: 1 };
}

function answerOf({ status, substatus, code, item }: Result): Answer {
  if (status >= 400) return refusal(status, code ?? '', substatus);
  return { status, body: item };
}

function refusal(status: number, message: string, substatus?: number): Answer {
  const code = message.split(':')[0];
  return { status, body: { code, message }, ...(substatus !== undefined && { substatus }) };
}

function faultAnswer({ effect, retryAfterMs }: Fault): Answer {
  return {
    ...refusal(Number(effect), 'injected'),
    ...(retryAfterMs !== undefined && {
      headers: { 'x-ms-retry-after-ms': String(retryAfterMs) },
    }),
  };
}
