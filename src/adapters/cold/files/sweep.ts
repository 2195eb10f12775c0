import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HOUR_MS } from '../../../model/duration.ts';
import { COLD_KINDS } from '../../../ports/cold.ts';
import { syncFolder, writeNew } from './durable.ts';
import { finishErasure, isInForce, readErasure } from './erasure.ts';
import type { OwnerLocks } from './owner-locks.ts';
import { type Owner, type Place, ownerNamed } from './place.ts';
import { unlessAbsent } from './trouble.ts';

/** Nobody takes so long from a draft's last byte to its place: a call waits seconds for its lock. */
const DRAFT_MAX_AGE_MS = HOUR_MS;

/** Removes drafts that nobody will finish. @returns how many */
export async function sweepDrafts(place: Place): Promise<number> {
  // Ages are told by the clock of the file system, which may be another machine's.
  const probe = join(place.writing, randomUUID());
  await writeNew(probe, Buffer.alloc(0));
  const { mtimeMs: now } = await stat(probe);
  await rm(probe, { force: true });
  let removed = 0;
  for (const file of await readdir(place.writing)) {
    const path = join(place.writing, file);
    const status = await unlessAbsent(stat(path), undefined);
    if (status === undefined || now - status.mtimeMs <= DRAFT_MAX_AGE_MS) continue;
    await rm(path, { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

/**
 * Ends erasures that were cut short, and forgets those whose time has come.
 * @returns how many objects and erasures went
 * @throws the first error, after it has done what it could
 */
export async function sweepErasures(
  place: Place,
  locks: OwnerLocks,
  now: () => number,
): Promise<number> {
  const errors: unknown[] = [];
  let swept = 0;
  for (const digest of await readdir(place.erasures)) {
    try {
      const seen = await readErasure(place, digest);
      if (!seen || (seen.finished && isInForce(seen, now()))) continue;
      swept += await locks.hold(place.lock(digest), () => endErasure(place, digest, now));
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return swept;
}

async function endErasure(place: Place, digest: string, now: () => number): Promise<number> {
  // It may have been repeated, or forgotten, since it was seen.
  const erasure = await readErasure(place, digest);
  if (!erasure) return 0;
  const removed = erasure.finished
    ? 0
    : await finishErasure(place, digest, await ownerLeft(place, digest), erasure);
  if (erasure.forgetAt > now()) return removed;
  await rm(place.erasure(digest), { force: true });
  await syncFolder(place.erasures);
  return removed + 1;
}

/** The owner of this digest who has a folder. */
async function ownerLeft(place: Place, digest: string): Promise<Owner | undefined> {
  for (const kind of COLD_KINDS)
    for (const name of await readdir(place.kind(kind)))
      if (ownerNamed(name).digest === digest) return ownerNamed(name);
  return undefined;
}
