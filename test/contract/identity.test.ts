import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BlobCold } from '../../src/adapters/cold/blob/blob-cold.ts';
import { connectContainer } from '../../src/adapters/cold/blob/connect.ts';
import { examineContainer, setUpContainer } from '../../src/adapters/cold/blob/set-up.ts';
import { ColdUnavailableError } from '../../src/model/errors.ts';
import { type Azurite, startAzurite } from '../servers/azurite.ts';
import { makeCertificate, trust } from '../servers/certificate.ts';
import { type ManagedIdentity, startManagedIdentity } from '../servers/managed-identity.ts';
import { T, anObject } from './cold.ts';

vi.setConfig({ testTimeout: 60_000 });

const HOUR_MS = 3_600_000;
/** The client asks anew for a token that ends sooner than in five minutes. */
const SHORT_MS = 4 * 60_000;

let identity: ManagedIdentity;
let azurite: Azurite;

beforeAll(async () => {
  identity = await startManagedIdentity();
  const certificate = await makeCertificate();
  trust(certificate);
  azurite = await startAzurite({ certificate });
  for (const [name, value] of Object.entries(identity.environment)) vi.stubEnv(name, value);
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await azurite[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
});

test('a token of the managed identity is kept, and asked for anew when it is about to end', async () => {
  for (const credential of [new DefaultAzureCredential(), new ManagedIdentityCredential()]) {
    // Tokens are kept for the whole process, one for each resource.
    const resource = `https://${credential.constructor.name.toLowerCase()}.azure.net`;
    const token = async (): Promise<string> =>
      (await credential.getToken(`${resource}/.default`)).token;
    const from = identity.issued.length;
    identity.lifetimeMs = SHORT_MS;
    const first = await token();
    identity.lifetimeMs = HOUR_MS;
    const second = await token();
    expect(second).not.toBe(first);
    expect(await token()).toBe(second);
    expect(identity.issued.slice(from).map(({ token: issued }) => issued)).toEqual([first, second]);
    const claims = Buffer.from(second.split('.')[1] ?? '', 'base64url').toString();
    expect(JSON.parse(claims)).toMatchObject({ oid: identity.oid, aud: resource });
  }
});

test('the cold tier is reached as an identity, and outlives its tokens', async () => {
  const lifetimeMs = 3_000;
  identity.lifetimeMs = lifetimeMs;
  const credential = new DefaultAzureCredential({ retryOptions: { maxRetries: 0 } });
  const client = connectContainer({ url: azurite.url, credential }, 'cold', { retryDelayMs: 1 });
  const clock = { now: () => T };
  const cold = new BlobCold({ container: () => client, clock });
  expect(await setUpContainer(client, { apply: true })).toMatchObject([{ level: 'ok' }]);
  expect(await examineContainer(client)).toMatchObject([{ level: 'ok' }]);
  expect(await cold.put('ann', 'insights', anObject('i'))).toBe('written');
  const before = identity.issued.length;
  await sleep(lifetimeMs);
  expect(await cold.get('ann', 'insights', 'i')).toBe(anObject('i').text);
  expect(identity.issued.length).toBeGreaterThan(before);
  await sleep(lifetimeMs);
  identity.status = 500;
  await expect(cold.get('ann', 'insights', 'i')).rejects.toThrow(ColdUnavailableError);
  identity.status = undefined;
  expect(await cold.get('ann', 'insights', 'i')).toBe(anObject('i').text);
});
