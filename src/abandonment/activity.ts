import { randomUUID } from 'node:crypto';
import { type Cart, cartDigest, parseCart } from '../model/cart.ts';
import { UsageError } from '../model/errors.ts';
import { LATEST_ISO_MS, formatInstant } from '../model/instant.ts';
import { type Message, messageText } from '../model/message.ts';
import type { SessionRef } from '../model/session-names.ts';
import type { Session } from '../model/session.ts';
import type { Clock } from '../ports/clock.ts';
import type { SessionWrite, Sessions } from '../ports/sessions.ts';

/** What may be said of a session beside an activity. Unknown fields are kept and travel with the session. */
export interface SessionDetails {
  /** The channel that the user is on, such as `whatsapp` or `web`. */
  readonly channel?: string;
  /** BCP 47 tag, such as `en` or `hi`. */
  readonly language?: string;
  readonly intent?: string;
  readonly topic?: string;
  readonly phone?: string;
  /** IANA time zone, such as `Asia/Kolkata`. */
  readonly timezone?: string;
  /** Further fields of the hash, as texts. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** When something happened. */
export interface At {
  /** When it happened, Unix milliseconds; default: now. */
  readonly at?: number;
}

/** An order, and what it leaves behind. */
export interface Order extends At {
  readonly orderId?: string;
  /** What was paid; default: unknown. */
  readonly value?: number;
  /**
   * What the order names as having brought it: the `id` of a `cart.abandoned`, or the `message_id` of a touch, as the link in
   * the rescue message carried it.
   */
  readonly recovery_ref?: string;
  /** What is left in the cart; default: nothing. What an order leaves behind is not announced by itself. */
  readonly cart?: Cart;
}

export interface ActivitySettings {
  /** Logical life of a session after its last activity. */
  readonly hotTtlMs: number;
  /** Largest cart, in bytes of JSON. */
  readonly maxCart: number;
}

/** Names in the hash of what SessionDetails calls otherwise. */
const FIELD_OF = {
  channel: 'active_channel',
  language: 'language',
  intent: 'current_intent',
  topic: 'topic',
  phone: 'phone',
  timezone: 'timezone',
} as const;

/** Fields that only these functions write: a caller that could set them would break what they keep in step. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'cart',
  'rekindle',
  'last_activity',
  'last_order_at',
  'context_tokens',
]);

/**
 * What an application does to sessions. Each call is one atomic script: hash, window, overflow, token count, TTL and
 * agenda change together or not at all. Only the user's own doings move `last_activity`.
 *
 * All reject with a UsageError on an argument that cannot be right, and with the store's error when it is away; a call
 * that was rejected for that reason may have taken effect.
 */
export class Activity {
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #settings: ActivitySettings;
  readonly #countTokens: (text: string) => number;

  /** @internal Opened by `openRekindle`. */
  constructor(
    sessions: Sessions,
    clock: Clock,
    settings: ActivitySettings,
    countTokens: (text: string) => number,
  ) {
    this.#sessions = sessions;
    this.#clock = clock;
    this.#settings = settings;
    this.#countTokens = countTokens;
  }

  /** The user did something: viewed a page, tapped a button. Opens the session if there is none. */
  async recordActivity(session: SessionRef, details: SessionDetails & At = {}): Promise<void> {
    await this.#write(session, details.at, { activity: true, fields: fieldsOf(details) });
  }

  /**
   * Appends a message to the window; what no longer fits goes to the overflow. A message of role `user` is activity and
   * opens the channel's service window anew; what an assistant says is neither.
   * @returns the message's id: its own, or a new UUID
   */
  async appendMessage(
    session: SessionRef,
    message: Message,
    details: SessionDetails & At = {},
  ): Promise<string> {
    // Callers in JavaScript may give anything.
    const given: unknown = message;
    if (typeof given !== 'object' || given === null)
      throw new UsageError('a message is an object with role and content');
    if (typeof message.role !== 'string' || message.role === '') {
      throw new UsageError(
        `a message needs a role such as "user" or "assistant"; got ${JSON.stringify(message.role)}`,
      );
    }
    if (typeof message.content !== 'string' && !Array.isArray(message.content)) {
      throw new UsageError('the content of a message is a text or an array of parts');
    }
    const at = details.at ?? message.at ?? this.#clock.now();
    const id = message.id ?? randomUUID();
    const { tokens: _counted, ...rest } = message;
    // write.lua reads the count from the beginning of the text.
    const stored = { tokens: this.#countTokens(messageText(message)), ...rest, id, at };
    const fromUser = message.role === 'user';
    await this.#write(session, at, {
      activity: fromUser,
      fields: { ...fieldsOf(details), ...(fromUser && { last_inbound_at: formatInstant(at) }) },
      messages: [JSON.stringify(stored)],
    });
    return id;
  }

