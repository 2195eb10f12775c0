import { DefaultAzureCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openRedisTokens } from '../../src/adapters/azure/redis-token.ts';
import { connectRedis } from '../../src/adapters/redis/connection.ts';
import { openConfig } from '../../src/compose-config.ts';
import { openHot } from '../../src/compose.ts';
import { SECOND_MS } from '../../src/model/duration.ts';
import { SecretUnavailableError, UsageError } from '../../src/model/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { trust } from '../servers/certificate.ts';
import { type KeyVault, startKeyVault } from '../servers/key-vault.ts';
import { type ManagedIdentity, startManagedIdentity } from '../servers/managed-identity.ts';
import { testRedis } from '../support/redis-server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const redis = testRedis();
const TIMEOUTS = { redisConnectTimeoutMs: 1_000, redisCommandTimeoutMs: 1_000 };

let identity: ManagedIdentity;
let vault: KeyVault;

beforeAll(async () => {
  identity = await startManagedIdentity();
  for (const [name, value] of Object.entries(identity.environment)) vi.stubEnv(name, value);
  vault = await startKeyVault();
  trust(vault.certificate);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await vault[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
});

/** Lets somebody in with this password, and with no other. */
async function allow(user: string, password: string): Promise<void> {
  const rules = ['on', 'resetpass', '~*', '&*', '+@all', `>${password}`];
  await redis.client().call('ACL', 'SETUSER', user, ...rules);
}

test('Redis is reached with a token of Entra, which is shown again before it ends', async () => {
  // So short a life that the SDK asks for another each time.
  identity.lifetimeMs = 60 * SECOND_MS;
  const time = new VirtualClock();
  const tokens = await openRedisTokens(new DefaultAzureCredential(), { time, log: silentLogger });
  const first = tokens.current();
  expect(first.username).toBe(identity.oid);
  await allow(identity.oid, first.password);
  const client = connectRedis(redis.url, TIMEOUTS, silentLogger, {}, tokens);
  expect(await client.call('ACL', 'WHOAMI')).toBe(identity.oid);

  await time.advanceTo(40 * SECOND_MS);
  await expect.poll(() => tokens.current().password, { timeout: 10_000 }).not.toBe(first.password);
  await allow(identity.oid, tokens.current().password);
  const letIn = (): Promise<unknown> => client.call('ACL', 'WHOAMI').catch(() => undefined);
  await expect.poll(letIn, { timeout: 10_000 }).toBe(identity.oid);
  // Who had not shown the new one would be out from here on.
  await redis.client().call('CLIENT', 'KILL', 'USER', identity.oid);
  await expect.poll(letIn, { timeout: 10_000 }).toBe(identity.oid);
  client.disconnect();
});

test('settings take secrets from the vault, and what was opened with them goes on when one is rotated', async () => {
  identity.lifetimeMs = 3_600 * SECOND_MS;
  vault.set('redis-password', 'first');
  vault.set('model-key', 'sk-1');
  await allow('daemon', 'first');
  const env = {
    REDIS_URL: redis.url,
    REDIS_USERNAME: 'daemon',
    REDIS_PASSWORD: 'keyvault:redis-password',
    OPENAI_API_KEY: 'keyvault:model-key',
    KEY_VAULT_URL: vault.url,
    REKINDLE_SECRETS_EVERY: '1s',
  };
  const config = await openConfig(env);
  expect(config.openaiApiKey).toBe('sk-1');
  const hot = await openHot(config);
  await hot.measureClock();

  vault.set('redis-password', 'second');
  vault.set('model-key', 'sk-2');
  // Both are good for a while, as rotations go.
  const admin = redis.client();
  await admin.call('ACL', 'SETUSER', 'daemon', '>second');
  await expect.poll(() => config.renewed?.current().openaiApiKey, { timeout: 20_000 }).toBe('sk-2');
  await admin.call('ACL', 'SETUSER', 'daemon', '<first');
  await admin.call('CLIENT', 'KILL', 'USER', 'daemon');
  const measured = (): Promise<boolean> =>
    hot.measureClock().then(
      () => true,
      () => false,
    );
  await expect.poll(measured, { timeout: 20_000 }).toBe(true);
  await hot.close();
});

test('a vault that is away, or has no such secret, is said at the start', async () => {
  const env = { REDIS_PASSWORD: 'keyvault:nothing', KEY_VAULT_URL: vault.url };
  await expect(openConfig(env)).rejects.toThrow(UsageError);
  await expect(openConfig({ ...env, KEY_VAULT_URL: '' })).rejects.toThrow('KEY_VAULT_URL');
  vault.judge = () => ({ status: 403 });
  await expect(openConfig(env)).rejects.toThrow(SecretUnavailableError);
  vault.judge = () => 'pass';
});
