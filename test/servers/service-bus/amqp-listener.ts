import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import rhea from 'rhea';
import type { Connection, Delivery, EventContext, Message, Receiver, Sender } from 'rhea';
import type { Broker } from './broker.ts';
import type { Entity, Settlement } from './entity.ts';
import type { Faults } from './faults.ts';
import { manage, reply } from './management.ts';
import {
  answerEveryDrain,
  decode,
  givenOf,
  holdAttach,
  outcomeOf,
  partsOf,
  roomOn,
  socketOf,
  unpack,
} from './rhea-parts.ts';
import type { Applicant } from './session-locks.ts';
import { CONDITION, type Consumer } from './stored-message.ts';
import { onTheWire, tagOf, ticksOf } from './wire.ts';

const BATCH_FORMAT = 0x80013700;
const SESSION_FILTER = 'com.microsoft:session-filter';
/** How long the service itself would let somebody wait for a session. */
const LONGEST_SESSION_WAIT_MS = 65_000;

/** What a link of a receiver is about. */
interface Served {
  readonly entity: Entity;
  consumer?: Consumer;
  applicant?: Applicant;
}

/** Speaks the service's AMQP for a broker, without TLS; whoever connects is let in. */
export class AmqpListener {
  readonly #broker: Broker;
  readonly #faults: Faults;
  readonly #maxMessageBytes: number;
  /** Whoever is connected, said hello or not. */
  readonly #sockets = new Set<Socket>();
  readonly #served = new Map<Sender, Served>();
  readonly #given = new WeakMap<Delivery, { readonly entity: Entity; readonly token: string }>();
  #server: Server | undefined;

