/**
 * Rekindle as a library: what an application does to sessions, and what a subscriber hears.
 *
 * @packageDocumentation
 */
import { Activity } from './abandonment/activity.ts';
import { recallPorts } from './compose-recall.ts';
import { type Tiers, openTiers } from './compose-tiers.ts';
import { type Hot, openBus, openHot } from './compose.ts';
import { openConfig } from './compose-config.ts';
import type { Config } from './config.ts';
import type { SessionRef } from './model/session-names.ts';
import { type Context, contextOf } from './recall/build-context.ts';
import { type RecallPorts, recall } from './recall/recall.ts';
import type { RecallRequest, Recalled } from './recall/recalled.ts';
import type { ErasureReport } from './tiers/erase.ts';
import type { ResumedFrom } from './tiers/promote.ts';
import type { At, SessionDetails } from './abandonment/activity.ts';
import { type Wanted, areStillWanted, doStillHold } from './abandonment/wanted.ts';
import type { EventType, RekindleEvent } from './model/event.ts';
import { formatInstant } from './model/instant.ts';
import type { SubscriberOptions } from './rescue/options.ts';
import { type SentMessage, noteReply, noteTouch } from './rescue/outcome.ts';
import { Subscriber, type SubscriberPorts } from './rescue/subscriber.ts';
import type { Logger } from './runtime/logger.ts';

export type { At, Order, SessionDetails } from './abandonment/activity.ts';
export { Activity } from './abandonment/activity.ts';
export type { SentMessage } from './rescue/outcome.ts';
export type { UnwantedReason, Wanted } from './abandonment/wanted.ts';
export type { Cart, CartItem } from './model/cart.ts';
export {
  BusUnavailableError,
  PermanentError,
  UnsuitableStoreError,
  UsageError,
  UserErasedError,
  WarmUnavailableError,
} from './model/errors.ts';
export type {
  AnnouncedCart,
  AnyEvent,
  CartAbandonedData,
  CartEvent,
  CartRecoveredData,
  CartTouchedData,
  Contact,
  EventData,
  EventType,
  RekindleEvent,
  RecoveryClass,
  RescueCancelledData,
  UserErasedData,
} from './model/event.ts';
export type { InsightKind, InsightSource } from './model/insight.ts';
export type { Message } from './model/message.ts';
export type { SessionName, SessionRef } from './model/session-names.ts';
export type { Session } from './model/session.ts';
export type { Logger } from './runtime/logger.ts';
export type { Context } from './recall/build-context.ts';
export type {
  DropReason,
  Dropped,
  RecallRequest,
  Recalled,
  RecalledInsight,
  RecalledMessage,
} from './recall/recalled.ts';
export type { Counts } from './rescue/counts.ts';
export { NoLongerWantedError, TakenAwayError } from './rescue/errors.ts';
export type { RetryBackoff, SubscriberOptions } from './rescue/options.ts';
export type { Handler, InHand, ReceivedEvent, StillWanted } from './rescue/received-event.ts';
export type { Subscriber } from './rescue/subscriber.ts';
export type { ErasureReport } from './tiers/erase.ts';
export type { ResumedFrom } from './tiers/promote.ts';

/** How to open Rekindle. */
export interface RekindleOptions {
  /** Settings by their environment names, such as `{ REDIS_URL: '…' }`; default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Rekindle, connected: the functions of {@link Activity}, and subscriptions to its events. */
export class Rekindle extends Activity {
  readonly #hot: Hot;
  readonly #config: Config;
  readonly #recallPorts: RecallPorts;
  #bus: ReturnType<typeof openBus> | undefined;
  #tiers: Promise<Tiers> | undefined;
  readonly #subscribers = new Set<Subscriber>();

