import { ColdUnavailableError, errorMessage } from '../../../model/errors.ts';

const RIGHTS =
  'it may not be used; let the user that this runs as read and write the folder and what is in it';

/** What may pass, and what to do about it. */
const PASSING: ReadonlyMap<string, string> = new Map([
  ['EACCES', RIGHTS],
  ['EPERM', RIGHTS],
  ['EROFS', 'it may only be read; mount its file system for writing'],
  ['ENOSPC', 'the disk is full; make room, and try again'],
  ['EDQUOT', 'the disk is full for this user; make room, and try again'],
  ['EIO', 'the disk failed; the log of the system may say why'],
  ['ENOENT', 'some of it is gone, or not mounted; bring it back, and try again'],
  ['ENOTDIR', 'a file stands where a folder should; move it away, and try again'],
  ['EMFILE', 'this process has too many files open; raise the limit (ulimit -n)'],
  ['ENFILE', 'the system has too many files open; find out whose they are'],
]);

const OTHER = 'it cannot be used now; try again';

/** Runs what needs the folder, and says in words of ours why the system would not do it. */
export async function translated<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new ColdUnavailableError(
      `the cold tier's folder ${folder}: ${PASSING.get(code) ?? OTHER} (${errorMessage(error)})`,
      { cause: error },
    );
  }
}

/** The system's word for what went wrong; undefined: it was not the system. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return String(error.code);
}

/** Gives `otherwise` for what is not there. */
export async function unlessAbsent<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise;
    throw error;
  }
}
