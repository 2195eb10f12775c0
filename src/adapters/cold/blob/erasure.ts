/**
 * An erasure in a container. Blobs have conditions, but none on another blob, so a writer looks at the tombstone, writes,
 * and looks again:
 *
 *   eraser   begin: the tombstone stands, unfinished ─▶ remove what is not later ─▶ the tombstone says that it ended
 *   writer   look: refused if covered ─▶ write ─▶ look again: takes back what it wrote if covered
 *   reader   read ─▶ look: what is covered is not there
 *   sweep    ends what was cut short; looks once more when an hour has passed; forgets when the time has come
 *
 * Of a writer and an eraser, either the writer's second look finds the tombstone, or its blob stood before the tombstone
 * did and is found by the eraser. A writer that dies before its second look leaves a blob that nobody is shown, and that
 * the sweep removes. For that the tombstone keeps the owner's name for an hour after it ended; then it holds two instants
 * under a digest. An eraser that dies leaves an unfinished tombstone, which stays in force whatever its time.
 */
import { pack, unlessDamaged, unpack } from '../../../model/cold-envelope.ts';
import { HOUR_MS } from '../../../model/duration.ts';
import { ColdUnavailableError } from '../../../model/errors.ts';
import { COLD_KINDS } from '../../../ports/cold.ts';
import type { Blobs, Content, Standing } from './blobs.ts';
import { DUE, atOf, readBytes } from './marks.ts';
import { type Owner, ownerNamed, prefixOf } from './place.ts';

/** No writer takes so long from its first look to its second: its calls are over in minutes. */
const SETTLED_AFTER_MS = HOUR_MS;

/** Deletions under way at once. */
const AT_ONCE = 16;

/** Each further round had something written by another in the one before. */
export const ROUNDS_MAX = 20;

export interface Erasure {
  readonly erasedAt: number;
  readonly forgetAt: number;
  /** Undefined: unfinished. */
  readonly endedAt?: number | undefined;
  /** The owner's safe name, for as long as there may be something to remove. */
  readonly owner?: string | undefined;
}

export interface Tombstone {
  readonly erasure: Erasure;
  readonly etag: string;
}

/**
 * The tombstone of this name, whatever its time.
 * @throws DamagedObjectError if it cannot be read: then nobody may read or write, and the erasure is to be repeated
 */
async function readTombstone(blobs: Blobs, name: string): Promise<Tombstone | undefined> {
  const found = await blobs.read(name);
  return found && { erasure: await erasureIn(found), etag: found.etag };
}

async function erasureIn(found: Content): Promise<Erasure> {
  return JSON.parse(await unpack(found.name, found.name, readBytes(found))) as Erasure;
}

function isInForce({ forgetAt, endedAt }: Erasure, now: number): boolean {
  return forgetAt > now || endedAt === undefined;
}

/** Whether an erasure takes what tells of this instant; undefined: it may be any. */
export type Cover = (at: number | undefined) => boolean;

/** What an owner's erasure takes now. @throws DamagedObjectError as `readTombstone` does */
export async function coverOf(blobs: Blobs, owner: Owner, now: () => number): Promise<Cover> {
  const erasure = (await readTombstone(blobs, owner.erasure))?.erasure;
  if (!erasure || !isInForce(erasure, now())) return () => false;
  return (at) => at === undefined || at <= erasure.erasedAt;
}

/** Lets the tombstone stand, unfinished. */
export async function beginErasure(
  blobs: Blobs,
  owner: Owner,
  { erasedAt, forgetAt, now }: { erasedAt: number; forgetAt: number; now: number },
): Promise<Tombstone> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const standing = await blobs.read(owner.erasure);
    const known = standing && (await erasureIn(standing).catch(unlessDamaged));
    // One whose time is up counts no more, swept or not.
    const before = known && isInForce(known, now) ? known : undefined;
    const erasure = {
      erasedAt: Math.max(erasedAt, before?.erasedAt ?? erasedAt),
      forgetAt: Math.max(forgetAt, before?.forgetAt ?? forgetAt),
      owner: owner.name,
    };
    const etag = await writeErasure(blobs, owner.erasure, erasure, standing?.etag);
    if (etag !== undefined) return { erasure, etag };
  }
  throw new ColdUnavailableError('others erase the same owner all the time; try again');
}

/** Says that all went, unless another has begun anew: then it is for that one to say. */
export async function endErasure(
  blobs: Blobs,
  owner: Owner,
  { erasure, etag }: Tombstone,
  now: number,
): Promise<void> {
  await writeErasure(blobs, owner.erasure, { ...erasure, endedAt: now }, etag);
}

/** Removes what is not later than an erasure that has begun. @returns how many objects went */
export async function removeErased(
  blobs: Blobs,
  owner: Owner,
  { erasedAt }: Erasure,
): Promise<number> {
  let removed = 0;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const going: Standing[] = [];
    for (const kind of COLD_KINDS)
      for await (const blob of blobs.list(prefixOf(kind, owner)))
        if ((atOf(blob) ?? erasedAt) <= erasedAt) going.push(blob);
    let changed = false;
    for (let begun = 0; begun < going.length; begun += AT_ONCE) {
      const batch = going.slice(begun, begun + AT_ONCE);
      for (const outcome of await Promise.all(
        batch.map(({ name, etag }) => blobs.remove(name, etag)),
      )) {
        if (outcome === 'removed') removed += 1;
        if (outcome === 'changed') changed = true;
      }
    }
    if (!changed) return removed;
  }
  throw new ColdUnavailableError('what is to be erased is written anew all the time; try again');
}

/** Does what an erasure still wants: see above. @returns how many objects and erasures went */
export async function sweepErasure(blobs: Blobs, name: string, now: number): Promise<number> {
  const known = await readTombstone(blobs, name);
  if (!known) return 0;
  const { erasure, etag } = known;
  const { owner, endedAt, forgetAt } = erasure;
  const removed = owner === undefined ? 0 : await removeErased(blobs, ownerNamed(owner), erasure);
  if (forgetAt <= now) return removed + ((await blobs.remove(name, etag)) === 'removed' ? 1 : 0);
  const isSettled = endedAt !== undefined && endedAt + SETTLED_AFTER_MS <= now;
  const left = isSettled ? undefined : owner;
  await writeErasure(blobs, name, { ...erasure, endedAt: endedAt ?? now, owner: left }, etag);
  return removed;
}

/** From when on a sweep has something to do. */
function dueAt({ endedAt, owner, forgetAt }: Erasure): number {
  if (endedAt === undefined) return 0;
  return owner === undefined ? forgetAt : Math.min(forgetAt, endedAt + SETTLED_AFTER_MS);
}

async function writeErasure(
  blobs: Blobs,
  name: string,
  erasure: Erasure,
  over: string | undefined,
): Promise<string | undefined> {
  const bytes = await pack(name, JSON.stringify(erasure));
  return blobs.write(name, { bytes, over, metadata: { [DUE]: String(dueAt(erasure)) } });
}
