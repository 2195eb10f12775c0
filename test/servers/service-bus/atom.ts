import { Duration } from 'luxon';
import type { BrokerSubscription, Queue, Rule, Topic } from './broker.ts';
import type { Entity } from './entity.ts';

const NAMESPACE = 'http://schemas.microsoft.com/netservices/2010/10/servicebus/connect';
const COUNTS_NAMESPACE = 'http://schemas.microsoft.com/netservices/2011/06/servicebus';
const EPOCH = '2026-01-01T00:00:00Z';

/** What the service says of a duration that has no end. */
const FOR_EVER = 'P10675199DT2H48M5.4775807S';

export function entryOf(id: string, content: string): string {
  return `<entry xmlns="http://www.w3.org/2005/Atom"><id>${escaped(id)}</id><content type="application/xml">${content}</content></entry>`;
}

export function feedOf(entries: readonly string[]): string {
  return `<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">Entities</title>${entries.join('')}</feed>`;
}

export function queueXml({ entity, inlet, userMetadata }: Queue): string {
  return described('QueueDescription', {
    ...entityFields(entity),
    ...inletFields(inlet.duplicateWindowMs),
    UserMetadata: userMetadata,
    ...countFields(entity, inlet.scheduledCount),
  });
}

export function topicXml({ inlet, subscriptions, userMetadata }: Topic): string {
  return described('TopicDescription', {
    DefaultMessageTimeToLive: FOR_EVER,
    ...inletFields(inlet.duplicateWindowMs),
    SupportOrdering: true,
    UserMetadata: userMetadata,
    ...countFields(undefined, inlet.scheduledCount),
    SubscriptionCount: subscriptions.size,
  });
}

export function subscriptionXml({ entity, userMetadata }: BrokerSubscription): string {
  return described('SubscriptionDescription', {
    ...entityFields(entity),
    DeadLetteringOnFilterEvaluationExceptions: true,
    UserMetadata: userMetadata,
    ...countFields(entity, 0),
  });
}

export function ruleXml({ name, sqlExpression }: Rule): string {
  const type = sqlExpression === undefined ? 'CorrelationFilter' : 'SqlFilter';
  const expression = sqlExpression === undefined ? '' : tag('SqlExpression', sqlExpression);
  return `<RuleDescription xmlns="${NAMESPACE}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Filter i:type="${type}">${expression}</Filter><Action i:type="EmptyRuleAction"></Action>${tag('Name', name)}</RuleDescription>`;
}

export function errorXml(code: number, detail: string): string {
  return `<Error>${tag('Code', code)}${tag('Detail', detail)}</Error>`;
}

function entityFields({ settings }: Entity): Fields {
  return {
    LockDuration: iso(settings.lockMs),
    RequiresSession: settings.sessions,
    DefaultMessageTimeToLive: iso(settings.ttlMs),
    DeadLetteringOnMessageExpiration: settings.deadLetterOnExpiry,
    MaxDeliveryCount: settings.maxDeliveryCount,
  };
}

function inletFields(duplicateWindowMs: number): Fields {
  return {
    MaxSizeInMegabytes: 1_024,
    RequiresDuplicateDetection: duplicateWindowMs > 0,
    DuplicateDetectionHistoryTimeWindow: iso(duplicateWindowMs > 0 ? duplicateWindowMs : 600_000),
    EnablePartitioning: false,
    EnableExpress: false,
  };
}

function countFields(entity: Entity | undefined, scheduled: number): Fields {
  const active = entity?.activeCount ?? 0;
  const dead = entity?.deadLetters?.activeCount ?? 0;
  return {
    Status: 'Active',
    EntityAvailabilityStatus: 'Available',
    EnableBatchedOperations: true,
    AutoDeleteOnIdle: FOR_EVER,
    CreatedAt: EPOCH,
    UpdatedAt: EPOCH,
    AccessedAt: EPOCH,
    SizeInBytes: 0,
    MessageCount: active + dead + scheduled,
    CountDetails: { active, dead, scheduled },
  };
}

type Fields = Readonly<
  Record<string, string | number | boolean | { active: number; dead: number; scheduled: number }>
>;

function described(name: string, fields: Fields): string {
  const body = Object.entries(fields).map(([field, value]) => {
    if (typeof value !== 'object') return tag(field, value);
    const { active, dead, scheduled } = value;
    const counts = {
      ActiveMessageCount: active,
      DeadLetterMessageCount: dead,
      ScheduledMessageCount: scheduled,
      TransferMessageCount: 0,
      TransferDeadLetterMessageCount: 0,
    };
    const inner = Object.entries(counts).map(([key, count]) => tag(`d2p1:${key}`, count));
    return `<${field} xmlns:d2p1="${COUNTS_NAMESPACE}">${inner.join('')}</${field}>`;
  });
  return `<${name} xmlns="${NAMESPACE}">${body.join('')}</${name}>`;
}

function tag(name: string, value: string | number | boolean): string {
  return `<${name}>${escaped(String(value))}</${name}>`;
}

function iso(ms: number): string {
  return ms === Infinity ? FOR_EVER : Duration.fromMillis(ms).rescale().toISO();
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The text of the first element of that name; undefined where there is none, or nothing in it. */
export function textOf(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`).exec(xml) ?? [];
  if (text === undefined || text === '') return undefined;
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

/** Undefined where it says nothing. */
export function durationOf(xml: string, name: string): number | undefined {
  const text = textOf(xml, name);
  if (text === undefined) return undefined;
  return text === FOR_EVER ? Infinity : Duration.fromISO(text).toMillis();
}
