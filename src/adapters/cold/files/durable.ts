import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from './trouble.ts';

/** Writes a file that was not there; when it resolves, its bytes are on the disk. What failed leaves none. */
export async function writeNew(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Puts a file in its place in one step, which the disk has when it resolves. */
export async function moveInto(file: string, place: string): Promise<void> {
  await rename(file, place);
  await syncFolder(dirname(place));
}

/** The folder's list of names is on the disk when it resolves: without it, a file that is on the disk may have no name. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder, unless it stands. The one above is to be synced, too: also by who finds it, for who made it may have died. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
