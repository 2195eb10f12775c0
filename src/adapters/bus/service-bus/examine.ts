import type { Diagnosis } from '../../../model/diagnosis.ts';
import type { SubscriptionProperties } from '@azure/service-bus';
import { Duration } from 'luxon';
import { DUPLICATE_WINDOW_MS, type Entities, type GroupTerms } from './entities.ts';
import { describePlace } from './place.ts';

/** How long an outage may be after which nothing is on the bus twice. */
const OUTAGE_MS = 10 * 60_000;

const SET_UP = '`rekindle setup --apply` makes it';

/** What the bus needs of its entities, and how they are. */
export async function examineEntities(
  entities: Entities,
  terms: GroupTerms,
  groups: readonly string[],
): Promise<Diagnosis[]> {
  const { place } = entities;
  const where = describePlace(place);
  const found = await entities.ask(async (administration, options) =>
    'topic' in place
      ? { topic: await administration.getTopic(place.topic, options) }
      : { queue: await administration.getQueue(place.queue, options) },
  );
  if (found === null)
    return [
      {
        level: 'warn',
        what: `nobody may look at ${where}: the right to manage is missing`,
        change: 'give the identity the role "Azure Service Bus Data Owner", or look in the portal',
      },
    ];
  if (found === undefined)
    return [{ level: 'refuse', what: `there is no ${where}`, change: SET_UP }];
  const properties = 'topic' in found ? found.topic : found.queue;
  const findings: Diagnosis[] = [{ level: 'ok', what: `${where} is there` }];
  findings.push(
    ofDuplicates(
      where,
      properties.requiresDuplicateDetection,
      Duration.fromISO(properties.duplicateDetectionHistoryTimeWindow).toMillis(),
    ),
  );
  if ('queue' in found) findings.push(...ofReceiving(where, found.queue, terms));
  else findings.push(...(await ofGroups(entities, terms, groups)));
  return findings;
}

function ofDuplicates(where: string, on: boolean, windowMs: number): Diagnosis {
  if (!on)
    return {
      level: 'refuse',
      what: `${where} does not detect duplicates: what is sent again after an outage is there twice`,
      change:
        'it can be set when the entity is made only: remove it, then `rekindle setup --apply`',
    };
  const text = `${where} detects duplicates for ${human(windowMs)}`;
  if (windowMs > OUTAGE_MS) return { level: 'ok', what: text };
  return {
    level: 'warn',
    what: `${text}: what is sent again after an outage of ten minutes is there twice`,
    change: `set its window to ${human(DUPLICATE_WINDOW_MS)} (20 seconds to 7 days are possible)`,
  };
}

async function ofGroups(
  entities: Entities,
  terms: GroupTerms,
  wanted: readonly string[],
): Promise<Diagnosis[]> {
  const findings: Diagnosis[] = [];
  const there = (await entities.groups()) ?? [];
  if (there.length === 0)
    findings.push({
      level: 'warn',
      what: `${describePlace(entities.place)} has no subscription: nothing is published until there is one`,
      change: SET_UP,
    });
  for (const group of new Set([...there, ...wanted])) {
    const where = describePlace(entities.place, group);
    const subscription = await entities.subscription(group);
    if (subscription) findings.push(...ofReceiving(where, subscription, terms));
    else if (subscription === undefined)
      findings.push({ level: 'refuse', what: `there is no ${where}`, change: SET_UP });
  }
  return findings;
}

type Receiving = Pick<
  SubscriptionProperties,
  'lockDuration' | 'maxDeliveryCount' | 'requiresSession'
>;

function ofReceiving(where: string, entity: Receiving, terms: GroupTerms): Diagnosis[] {
  const lockMs = Duration.fromISO(entity.lockDuration).toMillis();
  const { claimMs, maxDeliveries } = terms;
  const findings: Diagnosis[] = [
    {
      level: 'ok',
      what: `${where} ${entity.requiresSession ? 'has sessions: the events of a user come in order' : 'has no sessions: subscribers keep order by the sequence'}`,
    },
  ];
  findings.push(
    lockMs < claimMs
      ? {
          level: 'warn',
          what: `${where} locks an event for ${human(lockMs)}, and subscribers count on ${human(claimMs)}`,
          change: `set its lock duration to ${human(claimMs)}`,
        }
      : { level: 'ok', what: `${where} locks an event for ${human(lockMs)}` },
  );
  findings.push(
    entity.maxDeliveryCount <= maxDeliveries
      ? {
          level: 'warn',
          what: `${where} puts an event aside after ${entity.maxDeliveryCount} deliveries, before its subscribers do after ${maxDeliveries}, and without their reason`,
          change: `set its max delivery count to ${maxDeliveries + 1} or more`,
        }
      : {
          level: 'ok',
          what: `${where} gives an event ${entity.maxDeliveryCount} times at the most`,
        },
  );
  return findings;
}

function human(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}
