/** Wrong settings or arguments: says which value, where, and what would be right. Never retried. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The store cannot be used as it is set up (eviction, cluster, version): says what to change. Never retried. */
export class UnsuitableStoreError extends Error {
  override readonly name = 'UnsuitableStoreError';
}

/** The bus cannot take events now. Events stay in the ledgers and are published when it is back. */
export class BusUnavailableError extends Error {
  override readonly name = 'BusUnavailableError';
  /** Set when the bus refuses because this consumer group is too far behind. */
  readonly group: string | undefined;

  constructor(message: string, options: ErrorOptions & { group?: string } = {}) {
    super(message, options);
    this.group = options.group;
  }
}

/** The warm tier cannot serve now: away, locked, full, throttled. Nothing was lost; try again. */
export class WarmUnavailableError extends Error {
  override readonly name = 'WarmUnavailableError';
  /** How long the store asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
