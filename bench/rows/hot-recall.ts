import type { Redis } from 'ioredis';
import { SeededRandom } from '../../src/demo/random.ts';
import { type RecallPorts, recall } from '../../src/recall/recall.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  percentile,
  userIds,
} from '../harness.ts';
import { HOT_MESSAGES, USER, hotPorts, openAsker, roleOf, words } from '../recall/asker.ts';

/** Before what is counted: both sides are compiled by then. */
const WARM_UP = 300;
const TIMES = 3_000;

/** Sessions of others that go to Redis in one pipeline. */
const BATCH = 1_000;

const RATIO_MAX = 1.5;

const p50: Head = {
  name: 'hot recall, 10 messages, one client, p50',
  unit: 'ms',
  target: `≤ ${RATIO_MAX} × raw`,
  met: (ours, peer) => ours <= RATIO_MAX * peer,
};
const p99: Head = { name: 'hot recall, 10 messages, one client, p99', unit: 'ms' };

/** What a model is told of a hot session, beside a pipeline of the two commands that read it. */
export const hotRecall: Series = {
  name: 'hot recall',
  sessions: 10_000,
  of: 'sessions of others',
  growth: [10_000, 100_000, 1_000_000],
  apart: false,
  figures: [p50, p99],
  measure,
};

async function measure({ redis, config, sessions }: Bench): Promise<ReadonlyMap<string, Sample>> {
  const hot = await openAsker(config);
  try {
    await loadOthers(redis, sessions, (user) => hot.sessions.keyOf(user));
    const ports = { ...hotPorts(hot), ...NOTHING_BESIDE };
    const { ours, raw } = await timeBoth(redis, hot.sessions.keyOf(USER), ports);
    return new Map([
      [p50.name, { value: percentile(ours, 0.5), peer: percentile(raw, 0.5) }],
      [p99.name, { value: percentile(ours, 0.99), peer: percentile(raw, 0.99) }],
    ]);
  } finally {
    await hot.close();
  }
}

/** Tiers that hold nothing, and answer at once. */
const NOTHING_BESIDE: Pick<RecallPorts, 'warm' | 'cold'> = {
  warm: {
    find: async () => ({ items: [], cursor: undefined }),
    search: async () => [],
    similar: async () => [],
    recalled: async () => undefined,
  },
  cold: undefined,
};

/** As another program writes them; all of them say the same. */
async function loadOthers(
  redis: Redis,
  count: number,
  keyOf: (user: string) => string,
): Promise<void> {
  const random = new SeededRandom(2);
  const messages = Array.from({ length: HOT_MESSAGES }, (_none, n) =>
    JSON.stringify({ role: roleOf(n), content: words(random) }),
  );
  const fields = { active_channel: 'web', language: 'en', last_activity: '1800000000' };
  const users = userIds(count);
  for (let from = 0; from < users.length; from += BATCH) {
    const pipeline = redis.pipeline();
    for (const user of users.slice(from, from + BATCH)) {
      const key = keyOf(user);
      pipeline.hset(key, fields).rpush(`${key}:messages`, ...messages);
    }
    await pipeline.exec();
  }
  // A hash and a list for each, and for the one who asks at the least.
  const keys = await redis.dbsize();
  assertDone(Math.min(keys, 2 * count + 2), 2 * count + 2, 'keys are there');
}

/** Ours and the two commands in turn, so that a machine that drifts drifts for both. */
async function timeBoth(
  redis: Redis,
  key: string,
  ports: RecallPorts,
): Promise<{ readonly ours: number[]; readonly raw: number[] }> {
  const ours: number[] = [];
  const raw: number[] = [];
  for (let n = 0; n < WARM_UP + TIMES; n += 1) {
    const startedAt = performance.now();
    const { immediate } = await recall(USER, {}, ports);
    const recalledAt = performance.now();
    const read = await redis.pipeline().hgetall(key).lrange(`${key}:messages`, 0, -1).exec();
    const readAt = performance.now();
    assertDone(immediate.messages.length, HOT_MESSAGES, 'messages were recalled');
    assertDone((read?.[1]?.[1] as unknown[]).length, HOT_MESSAGES, 'messages were read');
    if (n < WARM_UP) continue;
    ours.push(recalledAt - startedAt);
    raw.push(readAt - recalledAt);
  }
  return { ours, raw };
}
