import { errorMessage } from '../../../model/errors.ts';

/** What a failed call of the SDK means to us. */
export type Failure =
  /** The message, its lock or its session is somebody else's by now. */
  | 'lost'
  /** The entity is not there. */
  | 'missing'
  /** It takes receivers of sessions only. */
  | 'sessions-only'
  | 'too-large'
  /** Nothing came within the time that was asked for. */
  | 'nothing'
  /** Everything else: it may be otherwise in a while. */
  | 'away';

const LOST = new Set([
  'MessageLockLost',
  'SessionLockLost',
  'MessageNotFound',
  'com.microsoft:message-lock-lost',
  'com.microsoft:session-lock-lost',
  'com.microsoft:message-not-found',
]);

interface Told {
  readonly code?: unknown;
  readonly condition?: unknown;
  readonly statusCode?: unknown;
}

export function failureOf(error: unknown): Failure {
  const all = causesOf(error);
  // One attempt that nobody answered may have taken effect: then that the next found nothing says nothing.
  if (all.every(isLost)) return 'lost';
  const last = all.at(-1);
  const codes = codesOf(last);
  if (codes.includes('MessagingEntityNotFound') || codes.includes('amqp:not-found'))
    return 'missing';
  if ((last as Told | undefined)?.statusCode === 404) return 'missing';
  if (codes.includes('MessageSizeExceeded')) return 'too-large';
  if (codes.includes('ServiceTimeout') || codes.includes('com.microsoft:timeout')) return 'nothing';
  if (textOf(last).includes('requires sessions')) return 'sessions-only';
  return 'away';
}

function isLost(error: unknown): boolean {
  // Nothing was sent: the SDK knows that it has let the session go.
  if (/session .* has been closed and can no longer be used/.test(textOf(error))) return true;
  return codesOf(error).some((code) => LOST.has(code));
}

/** The broker is there, and this is too much for it. */
export function isBusy(error: unknown): boolean {
  const codes = codesOf(causesOf(error).at(-1));
  return codes.includes('ServiceBusy') || codes.includes('com.microsoft:server-busy');
}

/** Why, in a few words; nothing of what was sent. */
export function reasonOf(error: unknown): string {
  const last = causesOf(error).at(-1);
  const [code] = codesOf(last);
  // The service adds who served it and when.
  const text = textOf(last).replace(/\s*(TrackingId|Reference):.*$/s, '');
  return code === undefined || text.includes(code) ? text : `${code}: ${text}`;
}

/** The attempts that failed, where there were several. */
function causesOf(error: unknown): readonly unknown[] {
  return error instanceof AggregateError && error.errors.length > 0
    ? error.errors.flatMap(causesOf)
    : [error];
}

function codesOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, condition } = error as Told;
  return [code, condition].filter((one) => typeof one === 'string');
}

/** Some errors of the SDK are none by their class. */
function textOf(error: unknown): string {
  const { description } = (error ?? {}) as { description?: unknown };
  return typeof description === 'string' ? description : errorMessage(error);
}
