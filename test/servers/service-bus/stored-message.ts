import type { Message } from 'rhea';

/** A message as an entity keeps it. */
export interface StoredMessage {
  readonly sequence: number;
  message: Message;
  enqueuedAt: number;
  /** How often it was given and not settled. */
  deliveryCount: number;
  deferred: boolean;
  /** While it is locked: the lock's token, 16 bytes in hexadecimal. */
  token?: string;
  lockedUntil: number;
  timer?: NodeJS.Timeout;
}

/** Conditions that the service answers with. */
export const CONDITION = {
  notFound: 'amqp:not-found',
  notAllowed: 'amqp:not-allowed',
  notImplemented: 'amqp:not-implemented',
  tooLarge: 'amqp:link:message-size-exceeded',
  busy: 'com.microsoft:server-busy',
  timeout: 'com.microsoft:timeout',
  lockLost: 'com.microsoft:message-lock-lost',
  messageNotFound: 'com.microsoft:message-not-found',
  sessionLockLost: 'com.microsoft:session-lock-lost',
  sessionCannotBeLocked: 'com.microsoft:session-cannot-be-locked',
} as const;

/** Whoever receives from an entity. */
export interface Consumer {
  /** How many messages it may be given now. */
  readonly room: () => number;
  readonly give: (stored: StoredMessage) => void;
  /** What it is given is gone. */
  readonly deletes: boolean;
  /** Ends the link, with the condition. */
  readonly end: (condition: string, description: string) => void;
  /** The session it holds, on an entity that requires sessions. */
  readonly sessionId?: string;
  /** It looks open, and nothing comes. */
  silent: boolean;
}

export function annotationOf(message: Message, name: string): unknown {
  return (message.message_annotations as Record<string, unknown> | undefined)?.[name];
}

export function propertiesOf(message: Message): Readonly<Record<string, unknown>> {
  return (message.application_properties ?? {}) as Record<string, unknown>;
}
