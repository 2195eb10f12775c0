import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pack, unlessDamaged } from '../../../model/cold-envelope.ts';
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
import { makeFolder, moveInto, syncFolder, writeNew } from './durable.ts';
import { beginErasure, finishErasure, isInForce, readErasure } from './erasure.ts';
import { type FileName, fileNameOf, readFileName } from './file-name.ts';
import { assertStanding, prepare } from './format.ts';
import { countFiles, listFiles, readFirstWhole, readObject } from './owner-files.ts';
import { OwnerLocks } from './owner-locks.ts';
import { type Owner, Place, ownerOf } from './place.ts';
import { sweepDrafts, sweepErasures } from './sweep.ts';
import { translated, unlessAbsent } from './trouble.ts';

/** A reader looks again when what it found listed is gone: each time, somebody has written or erased in between. */
const LOOKS_MAX = 20;

/**
 * The cold tier in one folder, which any processes of one machine share. Files come into their places whole, by a rename;
 * readers need no lock. Writers to one owner take turns.
 */
export class FilesCold implements ColdStore {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #place: Place;
  readonly #locks = new OwnerLocks();
  #closed = false;

  private constructor(folder: string, clock: Pick<Clock, 'now'>) {
    this.#place = new Place(folder);
    this.#clock = clock;
  }

  /**
   * Makes the folder if need be.
   * @throws UnsuitableStoreError if it is another program's, or of a newer version: it is left as it is
   * @throws ColdUnavailableError if it cannot be had now
   */
  static async open(folder: string, clock: Pick<Clock, 'now'>): Promise<FilesCold> {
    await translated(folder, () => prepare(folder));
    return new FilesCold(folder, clock);
  }

  async put(id: string, kind: ColdKind, { name, text, at }: ColdObject): Promise<PutOutcome> {
    assertColdName(name);
    assertColdText(text);
    assertColdInstant('at', at);
    const fileName = made(fileNameOf(name, at));
    return this.#write(id, kind, { text, fileName }, async (owner, place) => {
      const files = await listFiles(this.#place, kind, owner);
      const standing = files.objects.filter((file) => file.name === name);
      const whole = readFirstWhole(this.#place, kind, owner, standing);
      if ((await whole.catch(unlessDamaged)) !== undefined) {
        // Who moved it there may have died before the disk had it.
        await syncFolder(files.folder);
        return 'stands';
      }
      await place();
      const damaged = standing.filter(({ file }) => file !== fileName.file);
      for (const { file } of damaged) await rm(join(files.folder, file), { force: true });
      return 'written';
    });
  }

  async get(id: string, kind: ColdKind, name: string): Promise<string | undefined> {
    assertColdName(name);
    return this.#look(id, async (owner) => {
      const { objects } = await listFiles(this.#place, kind, owner);
      const named = objects.filter((object) => object.name === name);
      return readFirstWhole(this.#place, kind, owner, named);
    });
  }

