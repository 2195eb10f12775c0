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

/** What was to be written happened before its user was erased. Never retried. */
export class UserErasedError extends Error {
  override readonly name = 'UserErasedError';

  constructor() {
    super('the user was erased since: nothing from before is written any more');
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

/** The cold tier cannot serve now: away, full, throttled. Nothing was lost; try again. */
export class ColdUnavailableError extends Error {
  override readonly name = 'ColdUnavailableError';
}

/** The report's file cannot serve now: locked, full, not to be written to. Nothing was lost; try again. */
export class ReportUnavailableError extends Error {
  override readonly name = 'ReportUnavailableError';
}

/** A secret cannot be had now: its store is away, throttled, or does not let us. Try again. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError';
}

/** An object of the cold tier is not what was written: says which, and what is wrong with it. */
export class DamagedObjectError extends Error {
  override readonly name = 'DamagedObjectError';
  /** Of a `current`: the version that stands, under which it can be replaced. */
  readonly version: string | undefined;

  constructor(message: string, options: ErrorOptions & { version?: string } = {}) {
    super(message, options);
    this.version = options.version;
  }
}

/** A summarizer cannot serve now: away, throttled, too slow, or it refuses the key. Nothing was lost; try again. */
export class SummarizerUnavailableError extends Error {
  override readonly name = 'SummarizerUnavailableError';
}

/** What a summarizer answered is no summary of what it was given: says what is wrong, and nothing of what was said. */
export class SummaryRefusedError extends Error {
  override readonly name = 'SummaryRefusedError';
}

/** What was asked cannot be done, however often it is tried: a job, or an event whose handler throws it, is a dead letter at once. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
}

/** Whether trying again is in vain, for an error that says so by its class. */
export function isPermanent(error: unknown): boolean {
  return (
    error instanceof PermanentError ||
    error instanceof UsageError ||
    error instanceof UnsuitableStoreError
  );
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
