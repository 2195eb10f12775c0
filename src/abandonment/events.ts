import { type Cart, cartFingerprint, cartValue } from '../model/cart.ts';
import {
  type AnnouncedCart,
  type CartEvent,
  type CartRecoveredData,
  type EventData,
  type RekindleEvent,
  envelope,
  sequenceText,
  sourceOf,
  stageEventId,
  touchEventId,
} from '../model/event.ts';
import { SECOND_MS } from '../model/duration.ts';
import { isoInstant } from '../model/instant.ts';
import type { Touch } from '../model/ledger.ts';
import type { SessionName } from '../model/session-names.ts';
import { type AttributionWindows, attribute } from './attribution.ts';
import { type ContactSettings, contactFor } from './contact.ts';
import type { Facts } from './facts.ts';
import type { EventDraft } from './decision.ts';

export interface EventSettings extends ContactSettings {
  /** How long after a message on a channel an order is owed to it. */
  readonly attribution: AttributionWindows;
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
): CartEvent {
  const { prefix } = settings;
  const name = settings.nameOf(ref);
  const { user, session } = name;
  const idOf = (type: Parameters<typeof stageEventId>[0], stage: number): string =>
    stageEventId(type, prefix, user, draft.episode, stage, session);
  const put = <T extends CartEvent['type']>(
    type: T,
    id: string,
    data: EventData[T],
  ): RekindleEvent<T> =>
    envelope(type, id, sourceOf(prefix), name, sequence, isoInstant(now), data);
  const sequence = sequenceText(draft.sequence);
  const of = {
    user,
    ...(session !== undefined && { session_id: session }),
    episode: isoInstant(draft.episode),
  };
  switch (draft.type) {
    case 'cart.rescue_cancelled':
      return put(draft.type, idOf(draft.type, draft.stage), {
        ...of,
        stage: draft.stage,
        reason: draft.reason,
        last_activity: isoInstant(draft.activityAt),
        announcement_id: idOf('cart.abandoned', draft.stage),
      });
    case 'cart.touched': {
      const touch = toldTouch(draft);
      return put(draft.type, touchEventId(prefix, name, draft.episode, touch), {
        ...of,
        ...touch,
        announcement_id: idOf('cart.abandoned', draft.stage),
      });
    }
    case 'cart.recovered': {
      const { evidence } = draft;
      const owed = attribute(evidence, settings.attribution, (stage) =>
        idOf('cart.abandoned', stage),
      );
      return put(draft.type, idOf(draft.type, owed.stage), {
        ...of,
        stage: owed.stage,
        announcement_id: idOf('cart.abandoned', owed.stage),
        class: owed.class,
        ordered_at: isoInstant(evidence.orderedAt),
        order_id: evidence.orderId ?? null,
        value: evidence.value,
        touch: owed.touch ? toldTouch(owed.touch) : null,
      });
    }
    case 'cart.abandoned':
      break;
  }
  const { fields } = draft.facts;
  return put(draft.type, idOf(draft.type, draft.stage), {
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
    contact: contactFor(user, draft.facts, settings, now),
    valid_until: isoInstant(draft.validUntil),
  });
}

function toldTouch({
  stage,
  channel,
  messageId,
  at,
}: Touch): NonNullable<CartRecoveredData['touch']> {
  return { stage, channel, message_id: messageId, at: isoInstant(at) };
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
