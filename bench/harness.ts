import { cpus } from 'node:os';
import type { JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { type PrivateRedis, startPrivateRedis } from '../src/cli/private-redis.ts';
import { type Config, loadConfig } from '../src/config.ts';
import { MINUTE_MS } from '../src/model/duration.ts';

/** One line of the table: a contract, for programs read it. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** Medians. */
  readonly ours: number;
  readonly peer: number;
  /** Ours over the peer's. */
  readonly ratio: number;
  /** In words. */
  readonly target: string;
  readonly met: boolean;
}

/** A figure to measure: `ours` and `peer` run in turn, so that a machine that drifts drifts for both. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly target: string;
  readonly ours: Measure;
  readonly peer: Measure;
  readonly met: (ours: number, peer: number) => boolean;
}

export type Measure = (bench: Bench) => Promise<number>;

/** What one measurement has: a Redis of its own and settings that point to it. */
export interface Bench {
  readonly redis: Redis;
  readonly server: PrivateRedis;
  readonly config: Config;
  /** Watched sessions, as the caller asked. */
  readonly sessions: number;
}

/** No figure depends on a single run. */
const RUNS = 5;

export async function measureFigure(
  figure: Figure,
  sessions: number,
  onRun: (run: number, ours: number, peer: number) => void,
): Promise<Row> {
  const ours: number[] = [];
  const peer: number[] = [];
  for (let run = 1; run <= RUNS; run += 1) {
    ours.push(await onFreshRedis(figure.ours, sessions));
    peer.push(await onFreshRedis(figure.peer, sessions));
    onRun(run, ours.at(-1) ?? NaN, peer.at(-1) ?? NaN);
  }
  const row = { ours: median(ours), peer: median(peer) };
  return {
    name: figure.name,
    unit: figure.unit,
    ours: round(row.ours),
    peer: round(row.peer),
    ratio: round(row.ours / row.peer),
    target: figure.target,
    met: figure.met(row.ours, row.peer),
  };
}

async function onFreshRedis(measure: Measure, sessions: number): Promise<number> {
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

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function machine(): string {
  const [first] = cpus();
  return `${String(cpus().length)} × ${first?.model ?? 'unknown'}, Node ${process.version}`;
}

/** Ids of 12 characters. */
export function userIds(count: number): string[] {
  return Array.from({ length: count }, (_none, index) => `user${String(index).padStart(8, '0')}`);
}

/** Runs `work` for every item, so many at a time. */
export async function inChunks<T>(
  items: readonly T[],
  size: number,
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < items.length; from += size) {
    await Promise.all(
      items.slice(from, from + size).map((item, index) => work(item, from + index)),
    );
  }
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
