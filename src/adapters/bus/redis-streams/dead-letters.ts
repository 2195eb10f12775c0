import { decodeEvent } from '../../../model/decode-event.ts';
import type { DeadLetter } from '../../../ports/bus.ts';
import type { BusConnection } from './connection.ts';
import { type RawEntry, fieldOf } from './entry.ts';
import type { GroupKeys } from './keys.ts';
import { LuaScript } from './lua-script.ts';

const REPLAY = new LuaScript('replay-3');

/** Letters that one script call moves, each of the size of an event. */
const AT_ONCE = 100;

/** What else is no id of a stream, and Redis takes it for an error. */
const ID = /^\d{1,20}-\d{1,20}$/;

/** The dead letters of one consumer group. */
export class DeadLetters {
  readonly #connection: BusConnection;
  readonly #keys: GroupKeys;

  constructor(connection: BusConnection, keys: GroupKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Oldest first. @param from this one at the earliest */
  async list(limit: number, from = '-'): Promise<DeadLetter[]> {
    if (from !== '-' && !ID.test(from)) return [];
    const entries = await this.#connection.call('XRANGE', [
      this.#keys.dead,
      from,
      '+',
      'COUNT',
      limit,
    ]);
    return (entries as RawEntry[]).map(([id, fields]) => toDeadLetter(id, fields ?? []));
  }

  /** @returns how many of them there were */
  async replay(ids: readonly string[]): Promise<number> {
    const { held, bodies, dead } = this.#keys;
    const known = ids.filter((id) => ID.test(id));
    let replayed = 0;
    for (let at = 0; at < known.length; at += AT_ONCE) {
      const some = known.slice(at, at + AT_ONCE);
      replayed += Number(await this.#connection.run(REPLAY, [held, bodies, dead], some));
    }
    return replayed;
  }

  /** All that are there now: what fails again meanwhile is not tried once more. */
  async replayAll(): Promise<number> {
    const [latest] = (await this.#connection.call('XREVRANGE', [
      this.#keys.dead,
      '+',
      '-',
      'COUNT',
      1,
    ])) as RawEntry[];
    if (!latest) return 0;
    for (let replayed = 0; ; ) {
      const page = (await this.#connection.call('XRANGE', [
        this.#keys.dead,
        '-',
        latest[0],
        'COUNT',
        AT_ONCE,
      ])) as RawEntry[];
      if (page.length === 0) return replayed;
      replayed += await this.replay(page.map(([id]) => id));
    }
  }

  /** @returns how many of them there were */
  async drop(ids: readonly string[]): Promise<number> {
    const known = ids.filter((id) => ID.test(id));
    if (known.length === 0) return 0;
    return Number(await this.#connection.call('XDEL', [this.#keys.dead, ...known]));
  }
}

function toDeadLetter(id: string, fields: readonly string[]): DeadLetter {
  const body = fieldOf(fields, 'event') ?? '';
  return {
    id,
    event: decodeEvent(body),
    body,
    reason: fieldOf(fields, 'reason') ?? '',
    attempts: Number(fieldOf(fields, 'attempts') ?? 0),
    at: Number(id.slice(0, id.indexOf('-'))),
  };
}