  /** Replaces the cart. The user's doing unless `by` says that an assistant did it. */
  async updateCart(
    session: SessionRef,
    cart: Cart,
    details: SessionDetails & At & { readonly by?: 'user' | 'assistant' } = {},
  ): Promise<void> {
    await this.#write(session, details.at, {
      activity: details.by !== 'assistant',
      fields: fieldsOf(details),
      cart: this.#encodeCart(cart),
    });
  }

  /** The user ordered: closes the episode. */
  async placeOrder(session: SessionRef, order: Order = {}): Promise<void> {
    const at = order.at ?? this.#clock.now();
    const { orderId = '', value, recovery_ref = '' } = order;
    if (value !== undefined && !(value >= 0 && value < Infinity))
      throw new UsageError(
        `the value of an order is an amount, zero or more; got ${String(value)}`,
      );
    for (const [name, text] of Object.entries({ orderId, recovery_ref }))
      if (Buffer.byteLength(text) > REF_MAX)
        throw new UsageError(`${name} has at most ${String(REF_MAX)} bytes`);
    await this.#write(session, at, {
      activity: true,
      // All of them, or those of an order before would be told of this one.
      fields: {
        last_order_at: formatInstant(at),
        order_id: orderId,
        order_value: value === undefined ? '' : String(value),
        recovery_ref,
      },
      cart: this.#encodeCart(order.cart ?? []),
      ordered: true,
      // What calls a rescue agent back, and what the order is owed to, is not to wait for the next silence.
      armNow: true,
    });
  }

  /** The session, or undefined when there is none, it was ended, or its logical life is over. */
  async readSession(ref: SessionRef): Promise<Session | undefined> {
    const session = await this.#sessions.read(this.#sessions.names.refOf(ref));
    if (!session || session.endedAt !== undefined) return undefined;
    const over =
      (session.lastActivityAt ?? Number.POSITIVE_INFINITY) + this.#settings.hotTtlMs <=
      this.#clock.now();
    return session.ours && over ? undefined : session;
  }

  /** The session is over: closes the episode, and the next write opens a new session. What was said is kept. */
  async endSession(session: SessionRef, { at }: At = {}): Promise<void> {
    await this.#write(session, at, { activity: false, ended: true, armNow: true });
  }

  /**
   * The user wants no more announcements: closes the episodes of all their sessions. With a scope, none on these channels:
   * takes back what is outstanding there, and later announcements for them say so in `contact`. Outlives the sessions, and an
   * erasure; a later consent that covers it takes it back.
   * @param scope one channel or several, such as `whatsapp`; default: all
   */
  async optOut(
    user: string,
    scope?: string | readonly string[] | At,
    { at }: At = {},
  ): Promise<void> {
    const ofAll = scope === undefined || isAt(scope);
    await this.#writeTo(this.#sessions.names.userRef(user), isAt(scope) ? scope.at : at, {
      activity: false,
      optedOut: ofAll ? true : channelsOf(scope),
      armNow: true,
    });
  }

  #write(
    session: SessionRef,
    at: number | undefined,
    write: Omit<SessionWrite, 'user' | 'at' | 'now'>,
  ): Promise<void> {
    return this.#writeTo(this.#sessions.names.refOf(session), at, write);
  }

  async #writeTo(
    user: string,
    at: number | undefined,
    write: Omit<SessionWrite, 'user' | 'at' | 'now'>,
  ): Promise<void> {
    const now = this.#clock.now();
    const when = at ?? now;
    if (!Number.isSafeInteger(when) || when <= 0 || when > LATEST_ISO_MS) {
      throw new UsageError(`an instant is whole Unix milliseconds; got ${String(when)}`);
    }
    await this.#sessions.write({ user, at: when, now, ...write });
  }

  #encodeCart(cart: Cart): { json: string; digest: string } {
    const json = JSON.stringify(cart);
    const parsed = parseCart(json);
    if ('problem' in parsed)
      throw new UsageError(`the cart cannot be written: ${parsed.problem.detail}`);
    const bytes = Buffer.byteLength(json);
    if (bytes > this.#settings.maxCart) {
      throw new UsageError(
        `the cart has ${String(bytes)} bytes; REKINDLE_MAX_CART allows ${String(this.#settings.maxCart)}`,
      );
    }
    return { json, digest: cartDigest(parsed.items) };
  }
}

/** As most other ids; an event is to hold them. */
const REF_MAX = 256;

function isAt(scope: string | readonly string[] | At | undefined): scope is At {
  return typeof scope === 'object' && !Array.isArray(scope);
}

/** What a channel may be called where it is opted out of. */
const CHANNEL = /^[\w.-]{1,32}$/;

function channelsOf(scope: string | readonly string[]): readonly string[] {
  const channels = (typeof scope === 'string' ? [scope] : scope).map((one) => one.toLowerCase());
  const wrong = channels.find((one) => !CHANNEL.test(one));
  if (channels.length > 0 && wrong === undefined) return channels;
  throw new UsageError(
    `a scope is a channel such as whatsapp, or several: up to 32 letters, digits and any of . _ -; got ${JSON.stringify(wrong ?? scope)}`,
  );
}

function fieldsOf(details: SessionDetails): Record<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(details.fields ?? {})) {
    if (OWN_FIELDS.has(name))
      throw new UsageError(`the field ${name} is kept by Rekindle and cannot be set`);
    const given: unknown = value;
    if (typeof given !== 'string')
      throw new UsageError(`the field ${name} is a text; got a ${typeof given}`);
    fields.set(name, given);
  }
  for (const [name, field] of Object.entries(FIELD_OF)) {
    const value = details[name as keyof typeof FIELD_OF];
    if (value !== undefined) fields.set(field, value);
  }
  // Unlike an assignment it also sets a field `__proto__`.
  return Object.fromEntries(fields);
}
