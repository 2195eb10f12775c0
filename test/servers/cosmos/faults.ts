/** What a test wants to go wrong. */
export type RequestKind =
  | 'account'
  | 'resource'
  | 'read'
  | 'create'
  | 'upsert'
  | 'replace'
  | 'patch'
  | 'delete'
  | 'batch'
  | 'query'
  /** How a query over all partitions is to be asked. */
  | 'plan';

/** Everything that changes an item. */
export const WRITES: readonly RequestKind[] = [
  'create',
  'upsert',
  'replace',
  'patch',
  'delete',
  'batch',
];

export interface Fault {
  /** Undefined: all of them. */
  readonly kinds?: readonly RequestKind[];
  /** Only where it is about an item for which this holds; of a batch that one operation fails. */
  readonly item?: (id: string) => boolean;
  /** So many are let pass before. Default 0. */
  readonly after?: number;
  /** So many are hit. Default: all, until it is ended. */
  readonly times?: number;
  /**
   * A status; the connection cut before the operation took effect, or after it did; or no answer, ever. Of one item of a
   * batch a status alone.
   */
  readonly effect: number | 'cut before' | 'cut after' | 'hang';
  readonly retryAfterMs?: number;
}

export class Faults {
  readonly #standing = new Set<{ readonly fault: Fault; seen: number }>();

  /** @returns what ends it */
  add(fault: Fault): () => void {
    const one = { fault, seen: 0 };
    this.#standing.add(one);
    return () => void this.#standing.delete(one);
  }

  /** What befalls a request. */
  ofRequest(kind: RequestKind, ids: readonly string[]): Fault | undefined {
    return this.#first(
      ({ kinds, item }) =>
        (kinds?.includes(kind) ?? true) &&
        (!item || (kind !== 'batch' && kind !== 'query' && ids.some(item))),
    );
  }

  /** What befalls one item of a batch. */
  ofItem(id: string): Fault | undefined {
    return this.#first(
      ({ kinds, item }) => item?.(id) === true && (kinds?.includes('batch') ?? true),
    );
  }

  #first(hits: (fault: Fault) => boolean): Fault | undefined {
    for (const one of this.#standing) {
      const { after = 0, times = Infinity } = one.fault;
      if (!hits(one.fault)) continue;
      one.seen += 1;
      if (one.seen > after && one.seen <= after + times) return one.fault;
    }
    return undefined;
  }
}
