/** What a subscriber tells of an announcement: a message went out, the user answered. */
import { UsageError } from '../model/errors.ts';
import type { RekindleEvent } from '../model/event.ts';
import { LATEST_ISO_MS } from '../model/instant.ts';
import type { Clock } from '../ports/clock.ts';
import type { LedgerStore } from '../ports/ledger.ts';

/** A rescue message that was sent. */
export interface SentMessage {
  /** The channel it was sent on, such as `whatsapp` or `email`. */
  readonly channel: string;
  /** The sender's own id of it: the same message told twice counts once. */
  readonly message_id: string;
  /** When it was sent, Unix milliseconds; default: now. */
  readonly at?: number;
}

export interface OutcomePorts {
  readonly ledgers: Pick<LedgerStore, 'note'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** As the schema of `cart.touched` bounds them. */
const CHANNEL_MAX = 64;
const MESSAGE_ID_MAX = 256;

/**
 * Notes that a message was sent for an announcement. The look that takes it in sends `cart.touched`.
 * @param ref of the session that was announced
 * @returns false where nothing is known of the user any more
 * @throws UsageError for what cannot be such a message
 */
export function noteTouch(
  ref: string,
  { data }: RekindleEvent<'cart.abandoned'>,
  { channel, message_id: messageId, at }: SentMessage,
  { ledgers, clock }: OutcomePorts,
): Promise<boolean> {
  bounded('channel', channel, CHANNEL_MAX);
  bounded('message_id', messageId, MESSAGE_ID_MAX);
  const now = clock.now();
  const note = {
    what: 'touch',
    episode: Date.parse(data.episode),
    stage: data.stage,
    channel,
    messageId,
    at: instant(at ?? now),
  } as const;
  return ledgers.note(ref, note, now);
}

/** Notes that the user answered. As `noteTouch`. */
export function noteReply(
  ref: string,
  { data }: RekindleEvent<'cart.abandoned'>,
  at: number,
  { ledgers, clock }: OutcomePorts,
): Promise<boolean> {
  const note = { what: 'reply', episode: Date.parse(data.episode), at: instant(at) } as const;
  return ledgers.note(ref, note, clock.now());
}

function bounded(name: string, given: unknown, most: number): void {
  if (typeof given === 'string' && given !== '' && given.length <= most) return;
  throw new UsageError(`${name} is a text of 1 to ${String(most)} characters`);
}

function instant(at: number): number {
  if (Number.isSafeInteger(at) && at > 0 && at <= LATEST_ISO_MS) return at;
  throw new UsageError(`an instant is whole Unix milliseconds; got ${String(at)}`);
}
