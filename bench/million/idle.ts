import { setTimeout as sleep } from 'node:timers/promises';
import { reconcile } from '../../src/abandonment/reconcile.ts';
import { lookSettings } from '../../src/compose.ts';
import { SECOND_MS } from '../../src/model/duration.ts';
import type { Sample } from '../harness.ts';
import { cpuSecondsOf } from '../proc.ts';
import type { WatcherProcess } from '../watcher-process.ts';
import type { World } from './world.ts';

const IDLE_S = 30;
const PASS_S = 60;

/** Commands of the bench itself. */
const OUR_OWN = /^(info|config\|resetstat|slowlog.*|latency.*)$/;

export interface Idle {
  /** Those that scripts call are counted, too. */
  readonly commandsPerSecond: Sample;
  readonly watcherCpuPercent: number;
  readonly redisCpuPercent: number;
}

/** What a watcher costs while nobody does anything and nobody is due. */
export async function beIdle({ bench, slow }: World, watcher: WatcherProcess): Promise<Idle> {
  await slow.restart();
  const watcherCpu = cpuShare(watcher.pid);
  const redisCpu = cpuShare(bench.server.pid);
  await sleep(IDLE_S * SECOND_MS);
  const stats = await bench.redis.info('commandstats');
  const calls = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
    .map(([, name = '', count]) => ({ name, count: Number(count) }))
    .filter(({ name }) => !OUR_OWN.test(name))
    .sort((one, other) => other.count - one.count);
  const total = calls.reduce((sum, { count }) => sum + count, 0);
  const most = calls
    .slice(0, 5)
    .map(({ name, count }) => `${name} ${(count / IDLE_S).toFixed(1)}`)
    .join(', ');
  return {
    commandsPerSecond: { value: total / IDLE_S, note: `those in scripts included: ${most}` },
    watcherCpuPercent: watcherCpu(),
    redisCpuPercent: redisCpu(),
  };
}

/**
 * The regular pass of reconcile. It takes too long to wait for its end, so its rate over a minute tells how long it
 * would take.
 * @param users how many a whole pass reads
 */
export async function passInBackground({ bench, pipeline }: World, users: number): Promise<Sample> {
  const { hot } = pipeline;
  const redisCpu = cpuShare(bench.server.pid);
  const pass = await reconcile(hot, lookSettings(bench.config, hot), () => undefined, {
    fullSpeed: false,
    signal: AbortSignal.timeout(PASS_S * SECOND_MS),
  });
  const ended = pass.users >= users;
  const tookS = pass.tookMs / SECOND_MS;
  const how = ended
    ? 'to its end'
    : `projected from ${pass.users} of ${users} users in ${tookS.toFixed(0)} s`;
  return {
    value: ended ? tookS : (tookS / pass.users) * users,
    note: `${how}; CPU of Redis ${redisCpu().toFixed(1)} %`,
  };
}

/** Begins to measure; what it returns ends that, in per cent of one CPU. */
function cpuShare(pid: number): () => number {
  const startedAt = performance.now();
  const before = cpuSecondsOf(pid);
  return () => (100 * (cpuSecondsOf(pid) - before)) / ((performance.now() - startedAt) / SECOND_MS);
}
