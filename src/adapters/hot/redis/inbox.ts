import type { Redis } from 'ioredis';
import type { Arrival, Begun, Ended, Entry, Hold, Inbox } from '../../../ports/inbox.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

const beginScript = new Script<Begun[]>('inbox-begin.lua');
const endScript = new Script<number[]>('inbox-end.lua');
const renewScript = new Script<number[]>('inbox-renew.lua');

/** How many one script call takes: bounds how long Redis is busy, and what Lua hands to one MGET. */
const AT_ONCE = 500;

export interface RedisInboxOptions {
  /** How long a subject is remembered of which nothing is heard: as long as an event may be repeated. */
  readonly retentionMs: number;
}

/** The inbox as a text per subject, so that an erasure is one DEL, with a line per group and source: inbox-record.lua. */
export class RedisInbox implements Inbox {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #retentionMs: number;

  constructor(redis: Redis, keys: Keys, options: RedisInboxOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#retentionMs = options.retentionMs;
  }

  begin(group: string, arrivals: readonly Arrival[], hold: Hold): Promise<Begun[]> {
    const { now, holdMs, token } = hold;
    return this.#inRuns(group, arrivals, (whose, run) => {
      const keys = [this.#keys.tombstones];
      const args: (string | number)[] = [now, now + holdMs, token, this.#retentionMs, whose];
      for (const { subject, id, sequence, fact, at, user } of run) {
        keys.push(this.#keys.inbox(subject));
        // Nobody knows when: as if it were from before any erasure.
        const who = user === undefined ? '' : `${Number.isFinite(at) ? at : 0} ${user}`;
        args.push(wordOf(id), fact ? '' : wordOf(sequence), who);
      }
      return beginScript.run(this.#redis, keys, args);
    });
  }

  async end(group: string, ended: readonly Ended[], token: string): Promise<boolean[]> {
    const answers = await this.#inRuns(group, ended, (whose, run) => {
      const args = [token, whose];
      for (const { outcome, id } of run) args.push(outcome, wordOf(id));
      return endScript.run(this.#redis, this.#of(run), args);
    });
    return areOwn(answers);
  }

  async renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]> {
    const { now, holdMs, token } = hold;
    const answers = await this.#inRuns(group, held, (whose, run) => {
      const args = [
        now + holdMs,
        token,
        this.#retentionMs,
        whose,
        ...run.map(({ id }) => wordOf(id)),
      ];
      return renewScript.run(this.#redis, this.#of(run), args);
    });
    return areOwn(answers);
  }

  #of(entries: readonly Entry[]): string[] {
    return entries.map(({ subject }) => this.#keys.inbox(subject));
  }

  /** A call for each run of one source: nearly always there is one. All are sent before the first is answered. */
  async #inRuns<E extends Entry, Answer>(
    group: string,
    entries: readonly E[],
    call: (whose: string, run: readonly E[]) => Promise<Answer[]>,
  ): Promise<Answer[]> {
    const calls: Promise<Answer[]>[] = [];
    for (let from = 0; from < entries.length; ) {
      const source = entries[from]?.source ?? '';
      let to = from + 1;
      while (to < entries.length && to < from + AT_ONCE && entries[to]?.source === source) to += 1;
      const run = from === 0 && to === entries.length ? entries : entries.slice(from, to);
      calls.push(call(whoseOf(group, source), run));
      from = to;
    }
    const [only] = calls;
    if (only && calls.length === 1) return only;
    return (await Promise.all(calls)).flat();
  }
}

/** No two pairs have the same: how long the group is stands before it. */
function whoseOf(group: string, source: string): string {
  return wordOf(`${group.length}:${group}${source}`);
}

/** A text without white space and commas, which a record is taken apart by; no two texts have the same. */
function wordOf(text: string): string {
  return PLAIN.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

const PLAIN = /^[\w:/.~-]*$/;

function areOwn(answers: readonly number[]): boolean[] {
  return answers.map((own) => own === 1);
}
