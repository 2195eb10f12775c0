import type { Redis } from 'ioredis';
import type { Arrival, Begun, Ended, Entry, Hold, Inbox } from '../../../ports/inbox.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

const beginScript = new Script<Begun[]>('inbox-begin.lua');
const endScript = new Script<number[]>('inbox-end.lua');
const renewScript = new Script<number[]>('inbox-renew.lua');

export interface RedisInboxOptions {
  /** How long a subject is remembered of which nothing is heard: as long as an event may be repeated. */
  readonly retentionMs: number;
}

/** The inbox as a hash per subject, so that an erasure is one DEL, with a field per group and source. */
export class RedisInbox implements Inbox {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #retentionMs: number;

  constructor(redis: Redis, keys: Keys, options: RedisInboxOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#retentionMs = options.retentionMs;
  }

  async begin(group: string, arrivals: readonly Arrival[], hold: Hold): Promise<Begun[]> {
    if (arrivals.length === 0) return [];
    const { now, holdMs, token } = hold;
    const args: (string | number)[] = [now, now + holdMs, token, this.#retentionMs];
    for (const arrival of arrivals) {
      // Nobody knows when: as if it were from before any erasure.
      const at = Number.isFinite(arrival.at) ? arrival.at : 0;
      args.push(fieldOf(group, arrival), arrival.id, arrival.sequence, at, arrival.user ?? '');
    }
    return beginScript.run(this.#redis, [this.#keys.tombstones, ...this.#of(arrivals)], args);
  }

  async end(group: string, ended: readonly Ended[], token: string): Promise<boolean[]> {
    if (ended.length === 0) return [];
    const args: (string | number)[] = [token];
    for (const one of ended) args.push(fieldOf(group, one), one.id, one.outcome);
    return areOwn(await endScript.run(this.#redis, this.#of(ended), args));
  }

  async renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]> {
    if (held.length === 0) return [];
    const { now, holdMs, token } = hold;
    const args: (string | number)[] = [now + holdMs, token, this.#retentionMs];
    for (const one of held) args.push(fieldOf(group, one), one.id);
    return areOwn(await renewScript.run(this.#redis, this.#of(held), args));
  }

  #of(entries: readonly Entry[]): string[] {
    return entries.map(({ subject }) => this.#keys.inbox(subject));
  }
}

/** No two pairs have the same: how long the group is stands before it. */
function fieldOf(group: string, { source }: Entry): string {
  return `${group.length}:${group}${source}`;
}

function areOwn(answers: readonly number[]): boolean[] {
  return answers.map((own) => own === 1);
}
