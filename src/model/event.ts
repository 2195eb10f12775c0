import { hash } from 'node:crypto';
import type { Cart } from './cart.ts';
import type { SessionName } from './session-names.ts';

/** May the rescue agent contact the user? The facts it was decided on are as of the announcement. */
export interface Contact {
  /** `unknown` is not yes: nobody asked the user. */
  readonly allowed: 'yes' | 'no' | 'unknown';
  /** What the answer rests on, such as `opt-in`, `none`, `scope`. */
  readonly basis: string;
  /** End of the quiet hours in which the announcement fell; null outside them. */
  readonly not_before: string | null;
  /** End of the messaging channel's service window; null where the channel has none or nothing came in. */
  readonly service_window_expires_at: string | null;
}

/** The cart as announced. `items` is absent from one too large for an event: `session_key` says where to read it. */
export interface AnnouncedCart {
  readonly items?: Cart;
  readonly count: number;
  readonly value: number;
  readonly fingerprint: string;
  readonly session_key?: string;
}

/** Instants are ISO 8601 in UTC. */
export interface CartAbandonedData {
  readonly user: string;
  readonly session_id: string | null;
  /** Opening instant: identifies the episode of this user. */
  readonly episode: string;
  readonly stage: number;
  readonly stages: number;
  readonly last_activity: string;
  readonly idle_seconds: number;
  readonly cart: AnnouncedCart;
  readonly channel: string | null;
  readonly language: string | null;
  readonly intent: string | null;
  readonly contact: Contact;
  readonly valid_until: string;
}

/** Instants are ISO 8601 in UTC. */
export interface RescueCancelledData {
  readonly user: string;
  /** Where one user has several sessions: which it is. */
  readonly session_id?: string;
  readonly episode: string;
  readonly stage: number;
  readonly reason: 'resumed' | 'ordered' | 'emptied' | 'opted_out' | 'ended';
  readonly last_activity: string;
  /** `id` of the `cart.abandoned` that is taken back. */
  readonly announcement_id: string;
}

/** Instants are ISO 8601 in UTC. */
export interface CartTouchedData {
  readonly user: string;
  /** Where one user has several sessions: which it is. */
  readonly session_id?: string;
  readonly episode: string;
  readonly stage: number;
  /** `id` of the `cart.abandoned` that was acted on. */
  readonly announcement_id: string;
  /** The channel it was sent on, such as `whatsapp` or `email`. */
  readonly channel: string;
  /** The sender's own id of the message; with the channel it tells touches of one stage apart. */
  readonly message_id: string;
  /** When it was sent. */
  readonly at: string;
}

/** What brought an order: a rescue message's own link or an answer to it, a message shortly before, or neither. */
export type RecoveryClass = 'direct' | 'assisted' | 'organic';

/** Instants are ISO 8601 in UTC. */
export interface CartRecoveredData {
  readonly user: string;
  /** Where one user has several sessions: which it is. */
  readonly session_id?: string;
  readonly episode: string;
  /** The stage it is owed to; where it is owed to none, the latest that was announced. */
  readonly stage: number;
  /** `id` of that stage's `cart.abandoned`. */
  readonly announcement_id: string;
  readonly class: RecoveryClass;
  readonly ordered_at: string;
  readonly order_id: string | null;
  /** Of the order, where it says so; else of the cart as last announced. */
  readonly value: number;
  /** The rescue message it is owed to; null for an organic one, and where a direct one left no note of it. */
  readonly touch: Pick<CartTouchedData, 'stage' | 'channel' | 'message_id' | 'at'> | null;
}

/** Instants are ISO 8601 in UTC. */
export interface UserErasedData {
  readonly user: string;
  /** What happened up to this instant is erased, and is to be erased wherever it was copied to. */
  readonly erased_at: string;
}

/** Every type of event and its data. */
export interface EventData {
  /** A cart went quiet: the n-th stage of its episode is due. */
  readonly 'cart.abandoned': CartAbandonedData;
  /** What was announced no longer holds: the user is back, ordered, emptied the cart, opted out, or is gone. */
  readonly 'cart.rescue_cancelled': RescueCancelledData;
  /** A rescue message was sent. */
  readonly 'cart.touched': CartTouchedData;
  /** The user ordered after an announcement of that cart, whatever became of it meanwhile. */
  readonly 'cart.recovered': CartRecoveredData;
  /** A user was erased with all sessions. */
  readonly 'user.erased': UserErasedData;
}

