/**
 * An erasure in a folder. All that writes to an owner holds the owner's lock from its look at the tombstone until its
 * file is in place, so for an eraser a late writer comes before or after, never in between:
 *
 *   begin    the tombstone stands, unfinished: from now on writers find it, and are refused
 *   remove   the owner's files and drafts that are not later go; names say which, nothing is read
 *   finish   the tombstone says so
 *
 * A process that dies in between leaves an unfinished tombstone, which stays in force whatever its time, until the erasure
 * is repeated or a sweep ends it. The tombstone lies under the digest of the owner's name and holds two instants; a sweep
 * finds the owner among the folders that are left.
 */
import { readFile, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pack, unlessDamaged, unpack } from '../../../model/cold-envelope.ts';
import { COLD_KINDS, type ColdKind } from '../../../ports/cold.ts';
import { moveInto, syncFolder, writeNew } from './durable.ts';
import { ERASURES } from './format.ts';
import { countFiles, listFiles } from './owner-files.ts';
import { type Owner, type Place, readDraftName } from './place.ts';
import { codeOf, unlessAbsent } from './trouble.ts';

export interface Erasure {
  readonly erasedAt: number;
  readonly forgetAt: number;
  readonly finished: boolean;
}

/**
 * What is known of an erasure, whatever its time.
 * @throws DamagedObjectError if that cannot be said: then nobody may write, and the erasure is to be repeated
 */
export async function readErasure(place: Place, digest: string): Promise<Erasure | undefined> {
  const file = place.erasure(digest);
  const bytes = await unlessAbsent(readFile(file), undefined);
  if (bytes === undefined) return undefined;
  return JSON.parse(await unpack(`${ERASURES}/${digest}`, file, bytes)) as Erasure;
}

export function isInForce({ forgetAt, finished }: Erasure, now: number): boolean {
  return forgetAt > now || !finished;
}

/** Lets the tombstone stand, unfinished. The caller holds the owner's lock, here and below. */
export async function beginErasure(
  place: Place,
  digest: string,
  { erasedAt, forgetAt, now }: { erasedAt: number; forgetAt: number; now: number },
): Promise<Erasure> {
  const known = await readErasure(place, digest).catch(unlessDamaged);
  // One whose time is up counts no more, swept or not.
  const before = known && isInForce(known, now) ? known : undefined;
  const erasure = {
    erasedAt: Math.max(erasedAt, before?.erasedAt ?? erasedAt),
    forgetAt: Math.max(forgetAt, before?.forgetAt ?? forgetAt),
    finished: false,
  };
  await writeErasure(place, digest, erasure);
  return erasure;
}

async function writeErasure(place: Place, digest: string, erasure: Erasure): Promise<void> {
  const bytes = await pack(`${ERASURES}/${digest}`, JSON.stringify(erasure));
  const draft = place.draft(digest, erasure.erasedAt);
  await writeNew(draft, bytes);
  await moveInto(draft, place.erasure(digest));
}

/**
 * Removes what is not later than an erasure that has begun.
 * @param owner undefined: nobody of this digest has anything
 * @returns how many objects went
 */
export async function finishErasure(
  place: Place,
  digest: string,
  owner: Owner | undefined,
  erasure: Erasure,
): Promise<number> {
  let removed = 0;
  if (owner)
    for (const kind of COLD_KINDS)
      removed += await removeOfKind(place, kind, owner, erasure.erasedAt);
  for (const file of await readdir(place.writing)) {
    const draft = readDraftName(file);
    if (draft?.digest === digest && draft.at <= erasure.erasedAt)
      await rm(join(place.writing, file), { force: true });
  }
  await writeErasure(place, digest, { ...erasure, finished: true });
  return removed;
}

async function removeOfKind(
  place: Place,
  kind: ColdKind,
  owner: Owner,
  erasedAt: number,
): Promise<number> {
  const files = await listFiles(place, kind, owner);
  const [current, ...superseded] = files.currents;
  const isErased = ({ at }: { at: number }): boolean => at <= erasedAt;
  // What was superseded goes first, or it would hold again. What has no instant may be anything.
  const going = [
    ...superseded.map(({ file }) => file),
    ...[...files.objects, ...(current ? [current] : [])].filter(isErased).map(({ file }) => file),
    ...files.others,
  ];
  for (const file of going) await rm(join(files.folder, file), { recursive: true, force: true });
  const left = await listFiles(place, kind, owner);
  // What stays is synced in its folder; what is removed with its folder, in the one above.
  if (!(await removeIfEmpty(files.folder))) await syncFolder(files.folder);
  await syncFolder(place.kind(kind));
  return countFiles(files) - countFiles(left);
}

/** @returns whether it is gone */
async function removeIfEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return true;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}
