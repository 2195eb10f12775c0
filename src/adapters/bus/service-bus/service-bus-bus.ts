import type { Diagnosis } from '../../../model/diagnosis.ts';
import { BusUnavailableError } from '../../../model/errors.ts';
import type { AnyEvent } from '../../../model/event.ts';
import type {
  Bus,
  DeadLetter,
  GroupState,
  PublishResult,
  SubscribeOptions,
  Subscription,
} from '../../../ports/bus.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { BrokerLink } from './broker-link.ts';
import type { ServiceBusConnector } from './connect.ts';
import { DeadLetters, type Numbers } from './dead-letters.ts';
import { Entities, type GroupTerms } from './entities.ts';
import { examineEntities } from './examine.ts';
import { type Place, checkGroup, describePlace } from './place.ts';
import { Publisher } from './publisher.ts';
import { ServiceBusSubscription } from './subscription.ts';

const DEFAULT_CLAIM_MS = 30_000;
const DEFAULT_MAX_DELIVERIES = 5;
const DEFAULT_SILENT_MS = 30_000;
const DEFAULT_SESSIONS = 32;

export interface ServiceBusBusOptions {
  readonly connector: ServiceBusConnector;
  readonly place: Place;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Entities that the bus makes have sessions. Those that are there are used as they are. Default: no. */
  readonly makeSessions?: boolean;
  /** How many sessions one member holds at once, where there are sessions. Default 32. */
  readonly sessions?: number;
  /** A receiver that brought nothing for so long is replaced. Default 30 s. */
  readonly silentMs?: number;
}

/**
 * The event bus on Azure Service Bus: a topic, of which each subscription is a consumer group, or a queue. A claim lasts as
 * long as the entity's lock, and renewing it renews that.
 */
export class ServiceBusBus implements Bus {
  readonly #options: ServiceBusBusOptions;
  readonly #link: BrokerLink;
  readonly #publisher: Publisher;
  readonly #entities: Entities;
  readonly #numbers: Numbers = {};
  readonly #subscriptions = new Set<Subscription>();
  #heard = false;

  constructor(options: ServiceBusBusOptions) {
    const { connector, place, makeSessions = false } = options;
    this.#options = options;
    this.#link = new BrokerLink(connector);
    this.#publisher = new Publisher(this.#link, place);
    this.#entities = new Entities(connector, place, makeSessions);
  }

  async publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]> {
    signal?.throwIfAborted();
    if (events.length === 0) return [];
    await this.#assertHeard();
    return this.#publisher.publish(events, signal);
  }

  /** A topic keeps nothing for which there is no subscription: there it is not durable. */
  async #assertHeard(): Promise<void> {
    if (this.#heard) return;
    const groups = await this.#entities.groups();
    if (groups?.length === 0)
      throw new BusUnavailableError(
        `nobody subscribes to ${describePlace(this.#options.place)}, and it would keep nothing: \`rekindle setup --apply\` makes a subscription for each group`,
      );
    this.#heard = true;
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const { place, log, sessions = DEFAULT_SESSIONS, silentMs = DEFAULT_SILENT_MS } = this.#options;
    const { group, types } = options;
    checkGroup(place, group);
    const terms = termsOf(options);
    await this.#entities.ensure(group, terms);
    const subscription = new ServiceBusSubscription({
      link: new BrokerLink(this.#options.connector),
      place,
      group,
      types,
      maxDeliveries: terms.maxDeliveries,
      sessions,
      silentMs,
      log,
      onClose: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  deadLetters(group: string, limit: number, from?: string): Promise<DeadLetter[]> {
    return this.#deadLettersOf(group).list(limit, from);
  }

  replay(group: string, ids?: readonly string[]): Promise<number> {
    return this.#deadLettersOf(group).replay(ids);
  }

  drop(group: string, ids: readonly string[]): Promise<number> {
    return this.#deadLettersOf(group).drop(ids);
  }

  #deadLettersOf(group: string): DeadLetters {
    return new DeadLetters(this.#link, this.#options.place, group, this.#numbers);
  }

  groups(): Promise<readonly GroupState[]> {
    return this.#entities.states();
  }

  /** The broker gives space back by itself. */
  async trim(): Promise<number> {
    return 0;
  }

  /** Whether the entities will do. @param groups those that are to be there */
  examine(
    options: Partial<SubscribeOptions> = {},
    groups: readonly string[] = [],
  ): Promise<Diagnosis[]> {
    return examineEntities(this.#entities, termsOf(options), groups);
  }

  /**
   * Makes what is missing: the topic or queue with duplicate detection, and a subscription for each of the groups.
   * @param apply false: only says so
   * @returns what was missing, in words
   */
  async setUp(
    groups: readonly string[],
    { apply, ...options }: { readonly apply: boolean } & Partial<SubscribeOptions>,
  ): Promise<string[]> {
    const { place } = this.#options;
    const missing: string[] = [];
    if ((await this.#isMissing()) && missing.push(describePlace(place)) && apply)
      await this.#entities.makePlace();
    if ('queue' in place) return missing;
    for (const group of groups) {
      checkGroup(place, group);
      if ((await this.#entities.subscription(group)) !== undefined) continue;
      missing.push(describePlace(place, group));
      if (apply) await this.#entities.makeSubscription(group, termsOf(options));
    }
    return missing;
  }

  async #isMissing(): Promise<boolean> {
    const { place } = this.#options;
    const found = await this.#entities.ask<object>((administration, options) =>
      'topic' in place
        ? administration.getTopic(place.topic, options)
        : administration.getQueue(place.queue, options),
    );
    if (found === null)
      throw new BusUnavailableError(
        `${describePlace(place)} cannot be set up: the right to manage is missing`,
      );
    return found === undefined;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await this.#link.close();
  }
}

function termsOf({ claimMs, maxDeliveries }: Partial<SubscribeOptions>): GroupTerms {
  return {
    claimMs: claimMs ?? DEFAULT_CLAIM_MS,
    maxDeliveries: maxDeliveries ?? DEFAULT_MAX_DELIVERIES,
  };
}