  async names(
    id: string,
    kind: ColdKind,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > COLD_PAGE_MAX)
      throw new UsageError(`a limit is a whole number from 1 to ${COLD_PAGE_MAX}; got ${limit}`);
    const found = await this.#look(id, async (owner) => {
      const { objects } = await listFiles(this.#place, kind, owner);
      return objects.length === 0 ? undefined : objects;
    });
    const names = new Set((found ?? []).map(({ name }) => name));
    return [...names].filter((name) => after === undefined || name > after).slice(0, limit);
  }

  async current(id: string): Promise<CurrentObject | undefined> {
    return this.#look(id, async (owner) => {
      const [head] = (await listFiles(this.#place, 'insights', owner)).currents;
      if (!head?.version) return undefined;
      const version = head.version.text;
      try {
        return { text: await readObject(this.#place, 'insights', owner, head), version };
      } catch (error) {
        if (!(error instanceof DamagedObjectError)) throw error;
        throw new DamagedObjectError(errorMessage(error), { cause: error, version });
      }
    });
  }

  async putCurrent(
    id: string,
    text: string,
    { expected, at }: { readonly expected: string | undefined; readonly at: number },
  ): Promise<CurrentOutcome> {
    assertColdText(text);
    assertColdInstant('at', at);
    // One that is not a version of ours meets none.
    const number = Number(/^\d{1,15}(?=\.)/.exec(expected ?? '') ?? 0);
    const version = `${number + 1}.${randomUUID().slice(0, 8)}`;
    const fileName = made(fileNameOf(CURRENT, at, version));
    return this.#write(id, 'insights', { text, fileName }, async (owner, place) => {
      const { folder, currents } = await listFiles(this.#place, 'insights', owner);
      if (currents[0]?.version?.text !== expected) return 'conflict';
      await place();
      for (const { file } of currents) await rm(join(folder, file), { force: true });
      return 'written';
    });
  }

  async erase(id: string, erasedAt: number, forgetAt: number): Promise<number> {
    const owner = ownerOf(id);
    assertColdInstant('erasedAt', erasedAt);
    assertColdInstant('forgetAt', forgetAt);
    const { digest } = owner;
    return this.#serve(() =>
      this.#locks.hold(this.#place.lock(digest), async () => {
        await assertStanding(this.#place.root);
        const now = this.#clock.now();
        const erasure = await beginErasure(this.#place, digest, { erasedAt, forgetAt, now });
        return finishErasure(this.#place, digest, owner, erasure);
      }),
    );
  }

  async count(id: string): Promise<number> {
    const counted = await this.#look(id, async (owner) => {
      let total = 0;
      for (const kind of COLD_KINDS) total += countFiles(await listFiles(this.#place, kind, owner));
      return total === 0 ? undefined : total;
    });
    return counted ?? 0;
  }

  async sweep(): Promise<number> {
    return this.#serve(async () => {
      await assertStanding(this.#place.root);
      const drafts = await sweepDrafts(this.#place);
      return drafts + (await sweepErasures(this.#place, this.#locks, () => this.#clock.now()));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /**
   * Writes a draft, and lets `decide` put it in its place while nobody else writes to the owner. The draft is on the disk
   * before the lock is taken, so that others wait for a rename only.
   */
  async #write<T>(
    id: string,
    kind: ColdKind,
    { text, fileName: { file, stem, at } }: { text: string; fileName: FileName },
    decide: (owner: Owner, place: () => Promise<void>) => Promise<T>,
  ): Promise<T | 'erased'> {
    const owner = ownerOf(id);
    const { digest } = owner;
    const draft = this.#place.draft(digest, at);
    const folder = this.#place.objects(kind, owner);
    return this.#serve(async () => {
      await writeNew(draft, await pack(`${kind}/${owner.name}/${stem}`, text));
      try {
        return await this.#locks.hold(this.#place.lock(digest), async () => {
          await assertStanding(this.#place.root);
          const erasure = await readErasure(this.#place, digest);
          if (erasure && isInForce(erasure, this.#clock.now()) && at <= erasure.erasedAt)
            return 'erased';
          return decide(owner, async () => {
            await makeFolder(folder);
            await syncFolder(this.#place.kind(kind));
            await moveInto(draft, join(folder, file));
          });
        });
      } finally {
        await rm(draft, { force: true });
      }
    });
  }

  /** Looks until nothing is gone between the listing and the reading. What is not there, is not: the folder still stands. */
  async #look<T>(
    id: string,
    look: (owner: Owner) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const owner = ownerOf(id);
    return this.#serve(async () => {
      for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
        const found = await unlessAbsent(
          look(owner).then((value) => ({ value })),
          undefined,
        );
        if (found?.value === undefined) await assertStanding(this.#place.root);
        if (found) return found.value;
      }
      throw new ColdUnavailableError(
        `the cold tier's folder ${this.#place.root}: what is read changes all the time; try again`,
      );
    });
  }

  async #serve<T>(work: () => Promise<T>): Promise<T> {
    const { root } = this.#place;
    if (this.#closed) throw new ColdUnavailableError(`the cold tier's folder ${root} was closed`);
    return translated(root, work);
  }
}

function made(file: string): FileName {
  const name = readFileName(file);
  if (!name) throw new Error(`${file} is no name of a file of ours`);
  return name;
}
