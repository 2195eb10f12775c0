import { inspect } from 'node:util';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import {
  ContainerSASPermissions,
  type ContainerClient,
  StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} from '@azure/storage-blob';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BlobCold } from '../../src/adapters/cold/blob/blob-cold.ts';
import { connectContainer } from '../../src/adapters/cold/blob/connect.ts';
import { examineContainer, setUpContainer } from '../../src/adapters/cold/blob/set-up.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { ColdUnavailableError, UsageError, errorMessage } from '../../src/model/errors.ts';
import { HttpProxy, type Verdict } from '../servers/http-proxy.ts';
import { BlobPlaces } from '../support/blob-places.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

vi.setConfig({ testTimeout: 60_000 });

let places: BlobPlaces;
let proxy: HttpProxy;
/** Of the container through the proxy: one that sends each request once, and one that tries again. */
let once: BlobCold;
let patient: BlobCold;

const QUICK = { retryDelayMs: 1, maxTries: 4 };

beforeAll(async () => {
  places = await BlobPlaces.start();
  proxy = await HttpProxy.to(places.azurite.port);
}, 60_000);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await places[Symbol.asyncDispose]();
});
beforeEach(async () => {
  proxy.judge = () => 'pass';
  await places.harness.open();
  const [one, many] = [places.client(proxy, { maxTries: 1 }), places.client(proxy, QUICK)];
  once = places.storeOn(() => one);
  patient = places.storeOn(() => many);
});

/** What a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ColdUnavailableError);
  const shown = inspect(error, { depth: 9 });
  expect(shown).not.toContain(places.azurite.key);
  expect(shown).not.toMatch(/sig=|SharedKey/);
  return errorMessage(error);
}

/** The first requests of a method have these fates. */
function fates(method: string, ...verdicts: Verdict[]): void {
  proxy.judge = (passing) => (passing.method === method ? verdicts.shift() : undefined) ?? 'pass';
}

function sasUrl(
  over: { readonly expiresAt?: number; readonly permissions?: string } = {},
  url = places.azurite.url,
): string {
  const { account, key } = places.azurite;
  const sas = generateBlobSASQueryParameters(
    {
      containerName: places.containerName,
      permissions: ContainerSASPermissions.parse(over.permissions ?? 'racwdlt'),
      startsOn: new Date(Date.now() - 2 * DAY_MS),
      expiresOn: new Date(over.expiresAt ?? Date.now() + DAY_MS),
    },
    new StorageSharedKeyCredential(account, key),
  );
  return `${url}?${sas.toString()}`;
}

