/**
 * Removes a user from every tier, queue and record of ours:
 *
 *   tombstone, with hot, ledger, agenda ─▶ again, by now ─▶ warm ─▶ cold ─▶ queues ─▶ scan again
 *
 * The tombstone comes first: from then on nothing older is written, whoever was in the midst of it. What hot holds goes
 * in the same moment, so that nobody takes it for what was written since. Whoever had read it before did so before the
 * instant of the second tombstone, whatever time the first one took on its way, and dates nothing later. Jobs are
 * forgotten before hot, too, for it alone tells what a user's sessions are called. Subscribers are told when nothing is left.
 * It may break off anywhere and be repeated. Who comes back begins anew; an opt-out outlives it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BusUnavailableError } from '../model/errors.ts';
import {
  type RekindleEvent,
  envelope,
  erasureEventId,
  sequenceText,
  sourceOf,
} from '../model/event.ts';
import { isoInstant } from '../model/instant.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import type { ColdStore } from '../ports/cold.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { Erased, SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';

export interface ErasePorts {
  readonly clock: Clock;
  readonly records: SessionRecords;
  readonly warm: WarmStore;
  readonly cold: ColdStore;
  readonly jobs: Pick<Jobs, 'forget'>;
  readonly bus: Pick<Bus, 'publish'>;
}

export interface EraseSettings {
  /** How long late writers are refused. */
  readonly tombstoneTtlMs: number;
  /** Names of the queues that hold jobs of users. */
  readonly queues: readonly string[];
  /** Prefix of Rekindle's keys. */
  readonly prefix: string;
}

/** What was found, place by place: how many keys, entries or jobs. */
export interface ErasureReport {
  readonly user: string;
  readonly erasedAt: number;
  readonly removed: Readonly<Record<string, number>>;
  /** What a second scan finds: nothing, unless somebody writes at this moment. A look that is under way is waited for. */
  readonly remains: Readonly<Record<string, number>>;
}

/** For a look that is under way: 2 s at the most, by the host's own time, for another process looks. */
const SCANS_MAX = 20;
const SCAN_AGAIN_MS = 100;

/** Erases a user. @throws when a tier or the bus is away: repeat it, what was begun stands */
export async function erase(
  user: string,
  { clock, records, warm, cold, jobs, bus }: ErasePorts,
  { tombstoneTtlMs, queues, prefix }: EraseSettings,
): Promise<ErasureReport> {
  const removed: Record<string, number> = {};
  const forget = async (refs: readonly string[], found: Record<string, number>): Promise<void> => {
    for (const queue of queues)
      for (const ref of refs) add(found, `${queue} jobs`, await jobs.forget(queue, ref));
  };
  const eraseHot = async (refs: readonly string[], at: number): Promise<void> => {
    for (const ref of refs) addHot(removed, await records.erase(ref, at));
  };
  const refs = await records.sessionsOf(user);
  await forget(refs, removed);
  await eraseHot(refs, clock.now());
  const erasedAt = clock.now();
  await eraseHot(refs, erasedAt);
  const forgetAt = erasedAt + tombstoneTtlMs;
  removed['warm'] = await warm.erase(user, erasedAt, forgetAt);
  // After warm: what is taken from there once more is refused here.
  removed['cold'] = await cold.erase(user, erasedAt, forgetAt);
  // A look that was under way may have queued once more.
  await forget(refs, removed);

  const [told] = await bus.publish([erasedEvent(user, erasedAt, prefix)]);
  if (!told?.durable)
    throw new BusUnavailableError(`${told?.reason ?? 'no answer'}: subscribers are not told yet`);

  const scan = async (): Promise<Record<string, number>> => {
    const found = { warm: await warm.count(user), cold: await cold.count(user) };
    const left = await records.sessionsOf(user);
    for (const ref of left) addHot(found, await records.remains(ref));
    await forget([...new Set([...refs, ...left])], found);
    return found;
  };
  let remains = await scan();
  for (let scans = 1; scans < SCANS_MAX && isLookedAt(remains); scans += 1) {
    await sleep(SCAN_AGAIN_MS);
    remains = await scan();
  }
  return { user, erasedAt, removed, remains };
}

/**
 * A listener may hear what an erasure deletes, and have the user looked at: that finds nobody, and ends within
 * milliseconds. Nothing else remains then.
 */
function isLookedAt(remains: Readonly<Record<string, number>>): boolean {
  const places = Object.keys(remains).filter((place) => (remains[place] ?? 0) > 0);
  return places.length > 0 && places.every((place) => OF_LOOKS.has(place));
}

const OF_LOOKS: ReadonlySet<string> = new Set(['hot lease', 'hot agenda']);

/** It goes by its instant, not by its sequence: it is about all subjects of the user. */
function erasedEvent(user: string, at: number, prefix: string): RekindleEvent<'user.erased'> {
  const id = erasureEventId(prefix, user, at);
  const source = sourceOf(prefix);
  const erased_at = isoInstant(at);
  return envelope('user.erased', id, source, { user }, sequenceText(at), erased_at, {
    user,
    erased_at,
  });
}

function addHot(found: Record<string, number>, places: Erased): void {
  for (const [place, count] of Object.entries(places)) add(found, `hot ${place}`, count);
}

function add(found: Record<string, number>, place: string, count: number): void {
  found[place] = (found[place] ?? 0) + count;
}
