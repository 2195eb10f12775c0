/** The items of one container: what stands, under which ETag, and until when. */
import { randomUUID } from 'node:crypto';
import { parsedQuery } from './parsed-query.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface PatchStep {
  readonly op: 'add' | 'set' | 'replace' | 'remove' | 'incr';
  readonly path: string;
  readonly value?: unknown;
}

export type Operation = Conditions &
  (
    | { readonly kind: 'create' | 'upsert'; readonly body: Json }
    | { readonly kind: 'replace'; readonly id: string; readonly body: Json }
    | { readonly kind: 'read' | 'delete'; readonly id: string }
    | {
        readonly kind: 'patch';
        readonly id: string;
        readonly steps: readonly PatchStep[];
        readonly condition?: string | undefined;
      }
  );

interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** What an operation came to; `before` is what stood there. */
export interface Result {
  readonly status: number;
  readonly substatus?: number;
  readonly code?: string;
  readonly item?: Json | undefined;
  readonly before?: Json | undefined;
}

const ITEM_MAX_BYTES = 2 * 1024 * 1024;

/** Steps of one patch, as the service has it. */
const PATCH_STEPS_MAX = 10;

/** As the service has it. */
const ID_MAX_BYTES = 1_023;

export interface ContainerSettings {
  readonly partitionKey: { readonly paths: readonly string[] };
  readonly defaultTtl?: number;
}

export class Documents {
  readonly #now: () => number;
  #items = new Map<string, Map<string, Json>>();
  #count = 0;
  /** As it was created or last replaced. */
  settings: Json & ContainerSettings;

  /** @param now Unix milliseconds */
  constructor(settings: Json & ContainerSettings, now: () => number) {
    this.settings = settings;
    this.#now = now;
  }

  /** The items that are there, of one partition or of all. */
  list(partition?: string): Json[] {
    const partitions =
      partition === undefined
        ? [...this.#items.keys()]
        : [partition].filter((one) => this.#items.has(one));
    return partitions.flatMap((one) =>
      [...(this.#items.get(one)?.keys() ?? [])].flatMap((id) => {
        const item = this.#standing(one, id);
        return item ? [item] : [];
      }),
    );
  }

  /** The partition of an item, as the header of a request names one. */
  partitionOf(item: Json): string {
    return JSON.stringify(
      this.settings.partitionKey.paths.map((path) => valueAt(item, path) ?? {}),
    );
  }

  /** All of them or none, as a transactional batch goes. */
  together(partition: string, operations: readonly Operation[]): Result[] {
    const before = this.#items.get(partition);
    this.#items.set(partition, new Map(before));
    const results: Result[] = [];
    for (const operation of operations) {
      const result = this.apply(partition, operation);
      results.push(result);
      if (result.status < 400) continue;
      if (before) this.#items.set(partition, before);
      else this.#items.delete(partition);
      return operations.map((_one, index) =>
        index === results.length - 1 ? result : { status: 424, code: 'FailedDependency' },
      );
    }
    return results;
  }

  apply(partition: string, operation: Operation): Result {
    const id = 'id' in operation ? operation.id : String(operation.body['id']);
    const before = this.#standing(partition, id);
    const refusal = this.#refusalOf(partition, operation, id, before);
    if (refusal) return refusal;
    switch (operation.kind) {
      case 'create':
      case 'upsert':
      case 'replace':
        return { ...this.#write(partition, operation.body, before), before };
      case 'read':
        return operation.ifNoneMatch !== undefined && operation.ifNoneMatch === before?.['_etag']
          ? { status: 304 }
          : { status: 200, item: before };
      case 'delete':
        this.#items.get(partition)?.delete(id);
        return { status: 204, before };
      case 'patch': {
        const patched = before && patch(before, operation.steps);
        if (!patched) return { status: 400, code: 'BadRequest' };
        if (bytesOf(patched) > ITEM_MAX_BYTES) return TOO_LARGE;
        return { ...this.#write(partition, patched, before), before };
      }
    }
  }

  #refusalOf(
    partition: string,
    operation: Operation,
    id: string,
    before: Json | undefined,
  ): Result | undefined {
    if (/[/\\?#]/.test(id) || Buffer.byteLength(id) > ID_MAX_BYTES || id === '')
      return { status: 400, code: 'BadRequest' };
    if ('body' in operation) {
      if (this.partitionOf(operation.body) !== partition)
        return { status: 400, substatus: 1001, code: 'BadRequest' };
      if (bytesOf(operation.body) > ITEM_MAX_BYTES) return TOO_LARGE;
    }
    if (operation.kind === 'create' && before) return { status: 409, code: 'Conflict', before };
    if (operation.kind !== 'create' && operation.kind !== 'upsert' && !before)
      return { status: 404, code: 'NotFound' };
    if (operation.ifMatch !== undefined && before && operation.ifMatch !== before['_etag'])
      return { status: 412, code: 'PreconditionFailed', before };
    if (operation.kind !== 'patch' || !before) return undefined;
    if (operation.steps.length > PATCH_STEPS_MAX) return { status: 400, code: 'BadRequest' };
    if (operation.condition === undefined) return undefined;
    const holds = parsedQuery(`SELECT VALUE 1 ${operation.condition}`).exec([before]);
    return holds.result.length > 0
      ? undefined
      : { status: 412, code: 'PreconditionFailed', before };
  }

  #write(partition: string, body: Json, before: Json | undefined): Result {
    const own = this.#items.get(partition) ?? new Map<string, Json>();
    this.#items.set(partition, own);
    const item = {
      ...body,
      _rid: before?.['_rid'] ?? `r${(this.#count += 1)}`,
      _self: 'self',
      _etag: `"${randomUUID()}"`,
      _attachments: 'attachments/',
      _ts: Math.floor(this.#now() / 1_000),
    };
    own.set(String(body['id']), item);
    return { status: before ? 200 : 201, item };
  }

  #standing(partition: string, id: string): Json | undefined {
    const own = this.#items.get(partition);
    const item = own?.get(id);
    const { defaultTtl } = this.settings;
    if (!item || defaultTtl === undefined) return item;
    const ttl = Number(item['ttl'] ?? defaultTtl);
    if (ttl < 0 || this.#now() / 1_000 - Number(item['_ts']) < ttl) return item;
    own?.delete(id);
    return undefined;
  }
}

const TOO_LARGE: Result = { status: 413, code: 'RequestEntityTooLarge' };

export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

export function valueAt(item: Json, path: string): unknown {
  return path
    .split('/')
    .slice(1)
    .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), item);
}

/** @returns undefined where a step cannot be done */
function patch(item: Json, steps: readonly PatchStep[]): Json | undefined {
  const patched = structuredClone(item) as Record<string, unknown>;
  for (const { op, path, value } of steps) {
    const keys = path.split('/').slice(1);
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), patched);
    if (!isObject(parent)) return undefined;
    const there = last in parent;
    if ((op === 'remove' || op === 'replace') && !there) return undefined;
    if (op === 'remove') Reflect.deleteProperty(parent, last);
    else if (op !== 'incr') parent[last] = value;
    else if (there && typeof parent[last] !== 'number') return undefined;
    else parent[last] = Number(parent[last] ?? 0) + Number(value);
  }
  return patched;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
