import { randomUUID } from 'node:crypto';
import type { ContainerClient } from '@azure/storage-blob';
import { pack, unlessDamaged, unpack } from '../../../model/cold-envelope.ts';
import {
  CURRENT,
  assertColdInstant,
  assertColdName,
  assertColdText,
} from '../../../model/cold-object.ts';
import {
  ColdUnavailableError,
  DamagedObjectError,
  UsageError,
  errorMessage,
} from '../../../model/errors.ts';
import { isSafeName } from '../../../model/safe-name.ts';
import type { Clock } from '../../../ports/clock.ts';
import {
  COLD_KINDS,
  COLD_PAGE_MAX,
  type ColdKind,
  type ColdObject,
  type ColdStore,
  type CurrentObject,
  type CurrentOutcome,
  type PutOutcome,
} from '../../../ports/cold.ts';
import { Blobs, type Content, type Standing } from './blobs.ts';
import {
  type Cover,
  ROUNDS_MAX,
  beginErasure,
  coverOf,
  endErasure,
  removeErased,
  sweepErasure,
} from './erasure.ts';
import { AT, VERSION, atOf, dueOf, readBytes, versionOf } from './marks.ts';
import { ERASURES, type Owner, currentOf, ownerOf, prefixOf } from './place.ts';

export interface BlobColdOptions {
  /** The container; asked for each request, so that a key or SAS that was replaced serves from then on. */
  readonly container: () => ContainerClient;
  readonly clock: Pick<Clock, 'now'>;
  /** How long a request may take, all tries together. Default 60 s. */
  readonly callTimeoutMs?: number;
  /** The wait after the first answer that says to ask less (429), or that broke off; it doubles. Default 500 ms. */
  readonly againDelayMs?: number;
  /**
   * Whether objects get the index tags `kind` (transcripts, insights, current) and `day` (2027-01-15, of what they tell)
   * for rules of retention; nothing here reads them. Accounts with a hierarchical namespace have none. Default true.
   */
  readonly tags?: boolean;
}

const CALL_TIMEOUT_MS = 60_000;
const AGAIN_DELAY_MS = 500;
const AGAIN_ATTEMPTS = 4;

/** What is to be written, and where. */
interface Draft {
  readonly blob: string;
  readonly tag: ColdKind | typeof CURRENT;
  readonly at: number;
  readonly bytes: Buffer;
  readonly version?: string;
}

/**
 * The cold tier in one container of Azure Blob Storage, which any processes share. What stands is never written over, but
 * under its ETag; what erasures ask of readers and writers is told in erasure.ts.
 */
export class BlobCold implements ColdStore {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #blobs: Blobs;
  readonly #tags: boolean;
  #closed = false;

  constructor({ container, clock, tags = true, ...times }: BlobColdOptions) {
    const { callTimeoutMs = CALL_TIMEOUT_MS, againDelayMs = AGAIN_DELAY_MS } = times;
    this.#clock = clock;
    this.#tags = tags;
    const again = { attempts: AGAIN_ATTEMPTS, delayMs: againDelayMs };
    this.#blobs = new Blobs({ container, callTimeoutMs, again });
  }

