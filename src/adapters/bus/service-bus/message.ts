import { randomBytes } from 'node:crypto';
import type { ServiceBusMessage, ServiceBusReceivedMessage } from '@azure/service-bus';
import type { AnyEvent } from '../../../model/event.ts';
import { safeName } from '../../../model/safe-name.ts';

const CONTENT_TYPE = 'application/cloudevents+json';

/** Application properties of ours. */
export const PROPERTY = {
  type: 'type',
  subject: 'subject',
  /** On a copy: the one group that it is for. */
  group: 'rekindle_group',
  /** On a copy: how many deliveries counted before it. On a dead letter: how many there were. */
  attempts: 'rekindle_attempts',
  /** On a dead letter: when it was put aside, Unix milliseconds. */
  deadAt: 'rekindle_dead_at',
} as const;

/** A message id has at most so many characters. */
const LONGEST_ID = 128;

/** An event as it is sent. Where the entity has sessions, its user's events are one. */
export function messageOf(event: AnyEvent): ServiceBusMessage {
  return {
    body: Buffer.from(JSON.stringify(event)),
    messageId: event.id,
    sessionId: safeName(event.data.user),
    contentType: CONTENT_TYPE,
    subject: event.type,
    applicationProperties: { [PROPERTY.type]: event.type, [PROPERTY.subject]: event.subject },
  };
}

/** A part of the id that no other copy has. */
export function copyMark(): string {
  return randomBytes(8).toString('hex');
}

/**
 * The same message again, for one group. Its id is its own: the broker would swallow one that it has seen, and of two
 * groups that put off the same event, or of two deferrals of one, each sends a copy.
 */
export function copyOf(
  { body, messageId, sessionId, contentType, subject, applicationProperties }: Copied,
  group: string,
  attempts: number,
  mark: string,
): ServiceBusMessage {
  const end = `#${attempts}.${mark}`;
  const id = String(messageId ?? '').replace(/#[^#]*$/, '');
  const kept = Object.entries(applicationProperties ?? {}).filter(
    ([name]) => !OF_DEAD_LETTERS.has(name),
  );
  return {
    body: body as unknown,
    messageId: id.slice(0, LONGEST_ID - end.length) + end,
    ...(sessionId !== undefined && { sessionId }),
    ...(contentType !== undefined && { contentType }),
    ...(subject !== undefined && { subject }),
    applicationProperties: {
      ...Object.fromEntries(kept),
      [PROPERTY.group]: group,
      [PROPERTY.attempts]: attempts,
    },
  };
}

interface Copied
  extends Pick<
    ServiceBusReceivedMessage,
    'body' | 'messageId' | 'contentType' | 'subject' | 'applicationProperties'
  > {
  readonly sessionId?: string | undefined;
}

const OF_DEAD_LETTERS = new Set<string>([
  PROPERTY.deadAt,
  'DeadLetterReason',
  'DeadLetterErrorDescription',
]);

/** What was sent, as text. */
export function bodyOf({ body }: Pick<ServiceBusReceivedMessage, 'body'>): string {
  const content = body as unknown;
  if (typeof content === 'string') return content;
  if (content instanceof Uint8Array) return Buffer.from(content).toString();
  return JSON.stringify(content ?? null);
}

export function propertyOf(
  { applicationProperties }: Pick<ServiceBusReceivedMessage, 'applicationProperties'>,
  name: string,
): string | number | undefined {
  const value = applicationProperties?.[name];
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

/** Which delivery to its group this is, those before a copy included. */
export function attemptOf(message: ServiceBusReceivedMessage): number {
  const before = Number(propertyOf(message, PROPERTY.attempts) ?? 0);
  return before + (message.deliveryCount ?? 0) + 1;
}
