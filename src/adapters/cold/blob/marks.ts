/**
 * What stands in the metadata of blobs, so that lists tell it:
 *
 *   at       of an object: the instant of what it tells, so that an erasure need read nothing that may be damaged
 *   version  of a `current`
 *   due      of a tombstone: from when on a sweep has something to do; it is a hint, the content counts
 *
 * The first two stand in the first line of the content as well: metadata that was changed makes an object damaged.
 */
import { damaged } from '../../../model/cold-envelope.ts';
import type { Content, Standing } from './blobs.ts';

export const AT = 'at';
export const VERSION = 'version';
export const DUE = 'due';

/** Undefined: it has none of ours. */
export function atOf({ metadata }: Standing): number | undefined {
  return numberIn(metadata[AT]);
}

/** Undefined: it is read whenever a sweep comes. */
export function dueOf({ metadata }: Standing): number | undefined {
  return numberIn(metadata[DUE]);
}

/** The version of a `current`; one that has lost it is known by its ETag. */
export function versionOf({ metadata, etag }: Standing): string {
  return metadata[VERSION] ?? etag;
}

/** @throws DamagedObjectError if there are more than any object has */
export function readBytes({ name, bytes }: Content): Buffer {
  if (bytes === undefined) throw damaged(name, 'it is larger than any object');
  return bytes;
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