  async put(id: string, kind: ColdKind, { name, text, at }: ColdObject): Promise<PutOutcome> {
    assertColdName(name);
    assertColdText(text);
    assertColdInstant('at', at);
    const owner = this.#owner(id);
    const blob = `${prefixOf(kind, owner)}${name}`;
    if ((await this.#coverOf(owner))(at)) return 'erased';
    const draft: Draft = { blob, tag: kind, at, bytes: await pack(`${blob}@${at}`, text) };
    let over: string | undefined;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const etag = await this.#write(draft, over);
      if (etag !== undefined) return (await this.#stays(owner, draft, etag)) ? 'written' : 'erased';
      const standing = await this.#blobs.read(blob);
      const cover = await this.#coverOf(owner);
      if (cover(at)) return 'erased';
      if (standing && !cover(atOf(standing)) && (await isWhole(standing))) return 'stands';
      over = standing?.etag;
    }
    throw this.#busy(blob);
  }

  async get(id: string, kind: ColdKind, name: string): Promise<string | undefined> {
    assertColdName(name);
    const owner = this.#owner(id);
    const found = await this.#see(owner, `${prefixOf(kind, owner)}${name}`);
    return found && textOf(found);
  }

  async names(
    id: string,
    kind: ColdKind,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > COLD_PAGE_MAX)
      throw new UsageError(`a limit is a whole number from 1 to ${COLD_PAGE_MAX}; got ${limit}`);
    const owner = this.#owner(id);
    const found = await this.#visible(owner, kind);
    return found
      .filter((name) => isSafeName(name) && name !== CURRENT)
      .filter((name) => after === undefined || name > after)
      .slice(0, limit);
  }

  async current(id: string): Promise<CurrentObject | undefined> {
    const owner = this.#owner(id);
    const found = await this.#see(owner, currentOf(owner));
    if (!found) return undefined;
    const version = versionOf(found);
    try {
      return { text: await textOf(found), version };
    } catch (error) {
      if (!(error instanceof DamagedObjectError)) throw error;
      throw new DamagedObjectError(errorMessage(error), { cause: error, version });
    }
  }

  async putCurrent(
    id: string,
    text: string,
    { expected, at }: { readonly expected: string | undefined; readonly at: number },
  ): Promise<CurrentOutcome> {
    assertColdText(text);
    assertColdInstant('at', at);
    const owner = this.#owner(id);
    const blob = currentOf(owner);
    const version = randomUUID();
    const bytes = await pack(`${blob}@${version}@${at}`, text);
    const draft: Draft = { blob, tag: CURRENT, at, bytes, version };
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const standing = await this.#blobs.head(blob);
      const cover = await this.#coverOf(owner);
      if (cover(at)) return 'erased';
      const seen = standing && !cover(atOf(standing)) ? versionOf(standing) : undefined;
      if (seen !== expected) return 'conflict';
      const etag = await this.#write(draft, standing?.etag);
      if (etag !== undefined) return (await this.#stays(owner, draft, etag)) ? 'written' : 'erased';
    }
    throw this.#busy(blob);
  }

  async erase(id: string, erasedAt: number, forgetAt: number): Promise<number> {
    assertColdInstant('erasedAt', erasedAt);
    assertColdInstant('forgetAt', forgetAt);
    const owner = this.#owner(id);
    const now = this.#clock.now();
    const begun = await beginErasure(this.#blobs, owner, { erasedAt, forgetAt, now });
    const removed = await removeErased(this.#blobs, owner, begun.erasure);
    await endErasure(this.#blobs, owner, begun, this.#clock.now());
    return removed;
  }

  async count(id: string): Promise<number> {
    const owner = this.#owner(id);
    let total = 0;
    for (const kind of COLD_KINDS) total += (await this.#visible(owner, kind)).length;
    return total;
  }

  async sweep(): Promise<number> {
    this.#assertOpen();
    const errors: unknown[] = [];
    const now = this.#clock.now();
    let swept = 0;
    for await (const tombstone of this.#blobs.list(ERASURES)) {
      if ((dueOf(tombstone) ?? now) > now) continue;
      try {
        swept += await sweepErasure(this.#blobs, tombstone.name, now);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return swept;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #write({ blob, tag, at, bytes, version }: Draft, over: string | undefined) {
    const day = new Date(at);
    const isDay = !Number.isNaN(day.getTime());
    return this.#blobs.write(blob, {
      bytes,
      over,
      metadata: { [AT]: String(at), ...(version !== undefined && { [VERSION]: version }) },
      ...(this.#tags && {
        tags: { kind: tag, ...(isDay && { day: day.toISOString().split('T')[0] ?? '' }) },
      }),
    });
  }

  /** The second look of a writer. @returns whether what it wrote may stay; else it is taken back */
  async #stays(owner: Owner, { blob, at }: Draft, etag: string): Promise<boolean> {
    if (!(await this.#coverOf(owner))(at)) return true;
    await this.#blobs.remove(blob, etag);
    return false;
  }

  /** A blob, unless the owner was erased since. The look comes last: what stood before the tombstone may be seen. */
  async #see(owner: Owner, blob: string): Promise<Content | undefined> {
    const found = await this.#blobs.read(blob);
    if (!found || (await this.#coverOf(owner))(atOf(found))) return undefined;
    return found;
  }

  /** Names below an owner's prefix, in their order, of what was not erased. */
  async #visible(owner: Owner, kind: ColdKind): Promise<string[]> {
    const prefix = prefixOf(kind, owner);
    const found: Standing[] = [];
    for await (const blob of this.#blobs.list(prefix)) found.push(blob);
    if (found.length === 0) return [];
    const cover = await this.#coverOf(owner);
    return found.filter((blob) => !cover(atOf(blob))).map(({ name }) => name.slice(prefix.length));
  }

  #coverOf(owner: Owner): Promise<Cover> {
    return coverOf(this.#blobs, owner, () => this.#clock.now());
  }

  #owner(id: string): Owner {
    this.#assertOpen();
    return ownerOf(id);
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new ColdUnavailableError(
        `the cold tier's container ${this.#blobs.containerName} was closed`,
      );
  }

  #busy(blob: string): ColdUnavailableError {
    return new ColdUnavailableError(`${blob} is written by others all the time; try again`);
  }
}

/** @throws DamagedObjectError if it is not what was written as this blob */
async function textOf(found: Content): Promise<string> {
  const { name } = found;
  const version = found.metadata[VERSION];
  const object = `${name}${version === undefined ? '' : `@${version}`}@${atOf(found)}`;
  return unpack(object, name, readBytes(found));
}

async function isWhole(found: Content): Promise<boolean> {
  return (await textOf(found).catch(unlessDamaged)) !== undefined;
}
