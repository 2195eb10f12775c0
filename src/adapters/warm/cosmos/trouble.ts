/** What went wrong, from what the client throws: what passes by itself, and whether a write may have been done. */
import { UnsuitableStoreError, WarmUnavailableError } from '../../../model/errors.ts';

/**
 * No answer came, for whatever reason. In a form that the client takes for none of those that it repeats by itself; and
 * without the client's error, which holds the request with what it was signed by.
 */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';

  constructor(cause: unknown) {
    super(unansweredFor(cause));
  }
}

/** Trouble that passes. */
export interface Passing {
  /** In words that hold nothing of what was asked. */
  readonly what: string;
  readonly retryAfterMs: number | undefined;
  /** What was asked may have been done all the same: the answer was lost. */
  readonly unheard: boolean;
}

const STATUS = {
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  timeout: 408,
  conflict: 409,
  gone: 410,
  preconditionFailed: 412,
  throttled: 429,
  /** Two writes of one document at once: the service asks for another try. */
  retryWith: 449,
  serverError: 500,
  unavailable: 503,
} as const;

/** Of a 404: the container or its database. */
const NO_CONTAINER = 1_003;

const PASSING: ReadonlySet<number> = new Set([
  STATUS.timeout,
  STATUS.gone,
  STATUS.throttled,
  STATUS.retryWith,
  STATUS.serverError,
  STATUS.unavailable,
]);

/** Refused before anything was done. */
const NOT_BEGUN: ReadonlySet<number> = new Set([STATUS.throttled, STATUS.retryWith]);

/** Of an operation under a condition: nothing is there, something is, something else is. */
export const CHANGED: ReadonlySet<number> = new Set([
  STATUS.notFound,
  STATUS.conflict,
  STATUS.preconditionFailed,
]);

/** Whether an operation with this status may be tried again. */
export function passes(status: number): boolean {
  return PASSING.has(status);
}

/** @throws what will not pass, as the port says it */
export function passingOf(thrown: unknown): Passing {
  const error = innermost(thrown);
  if (error instanceof UnansweredError) return unanswered(error.message);
  const { code, substatus, retryAfterInMs } = (error ?? {}) as {
    readonly code?: unknown;
    readonly substatus?: unknown;
    readonly retryAfterInMs?: number;
  };
  if (typeof code !== 'number') {
    if (!isOfTheWire(error)) throw thrown;
    return unanswered(unansweredFor(error));
  }
  if (passes(code)) {
    const what = code === STATUS.throttled ? 'has too much to do (429)' : `answered ${code}`;
    return { what, retryAfterMs: retryAfterInMs, unheard: !NOT_BEGUN.has(code) };
  }
  if (code === STATUS.notFound && substatus === NO_CONTAINER)
    throw new UnsuitableStoreError(
      'Cosmos DB has no such database or container; set it up, or name the right one',
    );
  if (code === STATUS.unauthorized || code === STATUS.forbidden)
    throw new WarmUnavailableError(`Cosmos DB refuses the key or the identity (${code})`);
  throw thrown;
}

function unanswered(what: string): Passing {
  return { what, retryAfterMs: undefined, unheard: true };
}

function unansweredFor(error: unknown): string {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  if (name === 'AbortError' || code === 'TimeoutError') return 'did not answer in time';
  return `cannot be reached${typeof code === 'string' ? ` (${code})` : ''}`;
}

/** The status that an error of the client carries; undefined: none. */
export function statusOf(thrown: unknown): number | undefined {
  const code = (innermost(thrown) as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** What the client says of a charge in an error. */
export function chargeOfError(thrown: unknown): number {
  const { headers } = (innermost(thrown) ?? {}) as {
    readonly headers?: Readonly<Record<string, unknown>>;
  };
  return Number(headers?.['x-ms-request-charge'] ?? 0);
}

/** Of a batch the client wraps what it was told. */
function innermost(thrown: unknown): unknown {
  return thrown instanceof Error && thrown.cause !== undefined && !('code' in thrown)
    ? thrown.cause
    : thrown;
}

function isOfTheWire(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  const known = ['RestError', 'AbortError', 'TimeoutError'];
  return (
    known.includes(String(name)) ||
    (typeof code === 'string' && /^E[A-Z]+$|_ERROR$/.test(code)) ||
    // A connection that broke off within an answer.
    (error instanceof SyntaxError && error.message.includes('JSON'))
  );
}
