import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWarmFile } from '../../src/compose-warm.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { Insight } from '../../src/model/insight.ts';
import { type RecallPorts, recall as recallFor } from '../../src/recall/recall.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  percentile,
} from '../harness.ts';
import { USER, hotPorts, openAsker, words } from '../recall/asker.ts';
import { loadEarlier } from '../recall/earlier.ts';

const QUERY_WORDS = 4;
const TIMES = 200;

/** So that nothing is left out: how long it takes is what is measured. Who asks waits half a second by default. */
const DEADLINE_MS = MINUTE_MS;
const USUAL_DEADLINE_MS = 500;

const p50: Head = { name: 'three-tier recall, 10,000 earlier messages, p50', unit: 'ms' };
const p99: Head = { name: 'three-tier recall, 10,000 earlier messages, p99', unit: 'ms' };

/** What a model is told out of all tiers, for a user with 10,000 messages in a file of warm that holds others', too. */
export const recall: Series = {
  name: 'three-tier recall',
  sessions: 10_000,
  of: 'warm messages',
  growth: [10_000, 100_000, 1_000_000],
  apart: false,
  figures: [p50, p99],
  measure,
};

async function measure({ config, sessions }: Bench): Promise<ReadonlyMap<string, Sample>> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(folder, { recursive: true }));
  const hot = await openAsker(config);
  opened.defer(() => hot.close());
  const file = join(folder, 'warm.sqlite');
  const own = await loadEarlier(file, sessions, hot.clock.now());
  const warm = await openWarmFile(file, hot.clock);
  opened.defer(() => warm.close());
  const times = await timeAll({ ...hotPorts(hot), warm, cold: insights(hot.clock.now()) });
  const late = times.filter((ms) => ms > USUAL_DEADLINE_MS).length;
  const note = `${times.length} recalls of 2,700 tokens for a user with ${own.toLocaleString('en')} of the messages, ${late} of them took over ${USUAL_DEADLINE_MS} ms`;
  return new Map([
    [p50.name, { value: percentile(times, 0.5), note }],
    [p99.name, { value: percentile(times, 0.99), note }],
  ]);
}

async function timeAll(ports: RecallPorts): Promise<number[]> {
  const random = new SeededRandom(3);
  const times: number[] = [];
  for (let n = 0; n < TIMES; n += 1) {
    const request = { query: words(random, QUERY_WORDS), deadlineMs: DEADLINE_MS };
    const startedAt = performance.now();
    const { relevant, insights: learned, dropped } = await recallFor(USER, request, ports);
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
