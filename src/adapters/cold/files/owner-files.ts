import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKED_MAX_BYTES, damaged, unpack } from '../../../model/cold-envelope.ts';
import { CURRENT } from '../../../model/cold-object.ts';
import { DamagedObjectError } from '../../../model/errors.ts';
import type { ColdKind } from '../../../ports/cold.ts';
import { type FileName, readFileName } from './file-name.ts';
import type { Owner, Place } from './place.ts';
import { unlessAbsent } from './trouble.ts';

/** The files of one owner and kind, as they were listed. */
export interface OwnerFiles {
  readonly folder: string;
  /** Objects that never change, in the order of their names. */
  readonly objects: readonly FileName[];
  /** Versions of `current`, latest first: that one holds, whatever a writer that died left of the others. */
  readonly currents: readonly FileName[];
  /** Whatever else lies there. */
  readonly others: readonly string[];
}

export async function listFiles(place: Place, kind: ColdKind, owner: Owner): Promise<OwnerFiles> {
  const folder = place.objects(kind, owner);
  const files = (await unlessAbsent(readdir(folder), [])).toSorted();
  const read = files.flatMap((file) => readFileName(file) ?? []);
  const known = new Set(read.map(({ file }) => file));
  return {
    folder,
    objects: read
      .filter(({ name }) => name !== CURRENT)
      .toSorted((a, b) => compare(a.name, b.name) || compare(a.file, b.file)),
    currents: read
      .filter(({ name }) => name === CURRENT)
      .toSorted((a, b) => (b.version?.number ?? 0) - (a.version?.number ?? 0)),
    others: files.filter((file) => !known.has(file)),
  };
}

/** How many objects these are, damaged ones and what nobody knows included. */
export function countFiles({ objects, currents, others }: OwnerFiles): number {
  return (
    new Set(objects.map(({ name }) => name)).size + Math.min(currents.length, 1) + others.length
  );
}

/**
 * The text of an object.
 * @throws DamagedObjectError if the file holds something else
 */
export async function readObject(
  place: Place,
  kind: ColdKind,
  owner: Owner,
  { file, stem }: FileName,
): Promise<string> {
  const path = join(place.objects(kind, owner), file);
  const handle = await open(path, 'r');
  try {
    return await unpack(`${kind}/${owner.name}/${stem}`, path, await readAll(handle, path));
  } finally {
    await handle.close();
  }
}

/**
 * The text of the first that is whole: a person may have put the same object there in another encoding.
 * @throws DamagedObjectError if none is
 */
export async function readFirstWhole(
  place: Place,
  kind: ColdKind,
  owner: Owner,
  files: readonly FileName[],
): Promise<string | undefined> {
  let damage: DamagedObjectError | undefined;
  for (const file of files) {
    try {
      return await readObject(place, kind, owner, file);
    } catch (error) {
      if (!(error instanceof DamagedObjectError)) throw error;
      damage ??= error;
    }
  }
  if (damage) throw damage;
  return undefined;
}

async function readAll(handle: FileHandle, path: string): Promise<Buffer> {
  const status = await handle.stat();
  if (!status.isFile()) throw damaged(path, 'it is no file');
  if (status.size > PACKED_MAX_BYTES) throw damaged(path, 'it is larger than any object');
  return handle.readFile();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
