import type { Cart } from './cart.ts';
import { LATEST_ISO_MS, parseInstant } from './instant.ts';
import type { Ledger } from './ledger.ts';
import type { Message } from './message.ts';
import type { SessionName } from './session-names.ts';

/**
 * The fields of the session hash that decide: a change of any of them between look and commit means to look again. The
 * cart stands second (see sight.lua).
 */
export const GUARD_FIELDS = [
  'last_activity',
  'cart',
  'last_order_at',
  'consent',
  'rekindle',
] as const;

/** What an order says of itself, beside its instant. Empty texts say nothing. */
const ORDER_FIELDS = ['order_id', 'order_value', 'recovery_ref'] as const;

/**
 * The fields that Rekindle reads at a look: those that decide, then those that an announcement tells. The rest travels
 * with the session untouched. The names are a public contract: other programs write them.
 */
export const POLICY_FIELDS = [
  ...GUARD_FIELDS,
  'active_channel',
  'language',
  'current_intent',
  'last_inbound_at',
  'session_id',
  ...ORDER_FIELDS,
  'timezone',
  'phone',
] as const;

export type PolicyField = (typeof POLICY_FIELDS)[number];

/** Raw texts as they stand in the hash; a missing field is absent. */
export type SessionFields = Readonly<Partial<Record<PolicyField, string>>>;

/**
 * What the library notes in the field `rekindle` of a session that it writes; its presence marks the session as ours.
 * It lets a look tell what happened to the cart between two looks (see docs/internals.md).
 */
export interface OwnMarks {
  /** Instant at which this session was opened. */
  readonly epoch: number;
  /** Instant at which `endSession` was called. */
  readonly endedAt: number | undefined;
  /** Identity of the life of the cart: the instant of its first addition since it was empty or ordered; undefined if over. */
  readonly cartOpenedAt: number | undefined;
  /** The latest addition to the cart. */
  readonly cartAddedAt: number | undefined;
  /** Digest of the cart as the library last wrote it: another program may have changed the cart since. */
  readonly cartDigest: string;
}

/**
 * `epoch;ended;opened;added;digest`, as write.lua keeps it; `opened` is negative once that life of the cart is over.
 * Undefined if others spoilt it: an episode is named by what stands there, and no event could hold a later instant.
 */
export function parseOwnMarks(text: string | undefined): OwnMarks | undefined {
  const match = /^(\d+);(\d+);(-?\d+);(\d+);(.*)$/s.exec(text ?? '');
  if (!match) return undefined;
  const epoch = Number(match[1]);
  const endedAt = Number(match[2]);
  const cartOpenedAt = Number(match[3]);
  const cartAddedAt = Number(match[4]);
  if (Math.max(epoch, endedAt, Math.abs(cartOpenedAt), cartAddedAt) > LATEST_ISO_MS)
    return undefined;
  return {
    epoch,
    endedAt: endedAt > 0 ? endedAt : undefined,
    cartOpenedAt: cartOpenedAt > 0 ? cartOpenedAt : undefined,
    cartAddedAt: cartAddedAt > 0 ? cartAddedAt : undefined,
    cartDigest: match[5] ?? '',
  };
}

/** Told by the ledger itself, or of no use to a later stage. */
const NOT_KEPT: ReadonlySet<PolicyField> = new Set(['last_activity', 'rekindle', ...ORDER_FIELDS]);

/** What later stages need of the fields once the session is gone; for the ledger. */
export function snapshotOf(
  fields: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of POLICY_FIELDS) {
    const value = fields[name];
    if (value !== undefined && !NOT_KEPT.has(name)) kept[name] = value;
  }
  return kept;
}

/**
 * When the logical life of a session of ours ends: when it was ended, else so long after the last activity, or after it was
 * opened where nothing was the user's own doing.
 *
 * @param activityAt latest activity as a look counts it; 0: none yet
 */
export function logicalEnd(marks: OwnMarks, activityAt: number, hotTtlMs: number): number {
  return marks.endedAt ?? (activityAt || marks.epoch) + hotTtlMs;
}

/** The same of a session as it stands; undefined: others' end by their TTL alone. */
export function endOfSession(
  fields: Readonly<Record<string, string>>,
  ledger: Pick<Ledger, 'future'> | undefined,
  hotTtlMs: number,
): number | undefined {
  const marks = parseOwnMarks(fields['rekindle']);
  if (!marks) return undefined;
  const raw = fields['last_activity'] ?? '';
  const { future } = ledger ?? {};
  const activityAt = future?.raw === raw ? future.seenAt : parseInstant(raw);
  return logicalEnd(marks, activityAt ?? 0, hotTtlMs);
}

/** Consent to be contacted, as the session's `consent` field holds it. */
export interface Consent {
  readonly status: 'yes' | 'no' | 'unknown';
  readonly basis?: string | undefined;
  /** Channels it covers; absent: all. */
  readonly scope?: readonly string[] | undefined;
  /** Unix milliseconds. */
  readonly at?: number | undefined;
}

/** A session, parsed. */
export interface Session extends SessionName {
  readonly lastActivityAt: number | undefined;
  /** When `endSession` was called. */
  readonly endedAt: number | undefined;
  /** Written by the library, not by others. */
  readonly ours: boolean;
  readonly cart: Cart;
  readonly channel: string | undefined;
  readonly language: string | undefined;
  readonly intent: string | undefined;
  readonly contextTokens: number;
  /** The window, oldest first. */
  readonly messages: readonly Message[];
  /** Every field of the hash as it stands, those that Rekindle does not know included. */
  readonly fields: Readonly<Record<string, string>>;
}
