import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Redis } from 'ioredis';
import { schedulingOf } from './proc.ts';

/** What Redis writes down of its own: a millisecond and more. */
const NOTED_US = 1_000;
const NOTED_MAX = 1_000_000;

/** What no command should take. */
const LIMIT_MS = 5;

/** Name of the connections of the bench itself, whose commands do not count. */
export const OUR_OWN = 'bench';

const ROOT = resolve(import.meta.dirname, '..');

type Entry = [
  id: number,
  at: number,
  microseconds: number,
  args: string[],
  address: string,
  client: string,
];

export interface SlowReport {
  readonly longestMs: number;
  /** Which it was, how many were over the limit, and how long Redis waited for a CPU. */
  readonly note: string;
}

/**
 * Redis' slow log and latency monitor. Both go by the clock on the wall: on a busy machine they count the time for which
 * Redis waited for a CPU, too. How much that was stands in the report.
 */
export class SlowCommands {
  readonly #redis: Redis;
  readonly #pid: number;
  readonly #scripts = scripts();
  #before: ReturnType<typeof schedulingOf>;

  private constructor(redis: Redis, pid: number) {
    this.#redis = redis;
    this.#pid = pid;
    this.#before = schedulingOf(pid);
  }

  static async watch(redis: Redis, pid: number): Promise<SlowCommands> {
    await redis.client('SETNAME', OUR_OWN);
    await redis.config('SET', 'slowlog-log-slower-than', String(NOTED_US));
    await redis.config('SET', 'slowlog-max-len', String(NOTED_MAX));
    await redis.config('SET', 'latency-monitor-threshold', '1');
    const slow = new SlowCommands(redis, pid);
    await slow.restart();
    return slow;
  }

  /** Forgets what was before. */
  async restart(): Promise<void> {
    await this.#redis.slowlog('RESET');
    await this.#redis.call('LATENCY', 'RESET');
    await this.#redis.config('RESETSTAT');
    this.#before = schedulingOf(this.#pid);
  }

  async report(): Promise<SlowReport> {
    const entries = ((await this.#redis.slowlog('GET', NOTED_MAX)) as Entry[])
      .filter(([, , , , , client]) => client !== OUR_OWN)
      .map(([, , microseconds, args]) => ({ ms: microseconds / 1_000, name: this.#nameOf(args) }));
    const longest = entries.reduce((one, other) => (other.ms > one.ms ? other : one), {
      ms: 0,
      name: 'nothing took a millisecond',
    });
    const over = entries.filter(({ ms }) => ms > LIMIT_MS).length;
    const latest = (await this.#redis.call('LATENCY', 'LATEST')) as [
      string,
      number,
      number,
      number,
    ][];
    const events = latest.map(([event, , , maxMs]) => `${event} ${maxMs} ms`).join(', ');
    const { ranMs, waitedMs } = schedulingOf(this.#pid);
    const ran = ranMs - this.#before.ranMs;
    const waited = waitedMs - this.#before.waitedMs;
    const share = ((100 * waited) / (ran + waited)).toFixed(0);
    return {
      longestMs: longest.ms,
      note: `${longest.name}; ${over} of ${await this.#calls()} scripts and scans over ${LIMIT_MS} ms; LATENCY: ${events === '' ? 'nothing' : events}; Redis waited ${share} % of its time for a CPU`,
    };
  }

  #nameOf([command = '', what = '']: readonly string[]): string {
    const name = command.toLowerCase();
    if (name !== 'eval' && name !== 'evalsha') return name;
    // Of a text the slow log keeps the beginning.
    const beginning = what.slice(0, 100);
    const script = this.#scripts.find(
      ({ sha, text }) => sha === what || (name === 'eval' && text.startsWith(beginning)),
    );
    return script?.name ?? 'a script of BullMQ';
  }

  /** Not those that scripts call. */
  async #calls(): Promise<number> {
    const stats = await this.#redis.info('commandstats');
    return [...stats.matchAll(/^cmdstat_(?:evalsha|eval|scan):calls=(\d+)/gm)]
      .map(([, calls]) => Number(calls))
      .reduce((sum, calls) => sum + calls, 0);
  }
}

/** Our scripts by the digest under which Redis knows them; they are put together as src/adapters does it. */
function scripts(): { readonly name: string; readonly sha: string; readonly text: string }[] {
  return globSync('src/adapters/**/lua/*.lua', { cwd: ROOT }).map((file) => {
    const path = join(ROOT, file);
    const text = readFileSync(path, 'utf8').replace(
      /^--@include (\S+)$/gm,
      (_line, included: string) => readFileSync(join(dirname(path), included), 'utf8'),
    );
    return { name: basename(path), sha: createHash('sha1').update(text).digest('hex'), text };
  });
}
