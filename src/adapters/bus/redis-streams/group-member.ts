import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BusConnection } from './connection.ts';
import type { GroupKeys } from './keys.ts';
import { LuaScript } from './lua-script.ts';

const JOIN = new LuaScript('join-1');
const LEAVE = new LuaScript('leave-1');
const TAKE = new LuaScript('take-4');
const DONE = new LuaScript('done-3');
const HOLD = new LuaScript('hold-3');
const DEAD_LETTER = new LuaScript('dead-letter-4');

/** A member that had nothing in hand and gave no sign of life for so long is forgotten; a live one gives some each second. */
const FORGET_MEMBER_MS = 3_600_000;

/** Lua hands at most some 8,000 values to one command. */
const DONE_AT_ONCE = 1_000;

/** A delivery as the store knows it. */
export interface Claim {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  /** Identifies a later delivery; '' for a first one, which Redis lists as pending for the member. */
  readonly token: string;
}

interface Taken {
  readonly claims: readonly Claim[];
  /** In how many ms the next held entry comes due; undefined: none is held. */
  readonly nextInMs: number | undefined;
  /** How many had used up their deliveries and went to the dead letters. */
  readonly putAside: number;
}

/** What one member of a consumer group does to the group's records: one script each. */
export class GroupMember {
  readonly keys: GroupKeys;
  readonly group: string;
  readonly name: string;
  /** When the next entry that this member put off since its last `take` comes due, on the monotonic clock. */
  #dueAt = Infinity;
  readonly #connection: BusConnection;
  #done: string[] = [];
  #settling: Promise<void> | undefined;

  constructor(connection: BusConnection, keys: GroupKeys, group: string, name: string) {
    this.#connection = connection;
    this.keys = keys;
    this.group = group;
    this.name = name;
  }

  /** In how many ms something may come due that this member knows of. */
  get dueInMs(): number {
    return Math.max(0, this.#dueAt - performance.now());
  }

  async join(): Promise<void> {
    await this.#connection.run(JOIN, [this.keys.stream], [this.group, FORGET_MEMBER_MS]);
  }

  async leave(): Promise<void> {
    await this.#connection.run(LEAVE, [this.keys.stream], [this.group, this.name]);
  }

  /** Takes up to `limit` deliveries that nobody has in hand: retries that are due, and those of members that died. */
  async take(limit: number, claimMs: number, maxDeliveries: number): Promise<Taken> {
    this.#dueAt = Infinity;
    const reply = (await this.#connection.run(TAKE, this.#four(), [
      this.group,
      claimMs,
      maxDeliveries,
      limit,
    ])) as readonly (string | number)[];
    const claims: Claim[] = [];
    for (let i = 3; i + 3 < reply.length; i += 4) {
      claims.push({
        id: String(reply[i]),
        attempt: Number(reply[i + 1]),
        token: String(reply[i + 2]),
        body: String(reply[i + 3]),
      });
    }
    const [nowMs, nextAt, putAside] = [Number(reply[0]), Number(reply[1]), Number(reply[2])];
    return { claims, nextInMs: nextAt < 0 ? undefined : Math.max(0, nextAt - nowMs), putAside };
  }

  /** Settles an entry; those of one turn of the event loop go in one call. */
  done(id: string): Promise<void> {
    this.#done.push(id);
    this.#settling ??= nextTurn().then(() => {
      const ids = this.#done;
      this.#done = [];
      this.#settling = undefined;
      return this.doneAll(ids);
    });
    return this.#settling;
  }

  async doneAll(ids: readonly string[]): Promise<void> {
    const { stream, held, bodies } = this.keys;
    for (let i = 0; i < ids.length; i += DONE_AT_ONCE) {
      const some = ids.slice(i, i + DONE_AT_ONCE);
      await this.#connection.run(DONE, [stream, held, bodies], [this.group, ...some]);
    }
  }

  /**
   * Holds the entry for `forMs`; after that anybody may take it.
   * @param attempts how many deliveries count so far
   * @returns the claim's new token, or undefined if it is not this member's any more
   */
  async hold(claim: Claim, forMs: number, attempts: number): Promise<string | undefined> {
    const { stream, held, bodies } = this.keys;
    const token = await this.#connection.run(
      HOLD,
      [stream, held, bodies],
      [this.group, this.name, claim.id, claim.token, Math.round(forMs), attempts, claim.body],
    );
    if (token === '') return undefined;
    this.#dueAt = Math.min(this.#dueAt, performance.now() + forMs);
    return String(token);
  }

  /** @returns false if the claim is not this member's any more */
  async deadLetter(claim: Claim, reason: string): Promise<boolean> {
    const put = await this.#connection.run(DEAD_LETTER, this.#four(), [
      this.group,
      this.name,
      claim.id,
      claim.token,
      claim.body,
      reason,
      claim.attempt,
    ]);
    return Number(put) === 1;
  }

  #four(): readonly string[] {
    return [this.keys.stream, this.keys.held, this.keys.bodies, this.keys.dead];
  }
}
