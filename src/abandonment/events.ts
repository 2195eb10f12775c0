import { type Cart, cartFingerprint, cartValue } from '../model/cart.ts';
import { type AnnouncedCart, type AnyEvent, envelope, stageEventId } from '../model/event.ts';
import { SECOND_MS } from '../model/duration.ts';
import { isoInstant } from '../model/instant.ts';
import type { SessionName } from '../model/session-names.ts';
import { type ContactSettings, contactFor } from './contact.ts';
import type { Facts } from './facts.ts';
import type { EventDraft } from './decision.ts';

export interface EventSettings extends ContactSettings {
  /** Prefix of Rekindle's keys: two deployments on one bus never share an id. */
  readonly prefix: string;
  readonly stagesMs: readonly number[];
  /** Key of a session by its reference, for carts too large to announce. */
  readonly sessionKey: (ref: string) => string;
  /** Whose session it is. */
  readonly nameOf: (ref: string) => SessionName;
}

/** A cart above either bound is announced as a count, a value and a pointer: the smallest brokers take 64 KiB an event. */
const CART_ITEMS_MAX = 100;
const CART_JSON_MAX = 16_384;

/** Gives a draft its wire form. The same draft gives the same bytes, whoever builds it. */
export function buildEvent(
  ref: string,
  draft: EventDraft,
  settings: EventSettings,
  now: number,
): AnyEvent {
  const { prefix } = settings;
  const name = settings.nameOf(ref);
  const { user, session } = name;
  const id = stageEventId(draft.type, prefix, user, draft.episode, draft.stage, session);
  const source = `/${encodeURIComponent(prefix)}`;
  const sequence = String(draft.sequence).padStart(16, '0');
  if (draft.type === 'cart.rescue_cancelled') {
    return envelope('cart.rescue_cancelled', id, source, name, sequence, isoInstant(now), {
      user,
      ...(session !== undefined && { session_id: session }),
      episode: isoInstant(draft.episode),
      stage: draft.stage,
      reason: draft.reason,
      last_activity: isoInstant(draft.activityAt),
      announcement_id: stageEventId(
        'cart.abandoned',
        prefix,
        user,
        draft.episode,
        draft.stage,
        session,
      ),
    });
  }
  const { fields } = draft.facts;
  return envelope('cart.abandoned', id, source, name, sequence, isoInstant(now), {
    user,
    session_id: session ?? fields.session_id ?? null,
    episode: isoInstant(draft.episode),
    stage: draft.stage,
    stages: settings.stagesMs.length,
    last_activity: isoInstant(draft.activityAt),
    idle_seconds: Math.floor((now - draft.activityAt) / SECOND_MS),
    cart: announcedCart(draft.facts, settings.sessionKey(ref)),
    channel: fields.active_channel ?? null,
    language: fields.language ?? null,
    intent: fields.current_intent ?? null,
    contact: contactFor(draft.facts, settings, now),
    valid_until: isoInstant(draft.validUntil),
  });
}

function announcedCart({ cart, fields }: Facts, sessionKey: string): AnnouncedCart {
  const summary = {
    count: cart.length,
    value: cartValue(cart),
    fingerprint: cartFingerprint(cart),
  };
  return cart.length <= CART_ITEMS_MAX && fits(cart, fields.cart)
    ? { items: cart, ...summary }
    : { ...summary, session_key: sessionKey };
}

function fits(cart: Cart, written = ''): boolean {
  // No value is written in six times the characters that it was read from (1e20 is longest), so most need not be measured.
  if (written.length * 6 <= CART_JSON_MAX) return true;
  return Buffer.byteLength(JSON.stringify(cart)) <= CART_JSON_MAX;
}
