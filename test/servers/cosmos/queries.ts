/** Queries over the items of one container, page by page. */
import { randomUUID } from 'node:crypto';
import { type ContainerSettings, type Json, valueAt } from './documents.ts';
import { type Parameter, parsedQuery } from './parsed-query.ts';

export interface Query {
  readonly query: string;
  readonly parameters?: readonly Parameter[];
}

export interface QueryPage {
  readonly items: readonly unknown[];
  readonly continuation: string | undefined;
}

/** A page is no larger, whatever was asked for. */
const PAGE_MAX_BYTES = 4 * 1024 * 1024;

/** Answers that are kept to go on with. */
const OPEN_MAX = 1_000;

const DISTANCE = /VectorDistance\(\s*c((?:\.\w+)+)\s*,\s*(@\w+)\s*\)/i;

export class Queries {
  /** The whole of an answer stands from the first page on: what is written meanwhile moves nothing. */
  readonly #open = new Map<string, readonly unknown[]>();

  /** @throws where the query cannot be answered */
  run(
    items: readonly Json[],
    asked: Query,
    settings: Json & ContainerSettings,
    { limit, continuation }: { readonly limit: number; readonly continuation: string | undefined },
  ): QueryPage {
    const [token = randomUUID(), offset = '0'] = continuation?.split(' ') ?? [];
    const all = this.#open.get(token) ?? answer(items, asked, settings);
    const from = Number(offset);
    let to = from;
    for (let bytes = 0; to < Math.min(all.length, from + limit); to += 1) {
      bytes += Buffer.byteLength(JSON.stringify([all[to]]));
      if (bytes > PAGE_MAX_BYTES && to > from) break;
    }
    if (to >= all.length) return { items: all.slice(from), continuation: undefined };
    this.#open.set(token, all);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#open.delete(oldest);
    }
    return { items: all.slice(from, to), continuation: `${token} ${to}` };
  }
}

function answer(
  items: readonly Json[],
  { query, parameters = [] }: Query,
  settings: Json & ContainerSettings,
): readonly unknown[] {
  const [, path, name] = DISTANCE.exec(query) ?? [];
  if (path === undefined) return run(query, items, parameters);
  const pointer = path.replaceAll('.', '/');
  if (!vectorPathsOf(settings).includes(pointer))
    throw new Error(`VectorDistance: the container has no vector policy for ${pointer}`);
  const to = parameters.find((one) => one.name === name)?.value as readonly number[];
  const near = items.map((item) => ({ ...item, distance: cosine(valueAt(item, pointer), to) }));
  const plain = query
    .replace(new RegExp(`ORDER BY\\s+${DISTANCE.source}`, 'i'), 'ORDER BY c.distance DESC')
    .replaceAll(new RegExp(DISTANCE.source, 'gi'), 'c.distance');
  return run(plain, near, parameters);
}

function run(query: string, items: readonly Json[], parameters: readonly Parameter[]): unknown[] {
  return parsedQuery(query).exec(items, { parameters }).result;
}

function vectorPathsOf(settings: Json): readonly string[] {
  const policy = settings['vectorEmbeddingPolicy'] as
    | { readonly vectorEmbeddings?: readonly { readonly path: string }[] }
    | undefined;
  return policy?.vectorEmbeddings?.map(({ path }) => path) ?? [];
}

function cosine(one: unknown, other: readonly number[]): number | undefined {
  if (!Array.isArray(one) || one.length !== other.length) return undefined;
  const vector = one as readonly number[];
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, x, index) => sum + x * (b[index] ?? 0), 0);
  const lengths = Math.sqrt(dot(vector, vector) * dot(other, other));
  return lengths === 0 ? 0 : dot(vector, other) / lengths;
}
