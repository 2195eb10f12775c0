import { CURRENT, assertColdName, assertColdText } from '../../src/model/cold-object.ts';
import { ColdUnavailableError, UsageError } from '../../src/model/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import {
  COLD_PAGE_MAX,
  type ColdKind,
  type ColdObject,
  type ColdStore,
  type CurrentObject,
  type CurrentOutcome,
  type PutOutcome,
} from '../../src/ports/cold.ts';

interface Stored {
  readonly text: string;
  readonly at: number;
  readonly version: string;
}

/** A cold tier that keeps nothing: for histories by the thousand. It passes the suite of the others. */
export class MemoryCold implements ColdStore {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #tombstones = new Map<
    string,
    { readonly erasedAt: number; readonly forgetAt: number }
  >();
  #versions = 0;
  #closed = false;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  async put(owner: string, kind: ColdKind, { name, text, at }: ColdObject): Promise<PutOutcome> {
    assertColdName(name);
    assertColdText(text);
    assertInstant(at);
    const own = this.#of(owner);
    if (this.#isErased(owner, at)) return 'erased';
    const key = `${kind}/${name}`;
    if (own.has(key)) return 'stands';
    own.set(key, { text, at, version: '' });
    return 'written';
  }

  async get(owner: string, kind: ColdKind, name: string): Promise<string | undefined> {
    return this.#of(owner).get(`${kind}/${name}`)?.text;
  }

  async names(
    owner: string,
    kind: ColdKind,
    { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > COLD_PAGE_MAX)
      throw new UsageError(`a limit is a whole number from 1 to ${COLD_PAGE_MAX}; got ${limit}`);
    return [...this.#of(owner).keys()]
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.slice(kind.length + 1))
      .filter((name) => name > after)
      .toSorted()
      .slice(0, limit);
  }

  async current(owner: string): Promise<CurrentObject | undefined> {
    const stored = this.#of(owner).get(CURRENT);
    return stored && { text: stored.text, version: stored.version };
  }

  async putCurrent(
    owner: string,
    text: string,
    { expected, at }: { readonly expected: string | undefined; readonly at: number },
  ): Promise<CurrentOutcome> {
    assertColdText(text);
    assertInstant(at);
    const own = this.#of(owner);
    if (this.#isErased(owner, at)) return 'erased';
    if (own.get(CURRENT)?.version !== expected) return 'conflict';
    this.#versions += 1;
    own.set(CURRENT, { text, at, version: String(this.#versions) });
    return 'written';
  }

  async erase(owner: string, erasedAt: number, forgetAt: number): Promise<number> {
    assertInstant(erasedAt);
    const standing = this.#tombstones.get(owner);
    const before = standing && standing.forgetAt > this.#clock.now() ? standing : undefined;
    this.#tombstones.set(owner, {
      erasedAt: Math.max(erasedAt, before?.erasedAt ?? -Infinity),
      forgetAt: Math.max(forgetAt, before?.forgetAt ?? -Infinity),
    });
    const own = this.#of(owner);
    const gone = [...own].filter(([, { at }]) => at <= erasedAt);
    for (const [key] of gone) own.delete(key);
    return gone.length;
  }

  async count(owner: string): Promise<number> {
    return this.#of(owner).size;
  }

  async sweep(): Promise<number> {
    const over = [...this.#tombstones].filter(([, { forgetAt }]) => forgetAt <= this.#clock.now());
    for (const [owner] of over) this.#tombstones.delete(owner);
    return over.length;
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #isErased(owner: string, at: number): boolean {
    const tombstone = this.#tombstones.get(owner);
    return (
      tombstone !== undefined && tombstone.forgetAt > this.#clock.now() && at <= tombstone.erasedAt
    );
  }

  #of(owner: string): Map<string, Stored> {
    if (this.#closed) throw new ColdUnavailableError('the cold tier was closed');
    if (owner === '' || !owner.isWellFormed()) throw new UsageError('this can be no owner');
    let own = this.#objects.get(owner);
    if (!own) {
      own = new Map();
      this.#objects.set(owner, own);
    }
    return own;
  }
}

function assertInstant(at: number): void {
  if (!Number.isSafeInteger(at)) throw new UsageError(`${at} is no instant`);
}
