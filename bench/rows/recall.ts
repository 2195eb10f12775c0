import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { Redis } from 'ioredis';
import { Activity } from '../../src/abandonment/activity.ts';
import { ThreadedWarm } from '../../src/adapters/warm/sqlite/threaded-warm.ts';
import { openHot } from '../../src/compose.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { type Segment, appended, segmentEntry } from '../../src/model/conversation.ts';
import type { Insight } from '../../src/model/insight.ts';
import { said } from '../../src/model/said.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { type RecallPorts, recall as recallFor } from '../../src/recall/recall.ts';
import { remembered } from '../../src/recall/remembered.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  percentile,
} from '../harness.ts';
import { wordAt } from '../warm/load.ts';

const USER = 'the-one-who-asks';
const HOT_MESSAGES = 10;
const WARM_MESSAGES = 10_000;
const SESSION_MESSAGES = 40;
const MESSAGE_WORDS = 20;
const QUERY_WORDS = 4;

/** Before what is counted: both sides are compiled by then. */
const WARM_UP = 300;
const HOT_TIMES = 3_000;
const THREE_TIER_TIMES = 200;

const RATIO_MAX = 1.5;

const hotP50: Head = {
  name: 'hot recall, 10 messages, one client, p50',
  unit: 'ms',
  target: `≤ ${RATIO_MAX} × raw`,
  met: (ours, peer) => ours <= RATIO_MAX * peer,
};
const hotP99: Head = { name: 'hot recall, 10 messages, one client, p99', unit: 'ms' };
const allP50: Head = { name: 'three-tier recall, 10,000 earlier messages, p50', unit: 'ms' };
const allP99: Head = { name: 'three-tier recall, 10,000 earlier messages, p99', unit: 'ms' };

/** What a model is told, beside a pipeline of the two commands that read a session and its messages. */
export const recall: Series = {
  name: 'recall',
  sessions: WARM_MESSAGES,
  of: 'warm messages',
  apart: false,
  figures: [hotP50, hotP99, allP50, allP99],
  measure,
};

async function measure({ redis, config, sessions }: Bench): Promise<ReadonlyMap<string, Sample>> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(folder, { recursive: true }));
  const hot = await openHot(config);
  opened.defer(() => hot.close());
  const warm = await ThreadedWarm.open(join(folder, 'warm.sqlite'), hot.clock);
  opened.defer(() => warm.close());
  const random = new SeededRandom(1);
  const limits = { hotTtlMs: config.hotTtlMs, maxCart: config.maxCartBytes };
  const library = new Activity(hot.sessions, hot.clock, limits, countTokens);
  for (let n = 0; n < HOT_MESSAGES; n += 1)
    await library.appendMessage(USER, { id: `hot-${n}`, role: roleOf(n), content: text(random) });
  await library.updateCart(USER, [{ product_id: 'sneaker', size: '42', price: 89.9 }]);
  // As the library counts.
  const ports = {
    clock: hot.clock,
    records: hot.records,
    countTokens: remembered(countTokens),
  };
  const alone = await timeHot(redis, hot.sessions.keyOf(USER), { ...ports, ...NOTHING_BESIDE });
  await load(warm, sessions, hot.clock.now(), random);
  const all = await timeAll({ ...ports, warm, cold: insights(hot.clock.now()) }, random);
  const note = `${all.length} recalls of 2,700 tokens`;
  return new Map<string, Sample>([
    [hotP50.name, { value: percentile(alone.ours, 0.5), peer: percentile(alone.raw, 0.5) }],
    [hotP99.name, { value: percentile(alone.ours, 0.99), peer: percentile(alone.raw, 0.99) }],
    [allP50.name, { value: percentile(all, 0.5), note }],
    [allP99.name, { value: percentile(all, 0.99), note }],
  ]);
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

/** Ours and the two commands in turn, so that a machine that drifts drifts for both. */
async function timeHot(
  redis: Redis,
  key: string,
  ports: RecallPorts,
): Promise<{ readonly ours: number[]; readonly raw: number[] }> {
  const ours: number[] = [];
  const raw: number[] = [];
  for (let n = 0; n < WARM_UP + HOT_TIMES; n += 1) {
    const startedAt = performance.now();
    const { immediate } = await recallFor(USER, {}, ports);
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

async function timeAll(ports: RecallPorts, random: SeededRandom): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < THREE_TIER_TIMES; n += 1) {
    const query = text(random, QUERY_WORDS);
    const startedAt = performance.now();
    const { relevant, insights: learned, dropped } = await recallFor(USER, { query }, ports);
    times.push(performance.now() - startedAt);
    const away = dropped.filter(({ reason }) => reason === 'deadline' || reason === 'unavailable');
    assertDone(away.length, 0, 'tiers were away');
    assertDone(
      Math.min(1, relevant.length) + Math.min(1, learned.length),
      2,
      'tiers gave anything',
    );
  }
  return times;
}

/** Sessions of 40 messages, a minute apart. */
async function load(
  warm: WarmStore,
  messages: number,
  now: number,
  random: SeededRandom,
): Promise<void> {
  let last: Segment | undefined;
  for (let from = 0; from < messages; from += SESSION_MESSAGES) {
    const count = Math.min(SESSION_MESSAGES, messages - from);
    const texts = Array.from({ length: count }, (_none, place) => {
      const at = now - (messages - from - place) * MINUTE_MS;
      const id = `warm-${from + place}`;
      return said(JSON.stringify({ id, role: roleOf(place), content: text(random), at }));
    });
    const epoch = now - (messages - from) * MINUTE_MS;
    const segments = appended({ user: USER }, epoch, last, last?.number ?? 0, texts);
    const writes = segments.map((segment) => ({ entry: segmentEntry(segment, {}, now) }));
    const results = await warm.put(USER, writes, { together: true });
    const written = results.filter(({ outcome }) => outcome === 'written').length;
    assertDone(written, writes.length, 'segments were written');
    last = segments.at(-1);
  }
}

function roleOf(place: number): string {
  return place % 2 === 0 ? 'user' : 'assistant';
}

function text(random: SeededRandom, words = MESSAGE_WORDS): string {
  return Array.from({ length: words }, () => wordAt(random.next())).join(' ');
}

/** As many as a user may have. */
function insights(at: number): RecallPorts['cold'] {
  const all = Array.from(
    { length: 30 },
    (_none, n): Insight => ({
      id: String(n),
      kind: 'preference',
      text: `prefers the ${n}th of all colours`,
      sources: [],
      conversations: ['one'],
      firstAt: at,
      lastAt: at,
    }),
  );
  const current = { text: JSON.stringify({ insights: all }), version: '1' };
  return { current: async () => current };
}
