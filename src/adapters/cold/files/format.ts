import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { UnsuitableStoreError } from '../../../model/errors.ts';
import { COLD_KINDS } from '../../../ports/cold.ts';
import { makeFolder, moveInto, syncFolder, writeNew } from './durable.ts';
import { codeOf, unlessAbsent } from './trouble.ts';

/** The file that says whose the folder is, and how it is laid out; the last that is made. */
const FORMAT_FILE = 'format';
const VERSION = 1;
const FORM = /^rekindle cold (?<version>\d+)\n$/;

/** Folders of the tier besides those of its objects: what is being written, erasures, and locks. */
export const WRITING = 'tmp';
export const ERASURES = 'erasures';
export const LOCKS = 'locks';

const FOLDERS: readonly string[] = [...COLD_KINDS, WRITING, ERASURES, LOCKS];

/** What stands in a volume that is new. */
const NOBODYS = 'lost+found';

/**
 * Makes the folders that are missing, after a look at what stands.
 * @throws UnsuitableStoreError if the folder is another program's, or of a newer version: it is left as it is
 */
export async function prepare(folder: string): Promise<void> {
  await makeAbove(folder);
  const other = (await standing(folder)) ? undefined : await othersEntry(folder);
  // Asked again: another process may have made the tier, and written to it, since.
  const known = await standing(folder);
  if (!known && other !== undefined)
    throw new UnsuitableStoreError(
      `${folder} holds ${other}, and no file ${FORMAT_FILE} that says it is the cold tier's; it was left as it is. The cold tier needs a folder of its own`,
    );
  const there = new Set(await readdir(folder));
  const missing = FOLDERS.filter((name) => !there.has(name));
  for (const name of missing) await makeFolder(join(folder, name));
  if (missing.length > 0) await syncFolder(folder);
  if (known) return;
  const made = join(folder, WRITING, randomUUID());
  await writeNew(made, Buffer.from(`rekindle cold ${VERSION}\n`));
  await moveInto(made, join(folder, FORMAT_FILE));
}

/**
 * Insists that the folder is still there, and still of a version that this program knows.
 * @throws what the system says of a file that is gone, and as `prepare` does
 */
export async function assertStanding(folder: string): Promise<void> {
  if (!(await standing(folder))) await stat(join(folder, FORMAT_FILE));
}

/** Whether it is said whose the folder is; if so, it is ours. */
async function standing(folder: string): Promise<boolean> {
  const text = await unlessAbsent(readFile(join(folder, FORMAT_FILE), 'utf8'), undefined);
  if (text === undefined) return false;
  const version = Number(FORM.exec(text)?.groups?.['version']);
  if (version === VERSION) return true;
  throw new UnsuitableStoreError(
    version > VERSION
      ? `the cold tier's folder ${folder} is of version ${version}, made by a newer Rekindle; this one knows versions up to ${VERSION}. It was left as it is`
      : `the cold tier's folder ${folder} has a file ${FORMAT_FILE} that is damaged, or another program's; it was left as it is. Put a backup in its place, or name another folder`,
  );
}

async function makeAbove(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new UnsuitableStoreError(
      `the cold tier needs a folder, and ${folder} is none; name another`,
      { cause: error },
    );
  }
}

/** What shows that somebody uses the folder; what a process leaves that died before it had made the format does not. */
async function othersEntry(folder: string): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    if (name === NOBODYS || name === WRITING) continue;
    if (FOLDERS.includes(name) && (await readdir(join(folder, name))).length === 0) continue;
    return name;
  }
  return undefined;
}
