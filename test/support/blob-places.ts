import { buffer } from 'node:stream/consumers';
import type { ContainerClient } from '@azure/storage-blob';
import { BlobCold, type BlobColdOptions } from '../../src/adapters/cold/blob/blob-cold.ts';
import { connectContainer } from '../../src/adapters/cold/blob/connect.ts';
import { safeName } from '../../src/model/safe-name.ts';
import type { ColdFaults } from '../contract/cold-faults.ts';
import { type ColdHarness, T } from '../contract/cold.ts';
import { type Azurite, startAzurite } from '../servers/azurite.ts';
import { HttpProxy } from '../servers/http-proxy.ts';

/** Containers of one Azurite, each with nothing in it, one after the other. */
export class BlobPlaces implements AsyncDisposable {
  readonly azurite: Azurite;
  readonly #away: HttpProxy;
  #isFailing = false;
  #places = 0;
  #now = T;

  private constructor(azurite: Azurite, away: HttpProxy) {
    this.azurite = azurite;
    this.#away = away;
  }

  static async start(): Promise<BlobPlaces> {
    const azurite = await startAzurite();
    return new BlobPlaces(azurite, await HttpProxy.to(azurite.port));
  }

  readonly harness: ColdHarness = {
    open: async () => {
      this.#places += 1;
      await this.raw.create();
      return this.harness.another();
    },
    another: async () => this.store(),
    now: () => this.#now,
    pass: (ms) => void (this.#now += ms),
  };

  readonly faults: ColdFaults = {
    change: async (owner, kind, name, to) => {
      const blob = this.raw.getBlockBlobClient(`${kind}/${safeName(owner)}/${name}`);
      const { metadata = {}, readableStreamBody: body } = await blob.download();
      const bytes = to(body ? await buffer(body) : Buffer.alloc(0));
      await blob.upload(bytes, bytes.length, { metadata });
    },
    failAfter: (requests) => {
      let left = requests;
      this.#away.judge = () => (left-- > 0 ? 'pass' : 'cut');
      this.#isFailing = true;
      return () => void (this.#isFailing = false);
    },
  };

  /** The container of the store that was opened last, past all that happens to requests of stores. */
  get raw(): ContainerClient {
    return connectContainer(this.azurite, this.containerName);
  }

  get containerName(): string {
    return `place-${this.#places}`;
  }

  /** One more store on the container that was opened last, which sends each request once. */
  store(): BlobCold {
    const direct = connectContainer(this.azurite, this.containerName, { maxTries: 1 });
    const failing = this.client(this.#away, { maxTries: 1 });
    return this.storeOn(() => (this.#isFailing ? failing : direct));
  }

  /** A client of that container by way of a proxy. */
  client(proxy: HttpProxy, options?: Parameters<typeof connectContainer>[2]): ContainerClient {
    const connectionString = proxy.through(this.azurite.connectionString);
    return connectContainer({ connectionString }, this.containerName, options);
  }

  storeOn(container: () => ContainerClient, options: Partial<BlobColdOptions> = {}): BlobCold {
    const clock = { now: () => this.#now };
    return new BlobCold({ container, clock, againDelayMs: 1, ...options });
  }

  /** A store with nothing in it, with another clock; it can be used when its container was made. */
  storeAt(clock: BlobColdOptions['clock']): {
    readonly cold: BlobCold;
    readonly made: Promise<unknown>;
  } {
    this.#places += 1;
    const { raw } = this;
    return { cold: this.storeOn(() => raw, { clock }), made: raw.create() };
  }

  /** The names of all blobs. */
  async blobs(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.raw.listBlobsFlat()) names.push(name);
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#away[Symbol.asyncDispose]();
    await this.azurite[Symbol.asyncDispose]();
  }
}