  constructor(broker: Broker, faults: Faults, maxMessageBytes: number) {
    this.#broker = broker;
    this.#faults = faults;
    this.#maxMessageBytes = maxMessageBytes;
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** @returns the port */
  async listen(port: number): Promise<number> {
    const container = rhea.create_container({
      id: 'service-bus',
      autoaccept: false,
      autosettle: true,
      credit_window: 1_000,
      // Modified is what abandons and defers.
      treat_modified_as_released: false,
    });
    const on = (event: string, listener: (context: EventContext) => void): unknown =>
      container.on(event, listener);
    on('connection_open', ({ connection }) => {
      // rhea says nothing of a socket that goes without an error.
      socketOf(connection)?.once('close', () => this.#forget(connection));
    });
    for (const event of ['connection_close', 'disconnected'])
      on(event, ({ connection }) => this.#forget(connection));
    for (const event of ['error', 'connection_error', 'protocol_error', 'session_error'])
      on(event, () => undefined);
    on('receiver_open', ({ receiver }) => receiver && this.#openInlet(receiver));
    on('sender_open', ({ sender }) => sender && this.#openOutlet(sender));
    for (const event of ['sender_close', 'sender_error'])
      on(event, ({ sender }) => sender && this.#leave(sender));
    on('session_close', ({ session }) => {
      for (const sender of this.#served.keys()) if (sender.session === session) this.#leave(sender);
    });
    on('sendable', ({ sender }) => sender && this.#served.get(sender)?.entity.pump());
    on('sender_draining', ({ sender }) => {
      if (!sender) return;
      const served = this.#served.get(sender);
      served?.entity.pump();
      sender.set_drained(true);
    });
    on('accepted', ({ delivery }) => delivery && this.#settle(delivery, 'complete'));
    on('released', ({ delivery }) => delivery && this.#settle(delivery, 'abandon'));
    on('modified', ({ delivery }) => {
      if (!delivery) return;
      const state = givenOf(delivery).remote_state;
      const how = state?.undeliverable_here === true ? 'defer' : 'abandon';
      this.#settle(delivery, how, state?.message_annotations);
    });
    on('rejected', ({ delivery }) => {
      if (delivery)
        this.#settle(delivery, 'deadletter', givenOf(delivery).remote_state?.error?.info);
    });
    on('message', (context) => this.#take(context));
    this.#server = container.listen({ port, host: '127.0.0.1' });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    this.cutConnections();
    await closed;
  }

  #forget(connection: Connection): void {
    for (const sender of this.#served.keys())
      if (sender.connection === connection) this.#leave(sender);
  }

  /** Locks of messages outlive the link, those of sessions do not. */
  #leave(sender: Sender): void {
    const served = this.#served.get(sender);
    this.#served.delete(sender);
    if (served?.applicant) served.entity.locks.withdraw(served.applicant);
    if (served?.consumer) served.entity.removeConsumer(served.consumer);
  }

  /** The peer sends. */
  #openInlet(receiver: Receiver): void {
    const address = addressOf(receiver.target);
    receiver.set_target({ address });
    receiver.set_source({ address: addressOf(receiver.source) });
    partsOf(receiver).local.attach.max_message_size = this.#maxMessageBytes;
    if (isOfManagement(address) || this.#broker.inlet(address)) return;
    receiver.close(notFound(address));
  }

  /** The peer receives. */
  #openOutlet(sender: Sender): void {
    const address = addressOf(sender.source);
    const filter = sender.source.filter as Record<string, unknown> | undefined;
    sender.set_source({ address, filter } as object as typeof sender.source);
    sender.set_target({ address: addressOf(sender.target) });
    const { local, remote } = partsOf(sender);
    for (const mode of ['snd_settle_mode', 'rcv_settle_mode'] as const)
      if (remote.attach[mode] !== undefined) local.attach[mode] = remote.attach[mode];
    if (isOfManagement(address)) return;
    const entity = this.#broker.entity(address);
    if (!entity) {
      sender.close(notFound(address));
      return;
    }
    const forSession = filter !== undefined && SESSION_FILTER in filter;
    if (forSession !== entity.settings.sessions) {
      sender.close({
        condition: CONDITION.notAllowed,
        description: forSession
          ? 'A sessionful message receiver cannot be created on an entity that does not require sessions.'
          : 'It is not possible for an entity that requires sessions to create a non-sessionful message receiver.',
      });
      return;
    }
    answerEveryDrain(sender);
    const served: Served = { entity };
    this.#served.set(sender, served);
    if (forSession) this.#openSession(sender, served, filter[SESSION_FILTER]);
    else {
      served.consumer = this.#consumerFor(sender, entity);
      entity.addConsumer(served.consumer);
    }
  }

  #openSession(sender: Sender, served: Served, wanted: unknown): void {
    const { entity } = served;
    const { local, remote } = partsOf(sender);
    const waitMs = Number(remote.attach.properties?.['com.microsoft:timeout'] ?? Infinity);
    holdAttach(sender);
    const answer = (): void => sender.open();
    served.applicant = {
      wanted: typeof wanted === 'string' ? wanted : undefined,
      waitMs: Math.min(waitMs, LONGEST_SESSION_WAIT_MS),
      accept: (sessionId, lockedUntil) => {
        delete served.applicant;
        sender.set_source({
          address: addressOf(sender.source),
          filter: { [SESSION_FILTER]: sessionId },
        } as object as typeof sender.source);
        local.attach.properties = { 'com.microsoft:locked-until-utc': ticksOf(lockedUntil) };
        answer();
        served.consumer = this.#consumerFor(sender, entity, sessionId);
        return served.consumer;
      },
      refuse: (condition, description) => {
        delete served.applicant;
        answer();
        sender.close({ condition, description });
      },
    };
    entity.locks.apply(served.applicant);
  }

  #consumerFor(sender: Sender, entity: Entity, sessionId?: string): Consumer {
    const deletes = partsOf(sender).local.attach.snd_settle_mode === 1;
    return {
      deletes,
      silent: false,
      ...(sessionId !== undefined && { sessionId }),
      room: () => roomOn(sender),
      end: (condition, description) => sender.close({ condition, description }),
      give: (stored) => {
        const { token } = stored;
        const delivery = sender.send(
          onTheWire(stored),
          token === undefined ? undefined : tagOf(token),
        );
        if (token !== undefined) this.#given.set(delivery, { entity, token });
      },
    };
  }

  #settle(delivery: Delivery, how: Settlement, info?: Readonly<Record<string, unknown>>): void {
    const given = this.#given.get(delivery);
    if (!given) return;
    const lost = given.entity.settle(given.token, how, info);
    const parts = givenOf(delivery);
    // The client waits for a settled disposition, and takes an error in it for its own.
    parts.update(true, outcomeOf(lost));
    // Nothing comes back for it; until then rhea keeps it, and has room for 2,048.
    parts.remote_settled = true;
  }

  #take(context: EventContext): void {
    const { receiver, delivery, message } = context;
    if (!receiver || !delivery || !message) return;
    const address = addressOf(receiver.target);
    if (address === '$cbs') {
      delivery.accept();
      reply(context, { status: 202 });
      return;
    }
    if (isOfManagement(address)) {
      delivery.accept();
      manage(this.#broker, context, address.replace(/\/[$]management$/i, ''));
      return;
    }
    const fault = this.#faults.nextSend();
    if (fault === 'drop') return;
    if (fault === 'cut-before') {
      socketOf(receiver.connection)?.destroy();
      return;
    }
    if (typeof fault === 'object') {
      delivery.reject({ condition: fault.refuse, description: fault.description ?? fault.refuse });
      return;
    }
    this.#accept(address, receiver, delivery, message);
    if (fault === 'cut-after') socketOf(receiver.connection)?.destroy();
    else if (delivery.state === undefined) delivery.accept();
  }

  #accept(address: string, receiver: Receiver, delivery: Delivery, message: Message): void {
    const isBatch = delivery.format === BATCH_FORMAT;
    const bytes = isBatch ? (message as unknown as Buffer).length : bodyBytes(message);
    if (bytes > this.#maxMessageBytes) {
      delivery.reject({
        condition: CONDITION.tooLarge,
        description: `The received message (size:${bytes}) exceeds the limit (${this.#maxMessageBytes} bytes).`,
      });
      return;
    }
    const inlet = this.#broker.inlet(address);
    if (!inlet) {
      receiver.close(notFound(address));
      return;
    }
    const messages = isBatch ? unpack(decode(message as unknown as Buffer)).map(decode) : [message];
    for (const one of messages) inlet.send(one);
  }
}

function addressOf(terminus: { address?: unknown } | undefined): string {
  const address = terminus?.address;
  return typeof address === 'string' ? address : '';
}

function isOfManagement(address: string): boolean {
  return address === '$cbs' || /\/[$]management$/i.test(address);
}

function notFound(address: string): { condition: string; description: string } {
  return {
    condition: CONDITION.notFound,
    description: `The messaging entity '${address}' could not be found.`,
  };
}

function bodyBytes({ body }: Message): number {
  const content = (body as { content?: unknown } | undefined)?.content;
  return Buffer.isBuffer(content) ? content.length : 0;
}