/** Name of a type of event. */
export type EventType = keyof EventData;

export const EVENT_TYPES: readonly EventType[] = [
  'cart.abandoned',
  'cart.rescue_cancelled',
  'cart.touched',
  'cart.recovered',
  'user.erased',
];

/** A CloudEvents 1.0 event in its JSON form, as it is put on the bus. */
export interface RekindleEvent<T extends EventType = EventType> {
  readonly specversion: '1.0';
  /** UUIDv5 of what it says, so that a repeat is recognisable anywhere. */
  readonly id: string;
  readonly source: string;
  readonly type: T;
  /**
   * The user, percent-encoded: a CloudEvents attribute may hold no control characters. Where one user has several sessions a
   * slash and the session follow.
   */
  readonly subject: string;
  /** When it was decided, ISO 8601. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly dataschema: string;
  /** Grows with every event of the subject: 16 digits, so that texts compare as numbers do. The fencing token. */
  readonly sequence: string;
  readonly data: EventData[T];
}

/** An event of any type. */
export type AnyEvent = { [T in EventType]: RekindleEvent<T> }[EventType];

/** What calls a rescue agent, and what calls it back. */
export type RescueEvent = Extract<
  AnyEvent,
  { readonly type: 'cart.abandoned' | 'cart.rescue_cancelled' }
>;

/** Is it one of these two? */
export function isRescueEvent(event: AnyEvent): event is RescueEvent {
  return event.type === 'cart.abandoned' || event.type === 'cart.rescue_cancelled';
}

/** An event of one stage of an episode. */
export type CartEvent = Exclude<AnyEvent, { readonly type: 'user.erased' }>;

/** Puts what every event says around `data`. */
export function envelope<T extends EventType>(
  type: T,
  id: string,
  source: string,
  name: SessionName,
  sequence: string,
  time: string,
  data: EventData[T],
): RekindleEvent<T> {
  return {
    specversion: '1.0',
    id,
    source,
    type,
    subject: subjectOf(name),
    time,
    datacontenttype: 'application/json',
    dataschema: `urn:rekindle:schema:${type}:1`,
    sequence,
    data,
  };
}

/** Whom an event is about, as its attribute `subject` says it. */
export function subjectOf({ user, session }: SessionName): string {
  return (
    encodeURIComponent(user) + (session === undefined ? '' : `/${encodeURIComponent(session)}`)
  );
}

/** The deployment that says it, as the attribute `source`. */
export function sourceOf(prefix: string): string {
  return `/${encodeURIComponent(prefix)}`;
}

/** A sequence number as events hold it. */
export function sequenceText(sequence: number): string {
  return String(sequence).padStart(16, '0');
}

/** Namespace of event ids: a random UUID. */
const EVENT_NAMESPACE = Buffer.from('5b0a6f526d3e4c0f9a530d6f1e8e2b74', 'hex');

/** The id of what happened to one stage of an episode: the same whoever says it, however often. */
export function stageEventId(
  type: Exclude<EventType, 'cart.touched' | 'user.erased'>,
  prefix: string,
  user: string,
  episode: number,
  stage: number,
  session?: string,
): string {
  const key = [type, prefix, user, episode, stage];
  return uuidV5(JSON.stringify(session === undefined ? key : [...key, session]));
}

/** The id of one rescue message's `cart.touched`. */
export function touchEventId(
  prefix: string,
  { user, session = null }: { readonly user: string; readonly session?: string | null | undefined },
  episode: number,
  touch: { readonly stage: number; readonly channel: string; readonly message_id: string },
): string {
  const { stage, channel, message_id } = touch;
  const key = ['cart.touched', prefix, user, session, episode, stage, channel, message_id];
  return uuidV5(JSON.stringify(key));
}

/** The id of a `user.erased`. */
export function erasureEventId(prefix: string, user: string, erasedAt: number): string {
  return uuidV5(JSON.stringify(['user.erased', prefix, user, erasedAt]));
}

/** RFC 9562, 5.5. By hand, for the library's way over arrays of numbers took 10 % of a drain's client time. */
function uuidV5(name: string): string {
  const hex = hash('sha1', Buffer.concat([EVENT_NAMESPACE, Buffer.from(name)]), 'hex');
  const variant = VARIANTS[Number.parseInt(hex.charAt(16), 16) % VARIANTS.length] ?? '';
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const VARIANTS = ['8', '9', 'a', 'b'];
