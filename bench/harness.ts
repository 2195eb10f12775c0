import type { JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { type PrivateRedis, startPrivateRedis } from '../src/cli/private-redis.ts';
import { type Config, loadConfig } from '../src/config.ts';
import { MINUTE_MS } from '../src/model/duration.ts';
import type { Row } from './report.ts';

/** What a figure is called, and what it must reach. */
export interface Head {
  readonly name: string;
  readonly unit: string;
  /** In words; undefined: the figure is told and not judged. */
  readonly target?: string;
  /** Judges the medians; there is one exactly where there is a target. Without a peer `peer` is NaN. */
  readonly met?: (ours: number, peer: number) => boolean;
}

/**
 * A figure to measure: `ours` and `peer` run in turn, so that a machine that drifts drifts for both. Figures with the
 * same `ours` share its runs, each with its own peer.
 */
export interface Figure extends Head {
  readonly ours: Measure;
  /** Undefined: nobody else does it. */
  readonly peer?: Measure;
}

/** A measurement that gives several figures. */
export interface Series {
  readonly name: string;
  readonly figures: readonly Head[];
  /** How many sessions it is about, unless the caller says otherwise. */
  readonly sessions: number;
  /** What is counted in the place of sessions. */
  readonly of?: string;
  /** Numbers that show how its figures grow; undefined: it is not measured for that. */
  readonly growth?: readonly number[];
  /** From so many on a run takes minutes, and one does for five of the smaller; a million by default. */
  readonly many?: number;
  /** Takes minutes: measured only when it is asked for. */
  readonly apart: boolean;
  /** Why it cannot be measured here, in words; undefined: it can. Asked before anything is measured. */
  readonly lacks?: () => string | undefined;
  /** @returns a figure for each name */
  readonly measure: (bench: Bench) => Promise<ReadonlyMap<string, Sample>>;
}

/** Rejects where the work was not done: then there is no figure. */
export type Measure = (bench: Bench) => Promise<number>;

/** One figure of one run. */
export interface Sample {
  readonly value: number;
  /** Measured in the same run, in turn; in all runs or in none. */
  readonly peer?: number;
  readonly note?: string;
}

/** What one measurement has: a Redis of its own and settings that point to it. */
export interface Bench {
  readonly redis: Redis;
  readonly server: PrivateRedis;
  readonly config: Config;
  /** Watched sessions, as the caller asked. */
  readonly sessions: number;
}

export interface Terms {
  readonly sessions: number;
  readonly runs: number;
  /** Told of each figure as it is measured. */
  readonly onSample: (text: string) => void;
}

/** Measures figures that share `ours`. */
export async function measureFigures(
  figures: readonly [Figure, ...Figure[]],
  { sessions, runs, onSample }: Terms,
): Promise<Row[]> {
  const ours: Sample[] = [];
  const peers = figures.map((): number[] => []);
  const tell = (run: number, { name, unit }: Figure, who: string, value: number): void => {
    onSample(`${name}: run ${run} of ${runs}: ${who} ${value.toPrecision(4)} ${unit}`);
  };
  for (let run = 1; run <= runs; run += 1) {
    const value = await onFreshRedis(figures[0].ours, sessions);
    ours.push({ value });
    tell(run, figures[0], 'ours', value);
    for (const [index, figure] of figures.entries()) {
      if (!figure.peer) continue;
      const other = await onFreshRedis(figure.peer, sessions);
      peers[index]?.push(other);
      tell(run, figure, 'peer', other);
    }
  }
  return figures.map((figure, index) => rowOf(figure, ours, peers[index] ?? [], sessions));
}

export async function measureSeries(
  { name, figures, measure, of }: Series,
  { sessions, runs, onSample }: Terms,
): Promise<Row[]> {
  const samples = figures.map((): Sample[] => []);
  for (let run = 1; run <= runs; run += 1) {
    const measured = await onFreshRedis(measure, sessions);
    for (const [index, figure] of figures.entries()) {
      const sample = measured.get(figure.name);
      if (!sample) throw new Error(`${name} did not measure "${figure.name}"`);
      samples[index]?.push(sample);
      onSample(
        `${figure.name}: run ${run} of ${runs}: ${sample.value.toPrecision(4)} ${figure.unit}${sample.peer === undefined ? '' : `, peer ${sample.peer.toPrecision(4)}`}${sample.note === undefined ? '' : ` (${sample.note})`}`,
      );
    }
  }
  return figures.map((figure, index) => {
    const own = samples[index] ?? [];
    const row = rowOf(figure, own, peersOf(figure, own), sessions);
    return of === undefined ? row : { ...row, of };
  });
}

function peersOf({ name }: Head, samples: readonly Sample[]): number[] {
  const peers = samples.flatMap(({ peer }) => (peer === undefined ? [] : [peer]));
  if (peers.length > 0) assertDone(peers.length, samples.length, `runs of "${name}" have a peer`);
  return peers;
}

function rowOf(
  { name, unit, target, met }: Head,
  samples: readonly Sample[],
  peers: readonly number[],
  sessions: number,
): Row {
  const { value: ours, note } = medianOf(samples);
  const peer = peers.length > 0 ? median(peers) : undefined;
  for (const value of [ours, peer])
    if (value !== undefined && !Number.isFinite(value)) throw new Error(`${name}: no figure`);
  return {
    name,
    unit,
    ours: round(ours),
    peer: peer === undefined ? null : round(peer),
    ratio: peer === undefined ? null : round(ours / peer),
    target: target ?? null,
    met: met?.(ours, peer ?? NaN) ?? null,
    sessions,
    runs: samples.length,
    ...(note !== undefined && { note }),
  };
}

async function onFreshRedis<T>(
  measure: (bench: Bench) => Promise<T>,
  sessions: number,
): Promise<T> {
  await using server = await startPrivateRedis({
    // Same durability for both: none, so that the disk is not what is measured.
    config: { save: '', appendonly: 'no', 'notify-keyspace-events': 'Kghl$Ex' },
  });
  const redis = new Redis(server.url);
  try {
    const config = loadConfig({ REDIS_URL: server.url, REKINDLE_BUS_CAP: '10000000' });
    return await measure({ redis, server, config, sessions });
  } finally {
    redis.disconnect();
  }
}

/** The sample in the middle, with its note. */
function medianOf(samples: readonly Sample[]): Sample {
  const sorted = samples.toSorted((one, other) => one.value - other.value);
  return sorted[Math.floor(sorted.length / 2)] ?? { value: NaN };
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** Refuses a figure whose work was not done. */
export function assertDone(done: number, asked: number, what: string): void {
  if (done !== asked) throw new Error(`${done} of ${asked} ${what}`);
}

export async function countKeys(redis: Redis, pattern: string): Promise<number> {
  let count = 0;
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 5_000);
    count += keys.length;
    cursor = next;
  } while (cursor !== '0');
  return count;
}

/** Ids of 12 characters. */
export function userIds(count: number): string[] {
  return Array.from({ length: count }, (_none, index) => `user${String(index).padStart(8, '0')}`);
}

/** Runs `work` for every item, so many in flight at any time: whoever is done takes the next, as in a server. */
export async function inFlight<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  const rest = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of rest) await work(item, index);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
}

/** How a BullMQ user watches for inactivity: one delayed job a session, which each touch puts off. */
export function debounced(user: string): JobsOptions {
  const delay = 30 * MINUTE_MS;
  return { delay, deduplication: { id: user, ttl: delay, extend: true, replace: true } };
}

export async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

/** Per second. */
export function rate(count: number, startedAt: number): number {
  return (count / (performance.now() - startedAt)) * 1_000;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
