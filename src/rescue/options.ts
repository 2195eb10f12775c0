import { MINUTE_MS, SECOND_MS } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import { EVENT_TYPES, type EventType } from '../model/event.ts';
import type { Handler } from './received-event.ts';

/** How long to wait after a failure: anything up to `firstMs`, which doubles with each further one up to `longestMs`. */
export interface RetryBackoff {
  /** Default 1 s. */
  readonly firstMs?: number;
  /** Default 5 min. */
  readonly longestMs?: number;
}

/** What a subscriber hears, and how it goes about it. */
export interface SubscriberOptions<T extends EventType = EventType> {
  /** Each group gets every event; the subscribers of a group share them. */
  readonly group: string;
  /** Only these; the same for all subscribers of a group. Default: all. */
  readonly types?: readonly T[];
  /** Called once in effect for each event; see {@link Handler}. */
  readonly handler: Handler<T>;
  /** How many handlers run side by side. Default 16. */
  readonly concurrency?: number;
  /** How many events are in hand beyond those: what takes one back is then heard of early. Default 64. */
  readonly readAhead?: number;
  /** How long a subscriber that gives no sign of life keeps an event from others. Default 30 s. */
  readonly claimMs?: number;
  /** After so many attempts an event goes to the dead letters. Default 5. */
  readonly maxDeliveries?: number;
  /** How long a handler may take; then the event is tried again. Default 5 min. */
  readonly handlerTimeoutMs?: number;
  readonly backoff?: RetryBackoff;
}

/** The same for whatever types of events. */
export type AnySubscriberOptions = Omit<SubscriberOptions, 'types' | 'handler'> & {
  readonly types?: readonly EventType[];
  readonly handler: (event: never) => unknown;
};

const DEFAULT_CONCURRENCY = 16;
const DEFAULT_READ_AHEAD = 64;
const DEFAULT_CLAIM_MS = 30 * SECOND_MS;
const DEFAULT_MAX_DELIVERIES = 5;
const DEFAULT_HANDLER_TIMEOUT_MS = 5 * MINUTE_MS;
const DEFAULT_BACKOFF = { firstMs: SECOND_MS, longestMs: 5 * MINUTE_MS };

/** Renewed three times in that; less than this is lost to any hiccup of the network. */
const SHORTEST_CLAIM_MS = 100;

/** What fits into a timer. */
const LONGEST_MS = 2 ** 31 - 1;

/** As many as one script call of the bus may take. */
const MOST = 10_000;

/** Options, complete and in order. */
export interface Settings {
  readonly group: string;
  readonly types: ReadonlySet<EventType>;
  readonly handler: (event: never) => unknown;
  readonly concurrency: number;
  readonly readAhead: number;
  readonly claimMs: number;
  readonly maxDeliveries: number;
  readonly handlerTimeoutMs: number;
  readonly backoff: Required<RetryBackoff>;
}

/** @throws UsageError that names what cannot be used */
export function settingsOf(options: AnySubscriberOptions): Settings {
  const { group, types = EVENT_TYPES, handler, backoff = {} } = options;
  // What is called from JavaScript may be anything.
  const given: { readonly group: unknown; readonly handler: unknown; readonly types: unknown } = {
    group,
    handler,
    types,
  };
  if (typeof given.group !== 'string' || group === '' || !group.isWellFormed())
    throw new UsageError('a subscriber needs the name of its group, a text that is not empty');
  if (typeof given.handler !== 'function')
    throw new UsageError('a subscriber needs a handler, a function that takes an event');
  if (!Array.isArray(given.types) || types.length === 0)
    throw new UsageError('types is a list of one type of event or more');
  for (const type of types)
    if (!EVENT_TYPES.includes(type))
      throw new UsageError(`there is no event "${type}"; there are ${EVENT_TYPES.join(', ')}`);
  const firstMs = whole('backoff.firstMs', backoff.firstMs, DEFAULT_BACKOFF.firstMs, 1, LONGEST_MS);
  return {
    group,
    types: new Set(types),
    handler,
    concurrency: whole('concurrency', options.concurrency, DEFAULT_CONCURRENCY, 1, MOST),
    readAhead: whole('readAhead', options.readAhead, DEFAULT_READ_AHEAD, 0, MOST),
    claimMs: whole('claimMs', options.claimMs, DEFAULT_CLAIM_MS, SHORTEST_CLAIM_MS, LONGEST_MS),
    maxDeliveries: whole('maxDeliveries', options.maxDeliveries, DEFAULT_MAX_DELIVERIES, 1, 1e6),
    handlerTimeoutMs: whole(
      'handlerTimeoutMs',
      options.handlerTimeoutMs,
      DEFAULT_HANDLER_TIMEOUT_MS,
      1,
      LONGEST_MS,
    ),
    backoff: {
      firstMs,
      longestMs: whole(
        'backoff.longestMs',
        backoff.longestMs,
        Math.max(firstMs, DEFAULT_BACKOFF.longestMs),
        firstMs,
        LONGEST_MS,
      ),
    },
  };
}

function whole(
  name: string,
  value: number | undefined,
  byDefault: number,
  least: number,
  most: number,
): number {
  const number = value ?? byDefault;
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new UsageError(`${name} is a whole number from ${least} to ${most}; got ${String(value)}`);
}
