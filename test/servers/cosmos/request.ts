/** Requests of the protocol, as what they ask for. */
import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Json, Operation, PatchStep } from './documents.ts';
import type { RequestKind } from './faults.ts';

/** A request, understood. */
export interface Asked {
  readonly method: string;
  readonly path: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  readonly bytes: number;
}

export interface WireOperation {
  readonly operationType: 'Create' | 'Upsert' | 'Replace' | 'Read' | 'Delete' | 'Patch';
  readonly id?: string;
  readonly resourceBody?: Json;
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
}

export function operationOfBatch({
  operationType,
  id = '',
  resourceBody: body = {},
  ifMatch,
  ifNoneMatch,
}: WireOperation): Operation {
  const conditions = { ifMatch, ifNoneMatch };
  switch (operationType) {
    case 'Create':
      return { ...conditions, kind: 'create', body };
    case 'Upsert':
      return { ...conditions, kind: 'upsert', body };
    case 'Replace':
      return { ...conditions, kind: 'replace', id, body };
    case 'Read':
      return { ...conditions, kind: 'read', id };
    case 'Delete':
      return { ...conditions, kind: 'delete', id };
    case 'Patch':
      return { ...conditions, kind: 'patch', id, ...patchOf(body) };
  }
}

export function operationOf(asked: Asked, kind: RequestKind): Operation {
  const conditions = {
    ifMatch: header(asked, 'if-match'),
    ifNoneMatch: header(asked, 'if-none-match'),
  };
  const id = asked.path[5] ?? '';
  const body = asked.body as Json;
  switch (kind) {
    case 'create':
    case 'upsert':
      return { ...conditions, kind, body };
    case 'replace':
      return { ...conditions, kind, id, body };
    case 'patch':
      return { ...conditions, kind, id, ...patchOf(asked.body) };
    default:
      return { ...conditions, kind: kind === 'delete' ? 'delete' : 'read', id };
  }
}

function patchOf(body: unknown): {
  readonly steps: readonly PatchStep[];
  readonly condition?: string | undefined;
} {
  if (Array.isArray(body)) return { steps: body as readonly PatchStep[] };
  const { operations, condition } = body as {
    readonly operations: readonly PatchStep[];
    readonly condition?: string;
  };
  return { steps: operations, condition };
}

export function idOf(operation: Operation): string {
  return 'id' in operation ? operation.id : String(operation.body['id']);
}

export function kindOf(asked: Asked): RequestKind {
  const { method, path } = asked;
  if (path.length === 0) return 'account';
  if (path.length < 5 || path[4] !== 'docs') return 'resource';
  if (header(asked, 'x-ms-cosmos-is-batch-request') !== undefined) return 'batch';
  if (method !== 'POST')
    return method === 'GET'
      ? 'read'
      : method === 'PUT'
        ? 'replace'
        : method === 'PATCH'
          ? 'patch'
          : 'delete';
  if (header(asked, 'x-ms-cosmos-is-query-plan-request') !== undefined) return 'plan';
  const isQuery =
    header(asked, 'x-ms-documentdb-isquery') !== undefined ||
    header(asked, 'content-type') === 'application/query+json';
  if (isQuery) return 'query';
  return header(asked, 'x-ms-documentdb-is-upsert') === undefined ? 'create' : 'upsert';
}

export function idsOf({ path, body }: Asked): string[] {
  if (path[5] !== undefined) return [path[5]];
  const id = (body as Json | undefined)?.['id'];
  return typeof id === 'string' ? [id] : [];
}

/** Every resource is signed for by its type and path; by whoever has the key. */
export function isSigned(asked: Asked, key: string): boolean {
  const { path, method } = asked;
  const type = path.length % 2 === 1 ? path.at(-1) : path.at(-2);
  const id = path.slice(0, path.length - (path.length % 2)).join('/');
  const date = header(asked, 'x-ms-date') ?? '';
  const said = `${method.toLowerCase()}\n${type ?? ''}\n${id}\n${date.toLowerCase()}\n\n`;
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(said).digest('base64');
  const given = decodeURIComponent(header(asked, 'authorization') ?? '');
  return given === `type=master&ver=1.0&sig=${signature}`;
}

export function header(asked: Asked, name: string): string | undefined {
  const value = asked.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
