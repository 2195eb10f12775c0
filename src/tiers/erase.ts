/**
 * Removes a user from every tier, queue and record of ours:
 *
 *   tombstone ─▶ warm ─▶ hot, ledger, agenda ─▶ queues ─▶ scan again
 *
 * The tombstone comes first: from then on nothing older is written, whoever was in the midst of it. It may break off
 * anywhere and be repeated. Who comes back begins anew; an opt-out outlives it.
 */
import type { Clock } from '../ports/clock.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';

export interface ErasePorts {
  readonly clock: Clock;
  readonly records: SessionRecords;
  readonly warm: WarmStore;
  readonly jobs: Pick<Jobs, 'forget'>;
}

export interface EraseSettings {
  /** How long late writers are refused. */
  readonly tombstoneTtlMs: number;
  /** Names of the queues that hold jobs of users. */
  readonly queues: readonly string[];
}

/** What was found, place by place: how many keys, entries or jobs. */
export interface ErasureReport {
  readonly user: string;
  readonly erasedAt: number;
  readonly removed: Readonly<Record<string, number>>;
  /** What a second scan finds: nothing, unless somebody writes at this moment. */
  readonly remains: Readonly<Record<string, number>>;
}

/** Erases a user. @throws when a tier is away: repeat it, what was begun stands */
export async function erase(
  user: string,
  { clock, records, warm, jobs }: ErasePorts,
  { tombstoneTtlMs, queues }: EraseSettings,
): Promise<ErasureReport> {
  const erasedAt = clock.now();
  await records.entomb(user, erasedAt);
  const removed: Record<string, number> = {};
  removed['warm'] = await warm.erase(user, erasedAt, erasedAt + tombstoneTtlMs);
  for (const [place, count] of Object.entries(await records.erase(user)))
    removed[`hot ${place}`] = count;
  for (const queue of queues) removed[`${queue} jobs`] = await jobs.forget(queue, user);
  const remains: Record<string, number> = { warm: await warm.count(user) };
  for (const [place, count] of Object.entries(await records.remains(user)))
    remains[`hot ${place}`] = count;
  for (const queue of queues) remains[`${queue} jobs`] = await jobs.forget(queue, user);
  return { user, erasedAt, removed, remains };
}
