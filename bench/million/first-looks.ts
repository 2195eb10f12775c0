import { setTimeout as sleep } from 'node:timers/promises';
import { MINUTE_MS, SECOND_MS } from '../../src/model/duration.ts';
import { assertDone, userIds } from '../harness.ts';
import type { WatcherProcess } from '../watcher-process.ts';
import { PATIENCE_MS, type World, announcedUsers, startWatcher } from './world.ts';

/** Longer ago than the first threshold, far from the second. */
const QUIET_FOR_MS = 40 * MINUTE_MS;

export interface FirstLooks {
  /** Until everybody was looked at. */
  readonly lookedS: number;
  /** The full pass of reconcile, beside the looks. */
  readonly fullPassS: number;
  /** Users that the pass read, each as often as it was found. */
  readonly passUsers: number;
}

/**
 * A watcher whose schedules are known already: one that is new to Redis would begin with a pass in the background, and
 * nothing here would ever be idle.
 */
export async function registerSchedules({ bench }: World): Promise<void> {
  const watcher = await startWatcher(bench);
  await watcher.logged(isReconciled, PATIENCE_MS);
  // The pass of the new schedule.
  while (watcher.lines(isReconciled).length < 2) await sleep(50);
  await watcher.end();
}

/** The sessions of an application with a million users, most of them active just now. */
export async function fill({ bench, pipeline }: World): Promise<void> {
  const now = pipeline.now();
  const quiet = new Set(announcedUsers(bench));
  const users = userIds(bench.sessions);
  await pipeline.leaveCarts(users, (index) =>
    quiet.has(users[index] ?? '') ? now - QUIET_FOR_MS : now,
  );
}

export async function lookAtAll(
  { bench, pipeline }: World,
  watcher: WatcherProcess,
): Promise<FirstLooks> {
  const { agenda } = pipeline.hot;
  const startedAt = performance.now();
  for (;;) {
    const { due, leased } = await agenda.counts(pipeline.now());
    if (due + leased === 0) break;
    await sleep(100);
  }
  const lookedS = (performance.now() - startedAt) / SECOND_MS;
  const pass = await watcher.logged(isReconciled, PATIENCE_MS);
  const { armed } = await agenda.counts(pipeline.now());
  assertDone(armed, bench.sessions, 'are watched after the first looks');
  const announced = await bench.redis.xlen(`${bench.config.prefix}:events`);
  assertDone(announced, announcedUsers(bench).length, 'were announced');
  return {
    lookedS,
    fullPassS: Number(pass['tookMs']) / SECOND_MS,
    passUsers: Number(pass['users']),
  };
}

function isReconciled({ msg }: Readonly<Record<string, unknown>>): boolean {
  return msg === 'reconciled';
}
