import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { type BlobRequestConditions, type ContainerClient, RestError } from '@azure/storage-blob';
import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { PACKED_MAX_BYTES } from '../../../model/cold-envelope.ts';
import { codeOf, inOurWords, isBrokenOff } from './trouble.ts';

/** What is known of a blob without reading it. */
export interface Standing {
  readonly name: string;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `bytes` is undefined for one that is larger than anything of ours. */
export interface Content extends Standing {
  readonly bytes: Buffer | undefined;
}

export interface Draft {
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** The ETag of what it replaces; undefined: there must be nothing of this name. */
  readonly over: string | undefined;
}

export interface BlobsOptions {
  /** Asked for each request, so that a key or SAS that was replaced serves from then on. */
  readonly container: () => ContainerClient;
  /** How long a call may take, all tries together; real time, for no other clock moves a network. */
  readonly callTimeoutMs: number;
  readonly again: { readonly attempts: number; readonly delayMs: number };
}

/** In the metadata of each blob: which call wrote it, unlike any other. */
const WRITE = 'write';

const CONTENT_TYPE = 'application/json';
const ENCODING = 'zstd';

/** Blobs of one container: each call is over in bounded time, and rejects with ColdUnavailableError if it failed. */
export class Blobs {
  readonly #options: BlobsOptions;
  readonly #patiently;

  constructor(options: BlobsOptions) {
    this.#options = options;
    const { attempts, delayMs } = options.again;
    // The client tries again by itself, but not where it was told that it asks too much, nor where an answer broke off.
    this.#patiently = retry(
      handleWhen((error) =>
        error instanceof RestError ? error.statusCode === 429 : isBrokenOff(error),
      ),
      {
        maxAttempts: attempts,
        backoff: new ExponentialBackoff({ initialDelay: delayMs, maxDelay: delayMs * 8 }),
      },
    );
  }

  get containerName(): string {
    return this.#options.container().containerName;
  }

  async read(name: string): Promise<Content | undefined> {
    return this.#call(async (container, abortSignal) => {
      try {
        const found = await container.getBlobClient(name).download(0, undefined, { abortSignal });
        const { etag = '', metadata = {}, contentLength = 0, readableStreamBody: body } = found;
        const known = { name, etag, metadata };
        if (contentLength > PACKED_MAX_BYTES) {
          if (body && 'destroy' in body) (body as unknown as { destroy(): void }).destroy();
          return { ...known, bytes: undefined };
        }
        return { ...known, bytes: body ? await buffer(body) : Buffer.alloc(0) };
      } catch (error) {
        assertIs(error, ABSENT);
        return undefined;
      }
    });
  }

  async head(name: string): Promise<Standing | undefined> {
    return this.#call(async (container, abortSignal) => {
      try {
        const found = await container.getBlobClient(name).getProperties({ abortSignal });
        return { name, etag: found.etag ?? '', metadata: found.metadata ?? {} };
      } catch (error) {
        assertIs(error, ABSENT);
        return undefined;
      }
    });
  }

  /**
   * Writes a blob in one step; what arrives torn is refused.
   * @returns its ETag; undefined: something else stands than was to be replaced
   */
  async write(name: string, { bytes, metadata, tags, over }: Draft): Promise<string | undefined> {
    const write = randomUUID();
    const conditions: BlobRequestConditions =
      over === undefined ? { ifNoneMatch: '*' } : { ifMatch: over };
    const etag = await this.#call(async (container, abortSignal) => {
      try {
        const done = await container.getBlockBlobClient(name).upload(bytes, bytes.length, {
          abortSignal,
          conditions,
          metadata: { ...metadata, [WRITE]: write },
          blobHTTPHeaders: { blobContentType: CONTENT_TYPE, blobContentEncoding: ENCODING },
          transactionalContentMD5: createHash('md5').update(bytes).digest(),
          ...(tags && { tags: { ...tags } }),
        });
        return done.etag ?? '';
      } catch (error) {
        assertIs(error, CONFLICT);
        return undefined;
      }
    });
    if (etag !== undefined) return etag;
    // An answer that was lost made the client write again, over what it had written.
    const standing = await this.head(name);
    return standing?.metadata[WRITE] === write ? standing.etag : undefined;
  }

  /** Removes what stands under this ETag. */
  async remove(name: string, etag: string): Promise<'removed' | 'gone' | 'changed'> {
    return this.#call(async (container, abortSignal) => {
      try {
        const conditions = { ifMatch: etag };
        await container.getBlobClient(name).delete({ abortSignal, conditions });
        return 'removed';
      } catch (error) {
        if (is(error, ABSENT)) return 'gone';
        if (is(error, CONFLICT)) return 'changed';
        throw error;
      }
    });
  }

  /** Blobs whose names begin so, in the order of their names, page by page. */
  async *list(prefix: string): AsyncGenerator<Standing> {
    let continuationToken: string | undefined;
    do {
      const page = await this.#call(async (container, abortSignal) => {
        const pages = container
          .listBlobsFlat({ prefix, includeMetadata: true, abortSignal })
          .byPage({ ...(continuationToken !== undefined && { continuationToken }) });
        const next = await pages.next();
        return next.done ? undefined : next.value;
      });
      for (const { name, properties, metadata = {} } of page?.segment.blobItems ?? [])
        yield { name, etag: quoted(properties.etag), metadata };
      continuationToken = page?.continuationToken;
      // The last page has an empty one.
    } while (continuationToken);
  }

  async #call<T>(
    work: (container: ContainerClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { container, callTimeoutMs } = this.#options;
    const signal = AbortSignal.timeout(callTimeoutMs);
    try {
      return await this.#patiently.execute(() => work(container(), signal), signal);
    } catch (error) {
      throw inOurWords(this.containerName, error, { isLate: signal.aborted });
    }
  }
}

const ABSENT: readonly string[] = ['BlobNotFound'];
const CONFLICT: readonly string[] = [
  'BlobAlreadyExists',
  'ConditionNotMet',
  'TargetConditionNotMet',
];

function is(error: unknown, codes: readonly string[]): boolean {
  return error instanceof RestError && codes.includes(codeOf(error) ?? '');
}

/** Throws an error of other codes. */
function assertIs(error: unknown, codes: readonly string[]): void {
  if (!is(error, codes)) throw error;
}

/** In lists, some servers leave out the quotation marks that belong to an ETag. */
function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
