import { hash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { UsageError } from '../../../model/errors.ts';
import { safeName } from '../../../model/safe-name.ts';
import type { ColdKind } from '../../../ports/cold.ts';
import { ERASURES, LOCKS, WRITING } from './format.ts';

/** An owner as the folder knows it. */
export interface Owner {
  readonly name: string;
  /** What is kept of an owner who was erased. */
  readonly digest: string;
}

/** @throws UsageError if it is none */
export function ownerOf(id: string): Owner {
  if (id === '') throw new UsageError('an owner is not empty');
  return ownerNamed(safeName(id));
}

/** @param name of the owner's folder */
export function ownerNamed(name: string): Owner {
  return { name, digest: hash('sha256', name, 'hex') };
}

/** Where everything lies below one folder. */
export class Place {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  kind(kind: ColdKind): string {
    return join(this.root, kind);
  }

  objects(kind: ColdKind, { name }: Owner): string {
    return join(this.root, kind, name);
  }

  get erasures(): string {
    return join(this.root, ERASURES);
  }

  erasure(digest: string): string {
    return join(this.root, ERASURES, digest);
  }

  /** Owners share 256 of them, so that they need never be removed. */
  lock(digest: string): string {
    return join(this.root, LOCKS, digest.slice(0, 2));
  }

  get writing(): string {
    return join(this.root, WRITING);
  }

  /** A file that is being written for an owner; it says what an erasure must know. */
  draft(digest: string, at: number): string {
    return join(this.root, WRITING, `${digest}@${at}.${randomUUID()}`);
  }
}

/** Whose draft it is, and of when; undefined: no object's. */
export function readDraftName(file: string): { digest: string; at: number } | undefined {
  const [, digest, at] = /^([0-9a-f]{64})@(-?\d+)\./.exec(file) ?? [];
  return digest === undefined ? undefined : { digest, at: Number(at) };
}