  /** @internal Use {@link openRekindle}. */
  constructor(hot: Hot, config: Config, countTokens: (text: string) => number) {
    super(
      hot.sessions,
      hot.clock,
      { hotTtlMs: config.hotTtlMs, maxCart: config.maxCartBytes },
      countTokens,
    );
    this.#hot = hot;
    this.#config = config;
    this.#recallPorts = recallPorts(
      hot,
      {
        openWarm: async () => (await this.#openTiers()).warm,
        openCold: async () => (await this.#openTiers()).openCold(),
      },
      countTokens,
    );
  }

  /**
   * Calls a handler with the events of a group, once in effect for each; see `docs/events.md`. It goes on until it is
   * stopped, or this is closed.
   * @throws UsageError for options that cannot be used
   * @throws BusUnavailableError when the bus is away
   */
  async subscribe<T extends EventType = EventType>(
    options: SubscriberOptions<T>,
    { log }: { readonly log?: Logger } = {},
  ): Promise<Subscriber> {
    this.#bus ??= openBus(this.#config).catch((error: unknown) => {
      this.#bus = undefined;
      throw error;
    });
    const { inbox, clock } = this.#hot;
    const wanted: SubscriberPorts['wanted'] = (events) => this.#areStillWanted(events);
    const holds: SubscriberPorts['holds'] = (events) =>
      doStillHold(
        events.map((event) => ({ ref: this.#refOf(event), event })),
        this.#hot,
        this.#config,
      );
    const subscriber = new Subscriber(
      { bus: await this.#bus, inbox, clock, wanted, holds },
      options,
      log && { log },
    );
    await subscriber.start();
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  /**
   * Does this announcement still hold? Much may have happened since it was made: ask right before you act on it. One round
   * trip; decided as a look would decide now, by the daemon's settings, which this process must have as well.
   * @throws Error when Redis is away: then nobody knows
   */
  async isStillWanted(event: RekindleEvent<'cart.abandoned'>): Promise<Wanted> {
    const [wanted] = await this.#areStillWanted([event]);
    return wanted ?? { wanted: false, reason: 'unknown' };
  }

  #areStillWanted(events: readonly RekindleEvent<'cart.abandoned'>[]): Promise<Wanted[]> {
    const asked = events.map((event) => ({ ref: this.#refOf(event), data: event.data }));
    return areStillWanted(asked, this.#hot, this.#config);
  }

  /**
   * A rescue message went out for this announcement: `cart.touched` is sent, and an order that comes soon is owed to it. The
   * same message told again counts once.
   * @returns false where nothing is known of the user any more, such as after an erasure
   * @throws UsageError for what cannot be such a message
   */
  async recordTouch(event: RekindleEvent<'cart.abandoned'>, sent: SentMessage): Promise<boolean> {
    return noteTouch(this.#refOf(event), event, sent, this.#hot);
  }

  /**
   * The user answered a rescue message: an order that follows is owed to it directly. It is activity of the user, and opens
   * the channel's service window anew; whoever records the message itself as well, with `appendMessage`, does no harm.
   * @returns false where nothing is known of the user any more
   */
  async recordReply(
    event: RekindleEvent<'cart.abandoned'>,
    { at = this.#hot.clock.now(), channel }: At & Pick<SessionDetails, 'channel'> = {},
  ): Promise<boolean> {
    const known = await noteReply(this.#refOf(event), event, at, this.#hot);
    if (!known) return false;
    const { user, session_id: session } = event.data;
    const several = this.#hot.sessions.names.several && session !== null;
    await this.recordActivity(several ? { user, session } : user, {
      at,
      ...(channel !== undefined && { channel }),
      fields: { last_inbound_at: formatInstant(at) },
    });
    return true;
  }

  /** Where one user has several sessions, an announcement names one of them. */
  #refOf({ data }: RekindleEvent<'cart.abandoned'>): string {
    const { names } = this.#hot.sessions;
    const { user, session_id: session } = data;
    return names.several && session !== null ? names.refOf({ user, session }) : names.userRef(user);
  }

  /**
   * A user has come back: brings the latest session that was demoted back to hot, with cart, state and what was said last.
   * Where one user has several sessions it is the one that is named, or for a user's id alone the {@link latestSession}. What the user has written since stays as it is and is given what it lacks. It is activity. Call it before the first
   * write, or at any time; what is back already is not brought back again.
   * @throws WarmUnavailableError when the warm tier is away
   */
  async resume(session: SessionRef, { at }: At = {}): Promise<ResumedFrom> {
    const { names } = this.#hot.sessions;
    const anyOf = names.several && typeof session === 'string';
    const named = anyOf ? await this.latestSession(session) : session;
    if (named === undefined) return 'nothing';
    const ref = names.refOf(named);
    return (await this.#openTiers()).resume(ref, at ?? this.#hot.clock.now());
  }

  /**
   * The session of the user that has the latest activity, among those that were demoted or copied to warm; undefined: there
   * is none.
   * @throws WarmUnavailableError when the warm tier is away
   */
  async latestSession(user: string): Promise<SessionRef | undefined> {
    this.#hot.sessions.names.userRef(user);
    return (await this.#openTiers()).latestOf(user);
  }

  /**
   * What a model should know of the user for its next answer, within a budget of tokens: of the hot session, of what was
   * said earlier, and of what was learned. A tier that is away or slow is left out and named in `dropped`; so it never
   * throws for that. Where one user has several sessions, name the one that is talked in: of the user's id alone nothing hot
   * is recalled.
   * @throws UsageError for a budget that is none, or a user's id that cannot be one
   */
  async recall(session: SessionRef, request: RecallRequest = {}): Promise<Recalled> {
    const { names } = this.#hot.sessions;
    const ref = typeof session === 'string' ? names.userRef(session) : names.refOf(session);
    return recall(ref, request, this.#recallPorts);
  }

  /**
   * The same as three texts for a prompt; what was said stands in them as a quotation.
   * @param topic what it is about, or all that may be asked of {@link recall}
   * @throws UsageError as `recall` does
   */
  async buildContext(session: SessionRef, topic: string | RecallRequest = {}): Promise<Context> {
    return contextOf(await this.recall(session, typeof topic === 'string' ? { topic } : topic));
  }

  /**
   * Erases a user with all sessions from every tier, queue and record; an opt-out stays, unnamed. Nothing from before is written any more;
   * what the user does afterwards begins anew. Whatever it throws, repeat it: what was begun stands.
   */
  async erase(user: string): Promise<ErasureReport> {
    this.#hot.sessions.names.userRef(user);
    return (await this.#openTiers()).erase(user);
  }

  /** Opened at the first call: whoever needs hot alone opens no file. */
  #openTiers(): Promise<Tiers> {
    this.#tiers ??= openTiers(this.#config, this.#hot).catch((error: unknown) => {
      this.#tiers = undefined;
      throw error;
    });
    return this.#tiers;
  }

  /** Stops the subscribers and closes every connection. */
  async close(): Promise<void> {
    await using closing = new AsyncDisposableStack();
    closing.defer(() => this.#hot.close());
    closing.defer(async () => (await this.#bus)?.close());
    closing.defer(async () => (await this.#tiers)?.[Symbol.asyncDispose]());
    await Promise.all([...this.#subscribers].map((subscriber) => subscriber.stop()));
  }
}

/**
 * Connects to the hot tier as the settings say.
 * @throws UsageError naming every setting that cannot be read
 */
export async function openRekindle({ env = process.env }: RekindleOptions = {}): Promise<Rekindle> {
  const config = await openConfig(env);
  // The tokenizer takes 60 MB: only an application that writes messages pays for it.
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  return new Rekindle(await openHot(config), config, (text) => countTokens(text));
}
