import type { Redis } from 'ioredis';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { RedisRecords } from '../../src/adapters/hot/redis/records.ts';
import { parseSegment } from '../../src/model/conversation.ts';
import { said } from '../../src/model/said.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import type { Message } from '../../src/model/message.ts';
import type { SessionRef } from '../../src/model/session-names.ts';
import type { SessionRecords } from '../../src/ports/records.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { ColdStore } from '../../src/ports/cold.ts';
import type { Summarizer } from '../../src/ports/summarizer.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { type CompactPorts, Compactor } from '../../src/tiers/compact.ts';
import { type DemotePorts, Demoter } from '../../src/tiers/demote.ts';
import { parseTranscript } from '../../src/tiers/cold-records.ts';
import { Promoter } from '../../src/tiers/promote.ts';
import type { FakeBus } from './fake-bus.ts';
import { LookWorld } from './look-world.ts';
import { MemoryCold } from './memory-cold.ts';
import { PlainSummarizer } from './plain-summarizer.ts';
import { redisHot } from './redis-hot.ts';
import type { TestRedis } from './redis-server.ts';
import { HOT_DEFAULTS } from './hot-options.ts';

export const HOT_TTL_MS = DAY_MS;
export const WARM_AGE_MS = 7 * DAY_MS;

export interface TierWorldOptions {
  readonly window?: number;
  /** Of the warm tier in SQLite; default: none, it is in memory. */
  readonly file?: string;
  readonly template?: string;
  /** Another warm tier. */
  readonly warm?: (clock: Clock) => WarmStore;
  /** Another cold tier; default: in memory. */
  readonly cold?: (clock: Clock) => ColdStore;
}

/** The hot tier on a real Redis, warm in a file or in memory, and whoever moves sessions between them. */
export class TierWorld extends LookWorld implements AsyncDisposable {
  readonly client: Redis;
  readonly warm: WarmStore;
  readonly cold: ColdStore;
  readonly summarizer: Summarizer = new PlainSummarizer();
  readonly records: SessionRecords;
  readonly demoter: Demoter;
  readonly promoter: Promoter;

  constructor(
    redis: Pick<TestRedis, 'client' | 'prefix'>,
    {
      window = 3,
      file = ':memory:',
      template = HOT_DEFAULTS.template,
      warm = (clock) => new SqliteWarm(file, clock),
      cold = (clock) => new MemoryCold(clock),
    }: TierWorldOptions = {},
  ) {
    const client = redis.client();
    const hot = redisHot({ client: () => client }, { prefix: redis.prefix, window, template });
    super(hot, { hotTtlMs: HOT_TTL_MS });
    this.client = client;
    this.warm = warm(this.clock);
    this.cold = cold(this.clock);
    this.records = new RedisRecords(client, hot.keys, { ...HOT_DEFAULTS, window });
    this.demoter = this.newDemoter();
    this.promoter = this.newPromoter();
  }

  newDemoter(wrap: (ports: DemotePorts) => DemotePorts = (ports) => ports): Demoter {
    return new Demoter(wrap(this.tierPorts), { hotTtlMs: HOT_TTL_MS, warmTtlMs: undefined });
  }

  newPromoter(wrap: (ports: DemotePorts) => DemotePorts = (ports) => ports): Promoter {
    const settings = { windowMessages: 3, hotTtlMs: HOT_TTL_MS };
    return new Promoter(wrap(this.tierPorts), this.newDemoter(wrap), settings);
  }

  newCompactor(wrap: (ports: CompactPorts) => CompactPorts = (ports) => ports): Compactor {
    const { tierPorts, summarizer } = this;
    const settings = { warmAgeMs: WARM_AGE_MS, warmTtlMs: undefined };
    return new Compactor(wrap({ ...tierPorts, summarizer }), settings);
  }

  get tierPorts(): DemotePorts & { readonly cold: ColdStore; readonly bus: FakeBus } {
    const { clock, records, warm, cold, bus } = this;
    return { clock, records, warm, cold, bus, agenda: this.hot.agenda };
  }

  /** Looks are made when they are due, and what they queue is done at once. */
  async liveUntil(at: number): Promise<void> {
    for (;;) {
      const { users, nextDueAt } = await this.looker.lookOnce();
      for (const user of this.demotions.splice(0)) await this.demoter.demote(user);
      if (users > 0) continue;
      if (nextDueAt === undefined || nextDueAt > at) break;
      this.clock.jumpTo(Math.max(nextDueAt, this.now));
    }
    this.clock.jumpTo(Math.max(at, this.now));
  }

  async says(session: SessionRef, id: string, message: Partial<Message> = {}): Promise<void> {
    await this.library.appendMessage(session, {
      role: 'user',
      content: `says ${id}`,
      id,
      ...message,
    });
  }

  /** What another program puts into the list. */
  async pushes(user: string, ...texts: string[]): Promise<void> {
    await this.hot.raw.rpush(this.hot.keys.messages(user), ...texts);
  }

  /** The messages that warm holds, in their order, as the texts that were said. */
  async inWarm(user: string): Promise<string[]> {
    const page = await this.warm.find(user, { memoryType: 'segment' }, 'step', { limit: 1_000 });
    return page.items.flatMap(({ entry }) =>
      parseSegment(entry).messages.map(({ message, raw }) => message.id ?? raw),
    );
  }

  /** The same, byte for byte. */
  async rawsInWarm(user: string): Promise<string[]> {
    const page = await this.warm.find(user, { memoryType: 'segment' }, 'step', { limit: 1_000 });
    return page.items.flatMap(({ entry }) => parseSegment(entry).messages.map(({ raw }) => raw));
  }

  /** The messages that cold holds, conversation by conversation in the order of their names, byte for byte. */
  async inCold(user: string): Promise<string[][]> {
    const { cold } = this;
    const names = await cold.names(user, 'transcripts', { limit: 1_000 });
    return Promise.all(
      names.map(async (name) => {
        const text = (await cold.get(user, 'transcripts', name)) ?? '';
        return parseTranscript(name, text).messages.map(({ raw }) => raw);
      }),
    );
  }

  async inHot(user: string): Promise<string[]> {
    const { raw, keys } = this.hot;
    const texts = [
      ...(await raw.lrange(keys.overflow(user))),
      ...(await raw.lrange(keys.messages(user))),
    ];
    return texts.map((text) => said(text).message.id ?? text);
  }

  async headers(user: string): Promise<readonly Record<string, unknown>[]> {
    const page = await this.warm.find(user, { memoryType: 'session' }, 'oldest', { limit: 1_000 });
    return page.items.map(({ entry }) => ({ ...entry.attributes }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.warm.close();
  }
}