describe('a write', () => {
  test('whose answer was lost is known as one’s own when it is tried again', async () => {
    fates('PUT', 'lose');
    expect(await patient.put('ann', 'insights', anObject('i'))).toBe('written');
    fates('PUT', 'lose');
    const first = { expected: undefined, at: T };
    expect(await patient.putCurrent('ann', 'now', first)).toBe('written');
    const { version } = (await patient.current('ann')) ?? {};
    fates('PUT', 'lose');
    expect(await patient.putCurrent('ann', 'then', { expected: version, at: T })).toBe('written');
    expect((await patient.current('ann'))?.text).toBe('then');
  });

  test('that was given up may have been done, and can be repeated', async () => {
    fates('PUT', 'lose');
    expect(await refusal(once.put('ann', 'insights', anObject('i')))).toContain('it is away');
    expect(await once.put('ann', 'insights', anObject('i'))).toBe('stands');
  });

  test('that ends half-way leaves nothing', async () => {
    const object = anObject('c', { text: Array.from({ length: 99_999 }, Math.random).join() });
    fates('PUT', 'tear');
    await refusal(once.put('ann', 'transcripts', object));
    expect(await places.blobs()).toEqual([]);
    fates('PUT', 'tear', 'tear');
    expect(await patient.put('ann', 'transcripts', object)).toBe('written');
    expect(await patient.get('ann', 'transcripts', 'c')).toBe(object.text);
  });

  test('that arrives changed is refused by the service', async () => {
    fates('PUT', 'bend');
    expect(await refusal(once.put('ann', 'insights', anObject('i')))).toMatch(/\(400 /);
    expect(await places.blobs()).toEqual([]);
  });
});

describe('a read', () => {
  test('whose answer breaks off is asked again', async () => {
    const text = Array.from({ length: 99_999 }, Math.random).join();
    await once.put('ann', 'transcripts', anObject('c', { text }));
    fates('GET', 'half');
    expect((await patient.get('ann', 'transcripts', 'c')) === text).toBe(true);
  });
});

describe('a service', () => {
  test('that is busy, fails or asks for patience is asked again', async () => {
    for (const status of [500, 503, 429]) {
      fates('PUT', { status }, { status });
      const object = anObject(`i-${status}`);
      expect(await patient.put('ann', 'insights', object), `${status}`).toBe('written');
    }
  });

  test('that stays so is given up after a handful of requests', async () => {
    for (const [status, what] of [
      [503, 'it is busy'],
      [429, 'it is throttled'],
    ] as const) {
      proxy.judge = () => ({ status });
      const before = proxy.requests;
      expect(await refusal(patient.put('ann', 'insights', anObject('i')))).toContain(what);
      expect(proxy.requests - before).toBeLessThan(8);
    }
  });

  test('that does not answer is not waited for', async () => {
    proxy.judge = () => 'hang';
    const client = places.client(proxy, QUICK);
    const cold = places.storeOn(() => client, { callTimeoutMs: 300 });
    expect(await refusal(cold.count('ann'))).toContain('did not answer in time');
    proxy.judge = () => 'pass';
    expect(await cold.count('ann')).toBe(0);
  });

  test('without the container is not taken for one without objects', async () => {
    await places.raw.delete();
    const refused = [
      once.get('ann', 'insights', 'i'),
      once.current('ann'),
      once.names('ann', 'insights', { limit: 1 }),
      once.sweep(),
      once.putCurrent('ann', '', { expected: undefined, at: T }),
    ].map(refusal);
    for (const what of await Promise.all(refused))
      expect(what).toMatch(/setup --apply.*404 ContainerNotFound/);
  });
});

describe('a SAS', () => {
  test('that has ended is refused, and one that takes its place serves the same store', async () => {
    let url = sasUrl({ expiresAt: Date.now() - DAY_MS });
    const cold = places.storeOn(() => connectContainer({ url }, places.containerName, QUICK));
    expect(await refusal(cold.put('ann', 'insights', anObject('i')))).toMatch(/403 \w+/);
    expect(await refusal(cold.count('ann'))).toMatch(/403 \w+/);
    url = sasUrl();
    expect(await cold.put('ann', 'insights', anObject('i'))).toBe('written');
    expect(await cold.erase('ann', T, T * 2)).toBe(1);
  });

  test('serves lists of many pages', async () => {
    const url = sasUrl({}, proxy.through(places.azurite.url));
    const client = connectContainer({ url }, places.containerName, QUICK);
    const cold = places.storeOn(() => client);
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    for (const name of names) await cold.put('ann', 'insights', anObject(name));
    await replaceCurrent(cold, 'ann', 'now');
    let pages = 0;
    proxy.judge = ({ path }) => {
      if (!path.includes('comp=list')) return 'pass';
      pages += 1;
      return { path: `${path}&maxresults=2` };
    };
    expect(await cold.names('ann', 'insights', { limit: 99 })).toEqual(names);
    expect(pages).toBe(4);
    expect(await cold.count('ann')).toBe(8);
    expect(await cold.erase('ann', T, T * 2)).toBe(8);
    proxy.judge = () => 'pass';
    for (const owner of ['bob', 'eve', 'joe']) await cold.erase(owner, T, T + 1);
    proxy.judge = ({ path }) =>
      path.includes('comp=list') ? { path: `${path}&maxresults=2` } : 'pass';
    places.harness.pass(DAY_MS * 365 * 99);
    expect(await cold.sweep()).toBe(4);
  });
});

describe('a blob', () => {
  test('tells its encoding, its instant, and tags for rules of retention', async () => {
    await once.put('Ann:1', 'transcripts', anObject('c'));
    await replaceCurrent(once, 'Ann:1', 'now');
    expect(await places.blobs()).toEqual(['insights/~41nn~3a1/current', 'transcripts/~41nn~3a1/c']);
    const blob = places.raw.getBlobClient('transcripts/~41nn~3a1/c');
    const found = await blob.getProperties();
    expect(found.contentEncoding).toBe('zstd');
    expect(found.metadata).toMatchObject({ at: String(T) });
    expect((await blob.getTags()).tags).toEqual({ kind: 'transcripts', day: '2027-01-15' });
    const current = places.raw.getBlobClient('insights/~41nn~3a1/current');
    expect((await current.getTags()).tags).toMatchObject({ kind: 'current' });
  });

  test('that was stored again with gzip, or plain, and says so, is read', async () => {
    await once.put('ann', 'transcripts', anObject('c'));
    const blob = places.raw.getBlockBlobClient('transcripts/ann/c');
    const { metadata = {} } = await blob.getProperties();
    const plain = zstdDecompressSync(await blob.downloadToBuffer());
    for (const [encoding, bytes] of [
      ['gzip', gzipSync(plain)],
      ['', plain],
    ] as const) {
      await blob.upload(bytes, bytes.length, {
        metadata,
        blobHTTPHeaders: { blobContentEncoding: encoding },
      });
      expect(await once.get('ann', 'transcripts', 'c')).toBe(anObject('c').text);
    }
  });

  test('whose metadata was changed or lost is damaged, and mended by the same put', async () => {
    await once.put('ann', 'transcripts', anObject('c'));
    const blob = places.raw.getBlockBlobClient('transcripts/ann/c');
    for (const metadata of [{ at: String(T - 1) }, {}]) {
      await blob.setMetadata(metadata);
      await expect(once.get('ann', 'transcripts', 'c')).rejects.toThrow(/ann.c is damaged/);
      expect(await once.put('ann', 'transcripts', anObject('c'))).toBe('written');
      expect(await once.get('ann', 'transcripts', 'c')).toBe(anObject('c').text);
    }
  });
});

describe('a tombstone', () => {
  test('that is damaged stops readers and writers of its owner until the erasure is repeated', async () => {
    await once.put('ann', 'insights', anObject('i'));
    await once.erase('ann', T - 1, T * 2);
    const [name = ''] = (await places.blobs()).filter((blob) => blob.startsWith('erasures/'));
    await places.raw.getBlockBlobClient(name).upload('spoilt', 6);
    await expect(once.get('ann', 'insights', 'i')).rejects.toThrow(/erasures.* is damaged/);
    await expect(once.put('ann', 'insights', anObject('i2'))).rejects.toThrow(/is damaged/);
    await expect(once.sweep()).rejects.toThrow(/is damaged/);
    expect(await once.put('bob', 'insights', anObject('i'))).toBe('written');
    expect(await once.erase('ann', T - 1, T * 2)).toBe(0);
    expect(await once.get('ann', 'insights', 'i')).toBe(anObject('i').text);
  });
});

describe('a container', () => {
  const levels = async (client: ContainerClient, tags?: boolean): Promise<string[]> =>
    (await examineContainer(client, { ...(tags !== undefined && { tags }) })).map(
      ({ level, what }) => `${level}: ${what}`,
    );

  test('is made when it is not there, and only when that is wanted', async () => {
    const client = connectContainer(places.azurite, 'another');
    expect(await setUpContainer(client, { apply: false })).toMatchObject([{ level: 'refuse' }]);
    expect(await examineContainer(client)).toMatchObject([
      { level: 'refuse', change: expect.stringContaining('setup --apply') as unknown },
    ]);
    expect(await client.exists()).toBe(false);
    expect(await setUpContainer(client, { apply: true })).toMatchObject([
      { level: 'ok', what: expect.stringContaining('was made') as unknown },
    ]);
    for (const apply of [true, false])
      expect(await setUpContainer(client, { apply })).toMatchObject([
        { level: 'ok', what: expect.stringContaining('is there') as unknown },
      ]);
    expect(await levels(client)).toEqual(['ok: the container another can be used']);
  });

  test('that may not be tagged, written to or reached is refused in words', async () => {
    const client = (permissions: string): ContainerClient =>
      connectContainer({ url: sasUrl({ permissions }) }, places.containerName, QUICK);
    // Azurite lets everybody tag.
    proxy.judge = ({ headers }) => ('x-ms-tags' in headers ? { status: 403 } : 'pass');
    const tagless = places.client(proxy, QUICK);
    expect(await levels(tagless)).toEqual([expect.stringContaining('takes no tags')]);
    expect(await levels(tagless, false)).toEqual([expect.stringMatching(/^ok/)]);
    expect(await refusal(once.put('ann', 'insights', anObject('i')))).toContain('Data Owner');
    expect(await levels(client('rl'), false)).toEqual([expect.stringMatching(/^refuse: .*403/)]);
    const nowhere = { url: 'http://127.0.0.1:1/account' };
    expect(await levels(connectContainer(nowhere, 'c', QUICK))).toEqual([
      expect.stringMatching(/^refuse: .*it is away.*ECONNREFUSED/),
    ]);
    expect(await places.blobs()).toEqual([]);
  });
});

test('what names no account is refused, and not repeated', () => {
  for (const account of [
    { connectionString: 'AccountKey=c2VjcmV0;nonsense' },
    { connectionString: '' },
    { url: 'nonsense?sig=c2VjcmV0' },
  ]) {
    let error: unknown;
    try {
      connectContainer(account, 'c');
    } catch (reason) {
      error = reason;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect(inspect(error)).not.toContain('c2VjcmV0');
  }
});
