import type {
  OperationOptions,
  ServiceBusAdministrationClient,
  SubscriptionProperties,
} from '@azure/service-bus';
import { Duration } from 'luxon';
import { BusUnavailableError } from '../../../model/errors.ts';
import type { GroupState } from '../../../ports/bus.ts';
import type { ServiceBusConnector } from './connect.ts';
import { reasonOf } from './failure.ts';
import { PROPERTY } from './message.ts';
import { type Place, describePlace, missingPlace } from './place.ts';

/** What a group's subscription is made with. */
export interface GroupTerms {
  /** How long a lock lasts. */
  readonly claimMs: number;
  readonly maxDeliveries: number;
}

/** The service lets no lock last longer, and counts no further. */
const LIMITS = { lockMs: 300_000, deliveries: 2_000 };

/** The name of the rule that keeps the copies of other groups away. */
const RULE = 'rekindle';

/** Covers an outage of ten minutes, after which everything may be sent once more. */
export const DUPLICATE_WINDOW_MS = 20 * 60_000;

/** The entities of the namespace that the bus uses, over the administration; it takes the right to manage. */
export class Entities {
  readonly #connector: Pick<ServiceBusConnector, 'administration' | 'attemptMs'>;
  readonly #place: Place;
  readonly #sessions: boolean;

  constructor(
    connector: Pick<ServiceBusConnector, 'administration' | 'attemptMs'>,
    place: Place,
    sessions: boolean,
  ) {
    this.#connector = connector;
    this.#place = place;
    this.#sessions = sessions;
  }

  get place(): Place {
    return this.#place;
  }

  /**
   * Makes the group's subscription, unless there is one.
   * @throws BusUnavailableError that says what to do where it is not there and may not be made
   */
  async ensure(group: string, terms: GroupTerms): Promise<void> {
    const place = this.#place;
    if ('queue' in place) return;
    const there = await this.subscription(group);
    if (there !== undefined) return;
    try {
      await this.makeSubscription(group, terms);
    } catch (error) {
      const status = statusOf(error);
      // Somebody else was quicker; or only what receives may be asked, and the first receive says what is wrong.
      if (status === 409) return;
      if (status === 404) throw new BusUnavailableError(missingPlace(place), { cause: error });
      throw new BusUnavailableError(`${missingPlace(place, group)} (${reasonOf(error)})`, {
        cause: error,
      });
    }
  }

  /** @returns null where nobody says: the right to manage is missing. undefined: there is none */
  async subscription(group: string): Promise<SubscriptionProperties | null | undefined> {
    const place = this.#place;
    if ('queue' in place) return null;
    return this.ask((administration, options) =>
      administration.getSubscription(place.topic, group, options),
    );
  }

  async makeSubscription(group: string, { claimMs, maxDeliveries }: GroupTerms): Promise<void> {
    const place = this.#place;
    if ('queue' in place) return;
    const options = this.#options();
    await this.#connector.administration().createSubscription(place.topic, group, {
      ...options,
      lockDuration: Duration.fromMillis(Math.min(claimMs, LIMITS.lockMs)).toISO(),
      // What its members put aside has their reason; what the broker does only says that it did.
      maxDeliveryCount: Math.min(LIMITS.deliveries, Math.max(10, 2 * maxDeliveries)),
      requiresSession: this.#sessions,
      deadLetteringOnMessageExpiration: true,
      defaultRuleOptions: {
        name: RULE,
        filter: { sqlExpression: `${PROPERTY.group} IS NULL OR ${PROPERTY.group} = '${group}'` },
      },
    });
  }

  async makePlace(): Promise<void> {
    const place = this.#place;
    const shared = {
      ...this.#options(),
      requiresDuplicateDetection: true,
      duplicateDetectionHistoryTimeWindow: Duration.fromMillis(DUPLICATE_WINDOW_MS).toISO(),
    };
    const administration = this.#connector.administration();
    if ('topic' in place) await administration.createTopic(place.topic, shared);
    else
      await administration.createQueue(place.queue, {
        ...shared,
        requiresSession: this.#sessions,
        deadLetteringOnMessageExpiration: true,
      });
  }

  /** The groups and how far they are behind; none where the right to manage is missing. */
  async states(): Promise<readonly GroupState[]> {
    const place = this.#place;
    const states = await this.ask(async (administration, options) => {
      if ('queue' in place) {
        const counts = await administration.getQueueRuntimeProperties(place.queue, options);
        const behind = counts.activeMessageCount + counts.scheduledMessageCount;
        const group = place.group ?? place.queue;
        return [{ group, behind, deadLetters: counts.deadLetterMessageCount }];
      }
      const listed: GroupState[] = [];
      for await (const one of administration.listSubscriptionsRuntimeProperties(
        place.topic,
        options,
      ))
        listed.push({
          group: one.subscriptionName,
          behind: one.activeMessageCount,
          deadLetters: one.deadLetterMessageCount,
        });
      return listed;
    });
    if (states === undefined) throw new BusUnavailableError(missingPlace(place));
    return states ?? [];
  }

  /** Names of the subscriptions; null where nobody says. */
  async groups(): Promise<readonly string[] | null> {
    const place = this.#place;
    if ('queue' in place) return [place.group ?? place.queue];
    const groups = await this.ask(async (administration, options) => {
      const names: string[] = [];
      for await (const one of administration.listSubscriptions(place.topic, options))
        names.push(one.subscriptionName);
      return names;
    });
    return groups === undefined ? [] : groups;
  }

  /**
   * Asks the administration.
   * @returns undefined for what is not there, null where the right to manage is missing
   * @throws BusUnavailableError
   */
  async ask<T>(
    question: (
      administration: ServiceBusAdministrationClient,
      options: OperationOptions,
    ) => Promise<T>,
  ): Promise<T | null | undefined> {
    try {
      return await question(this.#connector.administration(), this.#options());
    } catch (error) {
      const status = statusOf(error);
      if (status === 404 || isEmptyFeed(error)) return undefined;
      if (status === 401 || status === 403) return null;
      const where = describePlace(this.#place);
      throw new BusUnavailableError(`the administration of ${where} is away: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  #options(): OperationOptions {
    return { abortSignal: AbortSignal.timeout(2 * this.#connector.attemptMs) };
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | null)?.statusCode;
}

/** The service answers so for a queue or topic that is not there. */
function isEmptyFeed(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === 'MessageEntityNotFoundError';
}
