import type { Outbox, OutgoingMessage, Sent } from '../ports/outbox.ts';

/** Where the messages of a replay go: nowhere, but each once. */
export class MemoryOutbox implements Outbox {
  readonly #clock: { now(): number };
  readonly #sent = new Map<string, Sent>();

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  async send({ channel }: OutgoingMessage, key: string): Promise<Sent> {
    const sent = this.#sent.get(key) ?? { messageId: key, channel, at: this.#clock.now() };
    this.#sent.set(key, sent);
    return sent;
  }

  async sent(key: string): Promise<Sent | undefined> {
    return this.#sent.get(key);
  }

  async close(): Promise<void> {
    this.#sent.clear();
  }
}
