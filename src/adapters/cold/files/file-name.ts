/**
 * Names of files. `@` stands in no safe name, so it sets their parts apart:
 *
 *   c-1@1800000000000.json.zst                 an object, and the instant of what it tells
 *   current@7.9f86d081@1800000000000.json.zst  the 7th `current`, with what no other version has
 *
 * An erasure knows by them what is to go, and need read nothing that may be damaged. What follows the instant is the
 * encoding, for people: readers do not look at it.
 */
import { CURRENT } from '../../../model/cold-object.ts';

/** What the name of an object's file says. */
export interface FileName {
  /** As it stands in the folder. */
  readonly file: string;
  /** Without the ending: what the object calls itself. */
  readonly stem: string;
  readonly name: string;
  readonly at: number;
  /** Of a `current` only. */
  readonly version: { readonly text: string; readonly number: number } | undefined;
}

const ENDING = '.json.zst';
const FORM = /^(?<stem>(?<name>[^@]+)(@(?<version>(?<number>\d+)\.[0-9a-f]+))?@(?<at>-?\d+))(\.|$)/;

export function fileNameOf(name: string, at: number, version?: string): string {
  return `${name}${version === undefined ? '' : `@${version}`}@${at}${ENDING}`;
}

/** Undefined: it is no object's. */
export function readFileName(file: string): FileName | undefined {
  const { stem, name, version, number, at } = FORM.exec(file)?.groups ?? {};
  if (stem === undefined || name === undefined) return undefined;
  if ((name === CURRENT) !== (version !== undefined)) return undefined;
  return {
    file,
    stem,
    name,
    at: Number(at),
    version: version === undefined ? undefined : { text: version, number: Number(number) },
  };
}
