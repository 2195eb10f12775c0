import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import type { Logger } from '../../../runtime/logger.ts';
import { BusUnavailableError, errorMessage, UsageError } from '../../../model/errors.ts';
import type { AnyEvent } from '../../../model/event.ts';
import type {
  Bus,
  DeadLetter,
  GroupState,
  PublishResult,
  SubscribeOptions,
  Subscription,
} from '../../../ports/bus.ts';
import { BusConnection, callerSettings, readerSettings } from './connection.ts';
import type { ConnectionSettings } from './connection.ts';
import { DeadLetters } from './dead-letters.ts';
import { GroupMember } from './group-member.ts';
import { groupKeys, streamKey } from './keys.ts';
import { LuaScript } from './lua-script.ts';
import { LONGEST_READ_MS, StreamSubscription } from './subscription.ts';

const PUBLISH = new LuaScript('publish-1');
const GROUPS = new LuaScript('groups-1');
const TRIM = new LuaScript('trim-1');

const DEFAULT_CLAIM_MS = 30_000;
const DEFAULT_MAX_DELIVERIES = 5;
const DEFAULT_ANSWER_WITHIN_MS = 5_000;

/**
 * How much one script call appends. 250 events of 800 bytes keep Redis busy for about a millisecond; larger ones are
 * bounded by their size.
 */
const BATCH = { events: 250, characters: 512 * 1_024 };

/** How many entries one script call trims: 2 ms. */
const TRIM_AT_ONCE = 10_000;

export interface RedisStreamsBusOptions {
  /**
   * Opens a connection to the bus's Redis, with `settings` over the caller's own. The bus closes it. It has one for all
   * calls, opened with the first, and one for each subscription.
   */
  readonly connect: (settings: ConnectionSettings) => Redis;
  /** The stream is `<prefix>:events`; all else of the bus is below it. */
  readonly prefix: string;
  /** How many events a consumer group may leave unsettled, its dead letters among them, before publishing pauses. */
  readonly cap: number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** How long the bus may take to answer before it counts as away. Default 5 s. */
  readonly answerWithinMs?: number;
}

/** The event bus on a Redis stream: Redis 6.2 or newer, not clustered. docs/events.md describes what others see of it. */
export class RedisStreamsBus implements Bus {
  readonly #connect: (settings: ConnectionSettings) => Redis;
  readonly #connection: BusConnection;
  readonly #stream: string;
  readonly #cap: number;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  readonly #answerWithinMs: number;
  readonly #subscriptions = new Set<Subscription>();

  constructor(options: RedisStreamsBusOptions) {
    if (!Number.isInteger(options.cap) || options.cap < 1) {
      throw new UsageError(
        `the bus's cap is a whole number of events, 1 or more; got ${options.cap}`,
      );
    }
    this.#connect = options.connect;
    this.#answerWithinMs = options.answerWithinMs ?? DEFAULT_ANSWER_WITHIN_MS;
    this.#connection = new BusConnection(
      options.connect(callerSettings(this.#answerWithinMs)),
      this.#answerWithinMs,
    );
    this.#stream = streamKey(options.prefix);
    this.#cap = options.cap;
    this.#log = options.log;
  }

  async publish(events: readonly AnyEvent[], signal?: AbortSignal): Promise<PublishResult[]> {
    const results: PublishResult[] = [];
    try {
      for (const batch of batches(events)) {
        signal?.throwIfAborted();
        const { appended, refusal } = await this.#append(batch, signal);
        for (let i = 0; i < appended; i += 1) results.push({ durable: true });
        if (refusal) throw refusal;
      }
    } catch (error) {
      if (results.length === 0) throw error;
      const group = error instanceof BusUnavailableError ? error.group : undefined;
      const refused = {
        durable: false,
        retryable: true,
        reason: errorMessage(error),
        group,
      } as const;
      while (results.length < events.length) results.push(refused);
    }
    return results;
  }

  async #append(
    batch: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{ appended: number; refusal?: BusUnavailableError }> {
    const reply = await this.#connection.run(
      PUBLISH,
      [this.#stream],
      [this.#cap, ...batch],
      signal,
    );
    const [outcome, appended, ...rest] = reply as [string, number, ...(string | number)[]];
    if (outcome === 'behind') {
      const [group, behind, dead] = rest;
      return { appended, refusal: this.#tooFarBehind(String(group), Number(behind), Number(dead)) };
    }
    if (outcome === 'nobody') {
      const refusal = new BusUnavailableError(
        `nobody subscribes to the event bus: ${rest[0]} events wait in ${this.#stream}, and the cap is ${this.#cap}`,
      );
      return { appended, refusal };
    }
    // The cap bounds what is unsettled; this bounds what is kept, however seldom somebody calls trim.
    // The batch is durable whatever comes of it.
    if (Number(rest[0]) > this.#cap) await this.trim().catch(() => 0);
    return { appended };
  }

  #tooFarBehind(group: string, behind: number, dead: number): BusUnavailableError {
    const letters = dead > 0 ? ` and keeps ${dead} dead letters` : '';
    return new BusUnavailableError(
      `consumer group "${group}" is ${behind} events behind${letters}; the cap is ${this.#cap}`,
      { group },
    );
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const {
      group,
      types,
      claimMs = DEFAULT_CLAIM_MS,
      maxDeliveries = DEFAULT_MAX_DELIVERIES,
    } = options;
    if (group === '') throw new UsageError('a consumer group needs a name');
    const name = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    const member = new GroupMember(this.#connection, groupKeys(this.#stream, group), group, name);
    await member.join();
    const subscription = new StreamSubscription(
      this.#connect(readerSettings(LONGEST_READ_MS + this.#answerWithinMs)),
      member,
      {
        types,
        claimMs,
        maxDeliveries,
        log: this.#log,
        onClose: () => this.#subscriptions.delete(subscription),
      },
      (readerId) => {
        // If that fails, the read ends by itself a moment later.
        this.#connection.call('CLIENT', ['UNBLOCK', readerId]).catch(() => undefined);
      },
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  deadLetters(group: string, limit: number, from?: string): Promise<DeadLetter[]> {
    return this.#deadLettersOf(group).list(limit, from);
  }

  replay(group: string, ids?: readonly string[]): Promise<number> {
    const letters = this.#deadLettersOf(group);
    return ids ? letters.replay(ids) : letters.replayAll();
  }

  drop(group: string, ids: readonly string[]): Promise<number> {
    return this.#deadLettersOf(group).drop(ids);
  }

  #deadLettersOf(group: string): DeadLetters {
    return new DeadLetters(this.#connection, groupKeys(this.#stream, group));
  }

  async groups(): Promise<readonly GroupState[]> {
    const states = await this.#connection.run(GROUPS, [this.#stream], []);
    return (states as [string, number, number][]).map(([group, behind, deadLetters]) => ({
      group,
      behind,
      deadLetters,
    }));
  }

  async trim(): Promise<number> {
    for (let total = 0; ; ) {
      const removed = Number(await this.#connection.run(TRIM, [this.#stream], [TRIM_AT_ONCE]));
      if (removed === 0) return total;
      total += removed;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    this.#connection.close();
  }
}

/** Cuts events into runs of types and JSON texts in turn, as the script takes them. */
function* batches(events: readonly AnyEvent[]): Generator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const event of events) {
    const json = JSON.stringify(event);
    const full = batch.length >= 2 * BATCH.events || characters + json.length > BATCH.characters;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(event.type, json);
    characters += json.length;
  }
  if (batch.length > 0) yield batch;
}
