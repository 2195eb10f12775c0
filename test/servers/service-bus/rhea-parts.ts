/** What rhea has and its types do not say. */
import type { Socket } from 'node:net';
import rhea from 'rhea';
import type { Connection, Delivery, Message, Receiver, Sender } from 'rhea';

interface Attach {
  role: boolean;
  snd_settle_mode?: number;
  rcv_settle_mode?: number;
  max_message_size?: number;
  properties?: Record<string, unknown>;
}

interface Outgoing {
  readonly next_delivery_id: number;
  readonly next_pending_delivery: number;
  available: () => number;
}

export interface LinkParts {
  readonly local: { readonly attach: Attach };
  readonly remote: { readonly attach: Attach };
  readonly session: { readonly outgoing: Outgoing };
  readonly state: { local_open: boolean; open_requests: number };
}

export function partsOf(link: Sender | Receiver): LinkParts {
  return link as unknown as LinkParts;
}

export function socketOf(connection: Connection): Socket | undefined {
  return (connection as unknown as { socket?: Socket }).socket;
}

/** A delivery to a receiver of ours, and what it is about. */
export interface GivenDelivery {
  update: (settled: boolean, state: unknown) => void;
  remote_settled: boolean;
  readonly remote_state?: {
    readonly undeliverable_here?: boolean;
    readonly message_annotations?: Readonly<Record<string, unknown>>;
    readonly error?: { readonly info?: Readonly<Record<string, unknown>> };
  };
}

export function givenOf(delivery: Delivery): GivenDelivery {
  return delivery;
}

/**
 * How many messages may be sent on a link now. rhea counts credit down when frames are written: what is queued and
 * unsent has to be taken off, or more is locked than was asked for.
 */
export function roomOn(sender: Sender): number {
  if (!sender.is_open()) return 0;
  const { outgoing } = partsOf(sender).session;
  const unsent = outgoing.next_delivery_id - outgoing.next_pending_delivery;
  const { credit } = sender as unknown as { credit: number };
  return Math.min(credit - unsent, outgoing.available());
}

/** rhea answers no drain whose credit is used up by messages that were on their way; the service answers each. */
export function answerEveryDrain(sender: Sender): void {
  const parts = sender as unknown as {
    credit: number;
    delivery_count: number;
    _draining: boolean;
    _drained: boolean;
    _get_drain: () => boolean;
  };
  parts._get_drain = () => {
    if (!parts._draining || !parts._drained) return false;
    parts.delivery_count += parts.credit;
    parts.credit = 0;
    return true;
  };
}

/** Lets the answer to an attach wait until `sender.open()` is called. */
export function holdAttach(sender: Sender): void {
  const { state } = partsOf(sender);
  state.local_open = false;
  state.open_requests = 0;
}

/** The single messages in what was sent as a batch. */
export function unpack(batch: Message): Buffer[] {
  const body = batch.body as { multiple?: boolean; content: Buffer | Buffer[] };
  return [body.content].flat();
}

interface Outcome {
  readonly described: () => unknown;
}

const { accepted, rejected } = rhea.message as unknown as {
  readonly accepted: () => Outcome;
  readonly rejected: (fields: object) => Outcome;
};

/** What a settled disposition says: that it was done, or the condition why not. */
export function outcomeOf(lost: string | undefined): unknown {
  if (lost === undefined) return accepted().described();
  const description =
    'The lock supplied is invalid. Either the lock expired, or the message has already been removed.';
  return rejected({ error: { condition: lost, description } }).described();
}

export function decode(bytes: Buffer): Message {
  return rhea.message.decode(bytes) as unknown as Message;
}

export function encode(message: Message): Buffer {
  return rhea.message.encode(message as Parameters<typeof rhea.message.encode>[0]);
}
