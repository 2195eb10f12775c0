/**
 * The example agent: one message for each announcement that is still wanted, to a user who may be contacted.
 *
 *   sent before? ── yes ──▶ note the touch
 *        │ no
 *   still wanted, allowed, not at night? ── no ──▶ drop, skip, or hold until the night is over
 *        │ yes
 *   recall, draft
 *        │
 *   still wanted, allowed, not at night? ── no ──▶ the same: writing takes time, with a model seconds
 *        │ yes
 *   send under the event's id, note the touch
 *
 * A call that dies anywhere is followed by another with the same event. Nothing is sent twice, for the key of a message is
 * the event's id; and a message that left without its touch is found by that key.
 */
import { hasServiceWindow } from '../../abandonment/contact.ts';
import type { Wanted } from '../../abandonment/wanted.ts';
import { errorMessage } from '../../model/errors.ts';
import type { Contact, RekindleEvent } from '../../model/event.ts';
import { SECOND_MS } from '../../model/duration.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Draft, DraftContext, Drafter } from '../../ports/drafter.ts';
import type { Outbox, OutgoingMessage, Sent } from '../../ports/outbox.ts';
import { contextOf } from '../../recall/build-context.ts';
import type { RecallRequest, Recalled } from '../../recall/recalled.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Handler, ReceivedEvent } from '../received-event.ts';
import type { RescueOutcome } from './outcome.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;

export interface RescueAgentPorts {
  /** What is remembered of the user whom the event is about. */
  readonly recall: (event: Announcement, request: RecallRequest) => Promise<Recalled>;
  readonly drafter: Drafter;
  readonly outbox: Outbox;
  /** Notes that a message was sent; safe to repeat. */
  readonly recordTouch: (
    event: Announcement,
    touch: { readonly channel: string; readonly message_id: string; readonly at: number },
  ) => Promise<unknown>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Logger;
}

export interface RescueAgentOptions {
  /** Told what became of each event. */
  readonly onOutcome?: (outcome: RescueOutcome) => void;
}

/** Where a session names no channel: within the shop's own pages. */
const DEFAULT_CHANNEL = 'web';

/** A message has a few lines: more memory than this makes it no better. */
const RECALL_TOKENS = 600;

/** Beyond what each tier may take: a recall that hangs costs the message its memory, not its time. */
const RECALL_WITHIN_MS = 2 * SECOND_MS;

const NOTHING: DraftContext = { said: '', insights: [] };

/** Makes the handler of `cart.abandoned`. */
export function createRescueHandler(
  ports: RescueAgentPorts,
  { onOutcome = () => undefined }: RescueAgentOptions = {},
): Handler<'cart.abandoned'> {
  return async (event) => {
    const outcome = await rescue(event, ports);
    ports.log.debug({ event: event.id, stage: event.data.stage, ...outcome }, 'announcement');
    onOutcome(outcome);
  };
}

async function rescue(
  event: ReceivedEvent<'cart.abandoned'>,
  ports: RescueAgentPorts,
): Promise<RescueOutcome> {
  const { outbox, clock } = ports;
  const before = await outbox.sent(event.id);
  if (before) return note('noted', event, before, ports);

  const early = judge(await event.isStillWanted(), event, clock);
  if ('did' in early) return early;
  const channel = event.data.channel ?? DEFAULT_CHANNEL;
  const context = await recalled(event, ports);
  const template = needsTemplate(early.contact, channel, clock);
  const first = await draft(event, context, channel, template, ports);

  const late = judge(await event.isStillWanted(), event, clock);
  if ('did' in late) return late;
  const windowClosed = !template && needsTemplate(late.contact, channel, clock);
  const written = windowClosed ? await draft(event, context, channel, true, ports) : first;
  event.signal.throwIfAborted();
  const message = messageOf(event, written, channel, template || windowClosed);
  return note('sent', event, await outbox.send(message, event.id, event.signal), ports);
}

async function note(
  did: 'sent' | 'noted',
  event: Announcement,
  { messageId, channel, at }: Sent,
  { recordTouch }: RescueAgentPorts,
): Promise<RescueOutcome> {
  await recordTouch(event, { channel, message_id: messageId, at });
  return { did, channel };
}

/** May a message leave now? Else what becomes of the event. */
function judge(
  wanted: Wanted,
  event: ReceivedEvent<'cart.abandoned'>,
  clock: Pick<Clock, 'now'>,
): { readonly contact: Contact } | RescueOutcome {
  if (!wanted.wanted) return { did: 'dropped', why: wanted.reason };
  const { contact } = wanted;
  if (contact.allowed !== 'yes') return { did: 'skipped', why: contact.basis };
  const { not_before: notBefore } = contact;
  if (notBefore === null || Date.parse(notBefore) <= clock.now()) return { contact };
  event.deferUntil(notBefore);
  return { did: 'deferred', why: 'quiet_hours' };
}

/** Without an end that is known the window counts as closed: a template is always right. */
function needsTemplate(
  { service_window_expires_at: end }: Contact,
  channel: string,
  clock: Pick<Clock, 'now'>,
): boolean {
  return hasServiceWindow(channel) && (end === null || clock.now() >= Date.parse(end));
}

async function draft(
  { data, signal }: ReceivedEvent<'cart.abandoned'>,
  context: DraftContext,
  channel: string,
  template: boolean,
  { drafter }: RescueAgentPorts,
): Promise<Draft> {
  const language = data.language ?? undefined;
  return drafter.draft({ about: data, context, language, channel, template }, signal);
}

/** A message without memory is better than none. */
async function recalled(
  event: ReceivedEvent<'cart.abandoned'>,
  { recall, log }: RescueAgentPorts,
): Promise<DraftContext> {
  const tooLate = AbortSignal.timeout(RECALL_WITHIN_MS);
  const signal = AbortSignal.any([event.signal, tooLate]);
  const request: RecallRequest = {
    budgetTokens: RECALL_TOKENS,
    signal,
    ...(event.data.intent !== null && { query: event.data.intent }),
  };
  try {
    const found = await Promise.race([recall(event, request), rejection(signal)]);
    const { immediate, relevant } = contextOf(found);
    const insights = found.insights.map(({ kind, text }) => ({ kind, text }));
    return { said: [relevant, immediate].filter((text) => text !== '').join('\n'), insights };
  } catch (error) {
    event.signal.throwIfAborted();
    const why = tooLate.aborted ? 'it took too long' : errorMessage(error);
    log.warn({ event: event.id, why }, 'nothing could be recalled: the message does without');
    return NOTHING;
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const fail = (): void => reject(signal.reason as Error);
  if (signal.aborted) fail();
  else signal.addEventListener('abort', fail, { once: true });
  return promise;
}

function messageOf(
  { id, data }: Announcement,
  { text, subject, language, by }: Draft,
  channel: string,
  template: boolean,
): OutgoingMessage {
  return {
    user: data.user,
    session_id: data.session_id,
    channel,
    language,
    ...(subject !== undefined && { subject }),
    text,
    template,
    announcement_id: id,
    episode: data.episode,
    stage: data.stage,
    valid_until: data.valid_until,
    drafter: by,
  };
}
