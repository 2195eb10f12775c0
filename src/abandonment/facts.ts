import { z } from 'zod';
import { type Cart, cartDigest, parseCart } from '../model/cart.ts';
import { FUTURE_TOLERANCE_MS, parseInstant } from '../model/instant.ts';
import type { Note } from '../model/ledger.ts';
import type { Problem } from '../model/problem.ts';
import {
  type Consent,
  type OwnMarks,
  type PolicyField,
  type SessionFields,
  parseOwnMarks,
} from '../model/session.ts';

/** What the hot tier tells of one user at one moment, before anybody has tried to understand it. */
export interface Sighting {
  /** Raw fields of the session hash; undefined when there is none. */
  readonly fields: SessionFields | undefined;
  /** Set when the store itself could not give the fields (wrong type of key, absurd size). */
  readonly problem?: Problem | undefined;
  /** When Redis will drop the session; undefined: never. */
  readonly expiresAt: number | undefined;
  /** Messages that the window pushed out and that wait to be taken to warm. */
  readonly overflow: number;
  /** When the user opted out through us. */
  readonly optedOutAt: number | undefined;
  /** When the user opted out of single channels through us, by channel in lower case. */
  readonly optedOutOf?: ReadonlyMap<string, number> | undefined;
  /** What subscribers noted since the last look. */
  readonly notes?: readonly Note[] | undefined;
  /** When rescue messages went to the user lately, whatever the session; where a frequency cap is set. */
  readonly contactedAt?: readonly number[] | undefined;
  /** Digest of all that the policy reads of the session; equal digests are equal sightings. */
  readonly digest: string;
}

/** A sighting that was understood. */
export interface Facts {
  readonly present: boolean;
  /** Written by the library, so ours to expire and to delete. */
  readonly ours: boolean;
  readonly marks: OwnMarks | undefined;
  /** As written; may lie in the future. */
  readonly activityAt: number | undefined;
  readonly cart: Cart;
  readonly cartDigest: string;
  readonly orderAt: number | undefined;
  readonly consent: Consent;
  readonly optedOut: boolean;
  /** When the user opted out of single channels, by channel in lower case. */
  readonly optedOutOf: ReadonlyMap<string, number>;
  readonly contactedAt: readonly number[];
  readonly expiresAt: number | undefined;
  readonly fields: SessionFields;
}

const NO_CHANNELS: ReadonlyMap<string, number> = new Map();

const UNKNOWN_CONSENT: Consent = { status: 'unknown' };

const consentSchema = z.object({
  status: z.enum(['yes', 'no', 'unknown']),
  // Programs that serialise every field write null for what they do not know.
  basis: z.string().nullish(),
  scope: z.array(z.string()).nullish(),
  at: z.union([z.number(), z.string()]).nullish(),
});

/** Undefined if it is not understood. */
export function parseConsent(text: string | undefined): Consent | undefined {
  if (text === undefined || text === '') return UNKNOWN_CONSENT;
  if (text === 'yes' || text === 'no' || text === 'unknown') return { status: text };
  try {
    const parsed = consentSchema.safeParse(JSON.parse(text));
    if (!parsed.success) return undefined;
    const { status, basis, scope, at } = parsed.data;
    const atMs = at == null ? NaN : (parseInstant(String(at)) ?? Date.parse(String(at)));
    return {
      status,
      basis: basis ?? undefined,
      scope: scope ?? undefined,
      at: Number.isNaN(atMs) ? undefined : atMs,
    };
  } catch {
    return undefined;
  }
}

/**
 * An opt-out stands until a later consent takes it back. One without a time never does, and one from the future not
 * yet: else it would outlive every opt-out to come.
 */
function isOptedOut(consent: Consent, optedOutAt: number | undefined, now: number): boolean {
  if (consent.status === 'no') return true;
  if (optedOutAt === undefined) return false;
  return !takenBack(consent, optedOutAt, now);
}

function takenBack({ status, at }: Consent, optedOutAt: number, now: number): boolean {
  if (status !== 'yes' || at === undefined) return false;
  return at > optedOutAt && at <= now + FUTURE_TOLERANCE_MS;
}

function stillOptedOutOf(
  channels: ReadonlyMap<string, number> | undefined,
  consent: Consent,
  now: number,
): ReadonlyMap<string, number> {
  if (channels === undefined) return NO_CHANNELS;
  const { scope } = consent;
  return new Map(
    [...channels].filter(([channel, at]) => {
      const covered = scope?.some((one) => one.toLowerCase() === channel) ?? true;
      return !(covered && takenBack(consent, at, now));
    }),
  );
}

function invalid(
  reason: Problem['reason'],
  field: PolicyField,
  right: string,
): { problem: Problem } {
  // The value stays out of it: a field in the wrong place may hold what somebody said.
  return {
    problem: { reason, detail: `the field ${field} is not understood; it should be ${right}` },
  };
}

/** Understands a sighting, or says why it cannot. `snapshot` stands in for a session that expired. */
export function readFacts(
  sighting: Sighting,
  snapshot: SessionFields | undefined,
  now: number,
): { facts: Facts } | { problem: Problem } {
  if (sighting.problem) return { problem: sighting.problem };
  const present = sighting.fields !== undefined;
  const fields = sighting.fields ?? snapshot ?? {};
  const marks = parseOwnMarks(fields.rekindle);

  const activityText = fields.last_activity;
  const activityAt = activityText === undefined ? undefined : parseInstant(activityText);
  if (activityText !== undefined && activityText !== '' && activityAt === undefined) {
    return invalid('last_activity_invalid', 'last_activity', 'Unix seconds or milliseconds');
  }
  // A session of ours may lack it: nothing in it was the user's own doing yet.
  if (present && !marks && activityAt === undefined) {
    return invalid(
      'last_activity_missing',
      'last_activity',
      'Unix seconds or milliseconds; it is missing',
    );
  }

  const cart = parseCart(fields.cart);
  if ('problem' in cart) return cart;

  const orderAt = fields.last_order_at ? parseInstant(fields.last_order_at) : undefined;
  if (fields.last_order_at && orderAt === undefined) {
    return invalid('last_order_at_invalid', 'last_order_at', 'Unix seconds or milliseconds');
  }

  const consent = parseConsent(fields.consent);
  if (!consent)
    return invalid(
      'consent_invalid',
      'consent',
      'JSON such as {"status":"yes"}, with yes, no or unknown',
    );

  return {
    facts: {
      present,
      ours: marks !== undefined,
      marks,
      activityAt,
      cart: cart.items,
      cartDigest: cartDigest(cart.items),
      orderAt,
      consent,
      optedOut: isOptedOut(consent, sighting.optedOutAt, now),
      optedOutOf: stillOptedOutOf(sighting.optedOutOf, consent, now),
      contactedAt: sighting.contactedAt ?? [],
      expiresAt: sighting.expiresAt,
      fields,
    },
  };
}
