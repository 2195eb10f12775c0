import type { AnyEvent } from '../../../model/event.ts';
import type { Delivery } from '../../../ports/bus.ts';
import type { Claim, GroupMember } from './group-member.ts';

/**
 * One event in the hands of one member.
 *
 * An entry of the stream is, for each group, in one of these states:
 *
 * - *unread*: behind the id that the group has read up to.
 * - *read*: in Redis's own pending list, for the first time and of one member (XREADGROUP).
 * - *held*: copied to the group's sorted set `held`, with the instant from which anybody may take it. A member that has it
 *   in hand moves that instant ahead; it is also the token by which the member proves that it still has it.
 * - *settled*, or *dead*: gone from both; dead, it is in the group's dead letters.
 *
 * `done`: read or held → settled. `retry`, `defer`, `renew`: read or held → held. `deadLetter`: read or held → dead.
 * Takeover: read and idle for the claim time, or held and due → held, or dead after the last delivery.
 *
 * Retries do not stay in the pending list because there a single event that waits for the morning would keep everything
 * behind it from being trimmed.
 */
export class StreamDelivery implements Delivery {
  readonly event: AnyEvent;
  readonly attempt: number;
  readonly #member: GroupMember;
  readonly #claimMs: number;
  readonly #maxDeliveries: number;
  #claim: Claim;
  #settled = false;
  /** What it was told last; undefined: nothing yet. */
  #before: Promise<unknown> | undefined;
  /** That it is done, where it was told that first. */
  #firstDone: Promise<void> | undefined;

  constructor(
    member: GroupMember,
    claim: Claim,
    event: AnyEvent,
    options: { readonly claimMs: number; readonly maxDeliveries: number },
  ) {
    this.event = event;
    this.attempt = claim.attempt;
    this.#member = member;
    this.#claim = claim;
    this.#claimMs = options.claimMs;
    this.#maxDeliveries = options.maxDeliveries;
  }

  done(): Promise<void> {
    return this.#before ? this.#doneInTurn() : this.#doneAtOnce();
  }

  /** The way of nearly all: without a promise of its own. */
  #doneAtOnce(): Promise<void> {
    this.#before = this.#firstDone = this.#member.done(this.#claim.id);
    return this.#firstDone;
  }

  async #doneInTurn(): Promise<void> {
    await this.#settle(async () => {
      await this.#member.done(this.#claim.id);
      return true;
    });
  }

  retry(delayMs: number, reason = 'the handler asked for another attempt'): Promise<boolean> {
    if (this.attempt < this.#maxDeliveries) return this.#putOff(delayMs, this.attempt);
    return this.deadLetter(`attempt ${this.attempt} of ${this.#maxDeliveries} failed: ${reason}`);
  }

  defer(delayMs: number): Promise<boolean> {
    return this.#putOff(delayMs, this.attempt - 1);
  }

  deadLetter(reason: string): Promise<boolean> {
    return this.#settle(() => this.#member.deadLetter(this.#claim, reason));
  }

  renew(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#settled) return false;
      const token = await this.#member.hold(this.#claim, this.#claimMs, this.attempt);
      if (token !== undefined) this.#claim = { ...this.#claim, token };
      return token !== undefined;
    });
  }

  #putOff(delayMs: number, attempts: number): Promise<boolean> {
    const forMs = Math.max(0, delayMs);
    return this.#settle(
      async () => (await this.#member.hold(this.#claim, forMs, attempts)) !== undefined,
    );
  }

  /** Runs `how` unless the delivery is settled; one that failed leaves it as it was. */
  #settle(how: () => Promise<boolean>): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#settled) return false;
      const took = await how();
      this.#settled = true;
      return took;
    });
  }

  /** One after another: a renewal in flight changes the token that the next call must show. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const first = this.#firstDone;
    this.#firstDone = undefined;
    if (first)
      this.#before = first.then(
        () => (this.#settled = true),
        () => undefined,
      );
    const turn = this.#before ? this.#before.then(work) : work();
    this.#before = turn.catch(() => undefined);
    return turn;
  }
}
