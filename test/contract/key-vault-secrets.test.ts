import { inspect } from 'node:util';
import { ManagedIdentityCredential } from '@azure/identity';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  KeyVaultSecrets,
  type KeyVaultOptions,
} from '../../src/adapters/secrets/key-vault/key-vault-secrets.ts';
import { SecretUnavailableError, UsageError, errorMessage } from '../../src/model/errors.ts';
import { trust } from '../servers/certificate.ts';
import { type KeyVault, startKeyVault } from '../servers/key-vault.ts';
import { type ManagedIdentity, startManagedIdentity } from '../servers/managed-identity.ts';

const VALUE = 'c2VjcmV0LW9uZQ==';

let identity: ManagedIdentity;
let vault: KeyVault;
let secrets: KeyVaultSecrets;

beforeAll(async () => {
  identity = await startManagedIdentity();
  vault = await startKeyVault();
  trust(vault.certificate);
  for (const [name, value] of Object.entries(identity.environment)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vault[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
});
beforeEach(() => {
  vault.judge = () => 'pass';
  vault.remove('redis-key');
  vault.set('redis-key', VALUE);
  secrets = vaultSecrets();
});

function vaultSecrets(over: Partial<KeyVaultOptions> = {}): KeyVaultSecrets {
  const credential = new ManagedIdentityCredential({ retryOptions: { maxRetries: 0 } });
  return new KeyVaultSecrets({
    url: vault.url,
    credential,
    isInAzure: false,
    retryDelayMs: 1,
    ...over,
  });
}

/** What a read is refused with. */
async function refusal(
  read: Promise<string>,
  type: new (message: string) => Error = SecretUnavailableError,
): Promise<string> {
  const error: unknown = await read.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(type);
  const shown = inspect(error, { depth: 9 });
  expect(shown).not.toContain(VALUE);
  for (const { token } of identity.issued) expect(shown).not.toContain(token);
  return errorMessage(error);
}

describe('a secret', () => {
  test('is had with a token that the vault asks for, once', async () => {
    const before = { ...vault.requests };
    expect(await secrets.read('redis-key')).toBe(VALUE);
    expect(await secrets.read('redis-key')).toBe(VALUE);
    expect(vault.requests.challenged - before.challenged).toBe(1);
    expect(vault.requests.valid - before.valid).toBe(2);
    expect(identity.issued.map(({ resource }) => resource)).toContain('https://vault.azure.net');
  });

  test('is the latest version', async () => {
    expect(await secrets.read('redis-key')).toBe(VALUE);
    vault.set('redis-key', 'rotated');
    expect(await secrets.read('redis-key')).toBe('rotated');
  });

  test('that is not there, or can be no name, is a wrong setting', async () => {
    expect(await refusal(secrets.read('other'), UsageError)).toMatch(
      /^there is no secret other of/,
    );
    for (const name of ['', 'a/b', 'a b', '../x', 'x'.repeat(128)])
      expect(await refusal(secrets.read(name), UsageError)).toContain('1 to 127 letters');
  });

  test('that is disabled cannot be had now', async () => {
    vault.disable('redis-key');
    expect(await refusal(secrets.read('redis-key'))).toMatch(/disabled \(403\)/);
    vault.set('redis-key', 'anew');
    expect(await secrets.read('redis-key')).toBe('anew');
  });
});

describe('a vault', () => {
  test('that is throttled, busy or cut off is asked again', async () => {
    for (const verdict of [
      { status: 429, headers: { 'retry-after-ms': '1' } },
      { status: 503 },
      'cut',
    ] as const) {
      const from = vault.requests.valid;
      vault.judge = (n) => (n < from + 2 ? verdict : 'pass');
      expect(await secrets.read('redis-key'), JSON.stringify(verdict)).toBe(VALUE);
    }
  });

  test('that stays so is given up', async () => {
    for (const [status, what] of [
      [429, /throttled \(429\)/],
      [500, /refuses \(500\)/],
      [403, /Key Vault Secrets User.*\(403\)/],
    ] as const) {
      vault.judge = () => ({ status });
      const from = vault.requests.valid;
      expect(await refusal(secrets.read('redis-key'))).toMatch(what);
      expect(vault.requests.valid - from).toBeLessThanOrEqual(4);
    }
  });

  test('that does not answer, or says to wait for long, is not waited for', async () => {
    const hasty = vaultSecrets({ timeoutMs: 300 });
    for (const verdict of ['hang', { status: 429, headers: { 'retry-after': '99' } }] as const) {
      vault.judge = () => verdict;
      expect(await refusal(hasty.read('redis-key'))).toContain('did not come in time');
    }
    vault.judge = () => 'hang';
    const gone = AbortSignal.timeout(50);
    await refusal(secrets.read('redis-key', gone));
  });

  test('that is away is told', async () => {
    const nowhere = vaultSecrets({ url: 'https://127.0.0.1:1', maxRetries: 1 });
    expect(await refusal(nowhere.read('redis-key'))).toContain('ECONNREFUSED');
  });

  test('for whose tokens there is nobody is told', async () => {
    const credential = { getToken: () => Promise.reject(new Error('no token: c2VjcmV0LW9uZQ==')) };
    expect(await refusal(vaultSecrets({ credential }).read('redis-key'))).toContain(
      'cannot be had',
    );
    identity.status = undefined;
  });

  test('gets no token at an address that is not in Azure, unless it is told to', async () => {
    const from = vault.requests.valid;
    await refusal(vaultSecrets({ isInAzure: true }).read('redis-key'));
    expect(vault.requests.valid).toBe(from);
  });
});
