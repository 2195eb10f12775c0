import { hash } from 'node:crypto';
import { CURRENT } from '../../../model/cold-object.ts';
import { UsageError } from '../../../model/errors.ts';
import { safeName } from '../../../model/safe-name.ts';
import type { ColdKind } from '../../../ports/cold.ts';

/** Where tombstones lie. */
export const ERASURES = 'erasures/';

/**
 * An owner as the container knows it:
 *
 *   transcripts/<name>/<object>   insights/<name>/<object>   insights/<name>/current   erasures/<SHA-256 of the name>
 */
export interface Owner {
  readonly name: string;
  /** The blob in which the owner's erasure stands. */
  readonly erasure: string;
}

/** @throws UsageError if it is none */
export function ownerOf(id: string): Owner {
  if (id === '') throw new UsageError('an owner is not empty');
  return ownerNamed(safeName(id));
}

export function ownerNamed(name: string): Owner {
  return { name, erasure: `${ERASURES}${hash('sha256', name, 'hex')}` };
}

export function prefixOf(kind: ColdKind, { name }: Owner): string {
  return `${kind}/${name}/`;
}

export function currentOf(owner: Owner): string {
  return `${prefixOf('insights', owner)}${CURRENT}`;
}
