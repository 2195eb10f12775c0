import type { Redis } from 'ioredis';
import type { Arrival, Begun, Ended, Entry, Hold, Inbox } from '../../../ports/inbox.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

const beginScript = new Script<string>('inbox-begin.lua');
const endScript = new Script<string>('inbox-end.lua');
const renewScript = new Script<string>('inbox-renew.lua');

/** What inbox-begin.lua says of an event. */
const BEGUN: Readonly<Record<string, Begun>> = {
  n: 'new',
  a: 'again',
  r: 'repeat',
  o: 'overtaken',
  b: 'busy',
  e: 'erased',
  u: 'unreadable',
};

/** How many one script call takes: bounds how long Redis is busy, and what Lua hands to one command. */
const AT_ONCE = 500;

export interface RedisInboxOptions {
  /** How long a subject is remembered of which nothing is heard: as long as an event may be repeated. */
  readonly retentionMs: number;
}

/** The inbox as a text per subject, with a line per group and source: inbox-record.lua. */
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
    const { now, holdMs, token } = hold;
    const keys = [this.#keys.tombstones, this.#keys.inbox];
    const letters = await inRuns(group, arrivals, (whose, run) => {
      const texts: string[] = [];
      for (const { subject, id, sequence, fact, at, user } of run) {
        // Nobody knows when: as if it were from before any erasure.
        const who = user === undefined ? '' : `${Number.isFinite(at) ? at : 0} ${textOf(user)}`;
        texts.push(textOf(subject), wordOf(id), fact ? '' : wordOf(sequence), who);
      }
      const args = [
        now,
        untilText(now + holdMs),
        token,
        this.#retentionMs,
        whose,
        JSON.stringify(texts),
      ];
      return beginScript.run(this.#redis, keys, args);
    });
    return Array.from(letters, (letter) => BEGUN[letter] ?? 'unreadable');
  }

  async end(group: string, ended: readonly Ended[], token: string): Promise<boolean[]> {
    const digits = await inRuns(group, ended, (whose, run) => {
      const texts: string[] = [];
      for (const { subject, outcome, id } of run) texts.push(textOf(subject), outcome, wordOf(id));
      const args = [token, this.#retentionMs, whose, JSON.stringify(texts)];
      return endScript.run(this.#redis, [this.#keys.inbox], args);
    });
    return areOwn(digits);
  }

  async renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]> {
    const { now, holdMs, token } = hold;
    const digits = await inRuns(group, held, (whose, run) => {
      const texts: string[] = [];
      for (const { subject, id } of run) texts.push(textOf(subject), wordOf(id));
      const args = [
        untilText(now + holdMs),
        token,
        this.#retentionMs,
        whose,
        JSON.stringify(texts),
      ];
      return renewScript.run(this.#redis, [this.#keys.inbox], args);
    });
    return areOwn(digits);
  }
}

/** A call for each run of one source: nearly always there is one. All are sent before the first is answered. */
async function inRuns<E extends Entry>(
  group: string,
  entries: readonly E[],
  call: (whose: string, run: readonly E[]) => Promise<string>,
): Promise<string> {
  const calls: Promise<string>[] = [];
  for (let from = 0; from < entries.length; ) {
    const source = entries[from]?.source ?? '';
    let to = from + 1;
    while (to < entries.length && to < from + AT_ONCE && entries[to]?.source === source) to += 1;
    const run = from === 0 && to === entries.length ? entries : entries.slice(from, to);
    calls.push(call(whoseOf(group, source), run));
    from = to;
  }
  return (await Promise.all(calls)).join('');
}

/** All of one length, see inbox-record.lua. */
function untilText(at: number): string {
  return String(at).padStart(16, '0');
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

/** As Redis would be given it by itself: JSON of half a character is refused there. */
function textOf(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

function areOwn(digits: string): boolean[] {
  return Array.from(digits, (digit) => digit === '1');
}
