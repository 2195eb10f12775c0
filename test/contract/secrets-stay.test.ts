import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { testRedis } from '../support/redis-server.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const redis = testRedis();
// Commands wait for a while for what is away, on a machine that does other things as well.
vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), 'rekindle-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  const rules = ['on', 'resetpass', '~*', '&*', '+@all', `>${SECRETS.redis}`];
  await redis.client().call('ACL', 'SETUSER', 'daemon', ...rules);
});

/** Nobody listens there. */
const NOWHERE = '127.0.0.1:1';

const base64 = (secret: string): string => Buffer.from(secret.repeat(4)).toString('base64');

/** Each of them, as it stands in the settings. */
const SECRETS = {
  redis: 'geheim-redis',
  queue: 'geheim-queue',
  bus: 'geheim-bus',
  cosmos: base64('geheim-cosmos'),
  blob: base64('geheim-blob'),
  sas: 'geheim-sas',
  model: 'geheim-model',
  webhook: 'geheim-webhook',
};

const ON_AZURE: Record<string, string> = {
  REKINDLE_BUS: 'service-bus',
  SERVICEBUS_CONNECTION_STRING: `Endpoint=sb://${NOWHERE};SharedAccessKeyName=all;SharedAccessKey=${SECRETS.bus};UseDevelopmentEmulator=true`,
  SERVICEBUS_ADMIN_URL: `http://${NOWHERE}`,
  REKINDLE_WARM: 'cosmos',
  COSMOS_ACCOUNT_URI: `http://${NOWHERE}/`,
  COSMOS_KEY: SECRETS.cosmos,
  REKINDLE_COLD: 'blob',
  BLOB_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=shop;AccountKey=${SECRETS.blob};BlobEndpoint=http://${NOWHERE}/shop`,
};

const WITH_A_SAS = {
  REKINDLE_COLD: 'blob',
  BLOB_ACCOUNT_URL: `http://${NOWHERE}/shop?sv=2026&sig=${SECRETS.sas}`,
};

/** All that a command prints, on both outputs; `untilMs`: it is stopped then. */
async function printed(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  untilMs = 40_000,
): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      REDIS_URL: redis.url.replace('redis://', `redis://daemon:${SECRETS.redis}@`),
      OPENAI_API_KEY: SECRETS.model,
      REKINDLE_AGENT_WEBHOOK_SECRET: SECRETS.webhook,
      REKINDLE_DATA_DIR: folder,
      REKINDLE_HTTP: 'off',
      LOG_LEVEL: 'trace',
      ...env,
      ...('REDIS_USERNAME' in env && {
        REDIS_HOST: '127.0.0.1',
        REDIS_PORT: String(redis.server.port),
      }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill(), untilMs);
  const all = await Promise.all([text(child.stdout), text(child.stderr)]);
  clearTimeout(timer);
  return all.join('\n');
}

test.each([
  ['config', ['config'], ON_AZURE],
  ['config as JSON', ['config', '--json'], ON_AZURE],
  ['config with a SAS', ['config'], WITH_A_SAS],
  [
    'config with what cannot be read',
    ['config', '--stages', 'soon', '--queue-redis-url', `redis://:${SECRETS.queue}@`],
    ON_AZURE,
  ],
  ['doctor, with nobody there', ['doctor'], ON_AZURE],
  ['doctor, with a SAS and nobody there', ['doctor'], WITH_A_SAS],
  ['setup, with nobody there', ['setup', '--check'], ON_AZURE],
  ['a daemon, with nobody there', ['daemon'], ON_AZURE],
  ['erase, with nobody there', ['erase', 'ada'], ON_AZURE],
  [
    'a connection string that is none',
    ['subscribe', '--json'],
    { ...ON_AZURE, SERVICEBUS_CONNECTION_STRING: `SharedAccessKey=${SECRETS.bus}` },
  ],
  [
    'a Redis that refuses the password',
    ['doctor'],
    { REDIS_URL: '', REDIS_USERNAME: 'daemon', REDIS_PASSWORD: SECRETS.queue },
  ],
] as const)('%s prints none of the secrets', async (_what, args, env) => {
  const all = await printed(args, env, args[0] === 'daemon' ? 4_000 : 40_000);
  expect(all.trim()).not.toBe('');
  for (const secret of Object.values(SECRETS)) expect(all).not.toContain(secret);
});
