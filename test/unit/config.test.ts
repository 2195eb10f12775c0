import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeConfig, loadConfig, settingsTable } from '../../src/config.ts';
import { UsageError } from '../../src/model/errors.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';

describe('settings', () => {
  test('have defaults that a bare machine can start with', () => {
    const config = loadConfig({});
    expect(config.redisUrl).toBe('redis://127.0.0.1:6379');
    expect(config.queueRedisUrl).toBe(config.redisUrl);
    expect(config.busRedisUrl).toBe(config.redisUrl);
    expect(config.stagesMs).toEqual([30 * MINUTE_MS, 20 * HOUR_MS, 72 * HOUR_MS]);
    expect(config.maxCartBytes).toBe(65_536);
    expect(config.quietHours).toEqual({ fromMinute: 21 * 60, toMinute: 8 * 60 });
    expect(config.http).toEqual({ host: '127.0.0.1', port: 8787 });
  });

  test('cannot be changed once they are read', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.stagesMs)).toBe(true);
    expect(Object.isFrozen(config.quietHours)).toBe(true);
  });

  test('that are empty count as not set', () => {
    expect(loadConfig({ REKINDLE_COOLDOWN: ' ' }).cooldownMs).toBe(7 * DAY_MS);
  });

  test.each([
    ['REKINDLE_STAGES', '90s, 5m', { stagesMs: [90_000, 300_000] }],
    ['REKINDLE_STAGES', '500ms', { stagesMs: [500] }],
    ['REKINDLE_MAX_CART', '2 MiB', { maxCartBytes: 2_097_152 }],
    ['REKINDLE_MAX_CART', '1000', { maxCartBytes: 1_000 }],
    ['REKINDLE_QUIET_HOURS', 'off', { quietHours: undefined }],
    ['REKINDLE_QUIET_HOURS', '9:05 - 17:30', { quietHours: { fromMinute: 545, toMinute: 1_050 } }],
    ['REKINDLE_TIMEZONE', 'Europe/Berlin', { timezone: 'Europe/Berlin' }],
    ['REKINDLE_FREQUENCY_CAP', '3/7d', { frequencyCap: { count: 3, windowMs: 7 * DAY_MS } }],
    ['REKINDLE_FREQUENCY_CAP', '1 / 90m', { frequencyCap: { count: 1, windowMs: 90 * MINUTE_MS } }],
    ['REKINDLE_FREQUENCY_CAP', 'Off', { frequencyCap: undefined }],
    ['REKINDLE_HOLDOUT', '0.05', { holdout: 0.05 }],
    ['REKINDLE_HOLDOUT', '0.5', { holdout: 0.5 }],
    ['REKINDLE_ATTRIBUTION', 'email=5d', { attributionMs: { email: 5 * DAY_MS } }],
    [
      'REKINDLE_ATTRIBUTION',
      'chat = 24h, WhatsApp=2h',
      { attributionMs: { chat: DAY_MS, whatsapp: 2 * HOUR_MS } },
    ],
    ['REKINDLE_FOREIGN', 'Manage', { foreign: 'manage' }],
    ['REKINDLE_MIN_CART_VALUE', '19.90', { minCartValue: 19.9 }],
    ['REKINDLE_HTTP', '[::1]:0', { http: { host: '::1', port: 0 } }],
    ['REKINDLE_HTTP', 'off', { http: undefined }],
    ['REKINDLE_SESSION_KEY', 'shop:{<user_id>}:s', { sessionKey: 'shop:{<user_id>}:s' }],
    ['REKINDLE_SESSION_KEY', '<session_id>/<user_id>', { sessionKey: '<session_id>/<user_id>' }],
    ['LOG_LEVEL', 'WARN', { logLevel: 'warn' }],
  ])('%s=%s is read', (name, text, expected) => {
    expect(loadConfig({ [name]: text })).toMatchObject(expected);
  });

  test.each([
    ['REKINDLE_STAGES', '30'],
    ['REKINDLE_STAGES', '0s'],
    ['REKINDLE_STAGES', '30m,20m'],
    ['REKINDLE_STAGES', '30m,,72h'],
    ['REKINDLE_COOLDOWN', '1 week'],
    ['REKINDLE_COOLDOWN', '-7d'],
    ['REKINDLE_COOLDOWN', '1.5d'],
    ['REKINDLE_COOLDOWN', '999999999d'],
    ['REKINDLE_HOT_GRACE', '0s'],
    ['REKINDLE_LEASE', '999ms'],
    ['REKINDLE_MAX_CART', '0'],
    ['REKINDLE_MAX_CART', '64GB'],
    ['REKINDLE_QUIET_HOURS', '25:00-08:00'],
    ['REKINDLE_QUIET_HOURS', '08:00-08:00'],
    ['REKINDLE_TIMEZONE', 'Mars/Olympus'],
    ['REKINDLE_FREQUENCY_CAP', '3'],
    ['REKINDLE_FREQUENCY_CAP', '0/7d'],
    ['REKINDLE_FREQUENCY_CAP', '3/week'],
    ['REKINDLE_HOLDOUT', '0.6'],
    ['REKINDLE_HOLDOUT', '-0.1'],
    ['REKINDLE_HOLDOUT', '10%'],
    ['REKINDLE_ATTRIBUTION', '24h'],
    ['REKINDLE_ATTRIBUTION', 'chat=0h'],
    ['REKINDLE_ATTRIBUTION', 'chat=1h,Chat=2h'],
    ['REKINDLE_FOREIGN', 'steal'],
    ['REKINDLE_BUS', 'kafka'],
    ['REKINDLE_WINDOW', '0'],
    ['REKINDLE_HTTP', '8787'],
    ['REKINDLE_HTTP', 'localhost:99999'],
    ['REKINDLE_PREFIX', 're*'],
    ['REKINDLE_SESSION_KEY', 'session:<user>'],
    ['REKINDLE_SESSION_KEY', '<user_id>'],
    ['REKINDLE_SESSION_KEY', '<user_id>:<user_id>'],
    ['REKINDLE_SESSION_KEY', 'session:<session_id>'],
    ['REKINDLE_SESSION_KEY', 's:<user_id><session_id>'],
    ['REKINDLE_SESSION_KEY', 's:<user_id>:<session_id>:<session_id>'],
    ['LOG_LEVEL', 'loud'],
    ['REDIS_PORT', '0'],
  ])('%s=%s is refused with setting, value and the accepted form', (name, text) => {
    expect(mistakesOf({ [name]: text })).toEqual([
      expect.stringMatching(/^\w+=.* \(environment\): cannot be read: give .+/),
    ]);
    expect(mistakesOf({ [name]: text })[0]).toContain(`${name}=${text} `);
  });

  test.each([
    [{ REDIS_CLUSTER: 'true' }, /not supported yet/],
    [{ REKINDLE_LEDGER_TTL: '10d' }, /must exceed .* \(10d\)/],
    [{ REKINDLE_SESSION_KEY: 'rekindle:<user_id>' }, /must not begin with/],
    [{ REDIS_PORT: 'tcp://10.0.0.1:6379' }, /Kubernetes/],
  ])('%o is refused in words of its own', (env, words) => {
    expect(mistakesOf(env)).toEqual([expect.stringMatching(words)]);
  });

  test('with several mistakes are reported together', () => {
    expect(
      mistakesOf({ REKINDLE_STAGE: '30m', REKINDLE_COOLDOWN: 'soon', REKINDLE_BUS: 'kafka' }),
    ).toHaveLength(3);
  });

  test.each([
    ['REKINDLE_STAGE', 'REKINDLE_STAGES'],
    ['REKINDLE_COOL_DOWN', 'REKINDLE_COOLDOWN'],
    ['REKINDLE_REDIS_URL', 'REKINDLE_BUS_REDIS_URL'],
  ])('of an unknown name %s are refused with the nearest right one', (wrong, right) => {
    expect(mistakesOf({ [wrong]: 'x' })).toEqual([
      `${wrong} (environment) is no setting: did you mean ${right}?`,
    ]);
  });

  test('that Kubernetes makes up for a service called rekindle are not ours', () => {
    expect(
      mistakesOf({
        REKINDLE_PORT: 'tcp://10.0.0.7:8787',
        REKINDLE_PORT_8787_TCP_ADDR: '10.0.0.7',
        REKINDLE_SERVICE_HOST: '10.0.0.7',
        REKINDLE_WATCHER_SERVICE_PORT_HTTP: '8787',
      }),
    ).toEqual([]);
    expect(mistakesOf({ REKINDLE_HTTP_PORT: '8787' })).toHaveLength(1);
  });
});

describe('the Redis', () => {
  test.each([
    [{ REDIS_HOST: 'cache' }, 'redis://cache'],
    [{ REDIS_PORT: '6380', REDIS_DB: '2' }, 'redis://127.0.0.1:6380/2'],
    [{ REDIS_HOST: '::1', REDIS_SSL: 'true' }, 'rediss://[::1]'],
    [{ REDIS_URL: 'redis://a:1/0', REDIS_HOST: 'b', REDIS_PORT: 'tcp://c:2' }, 'redis://a:1/0'],
    [{ REDIS_URL: 'rediss://a', REDIS_PASSWORD: 'p@s/:#%' }, 'rediss://:p%40s%2F%3A%23%25@a'],
    [{ REDIS_URL: 'redis://u:own@a', REDIS_PASSWORD: 'other' }, 'redis://u:own@a'],
    [{ REDIS_HOST: 'a', REDIS_USERNAME: 'u', REDIS_PASSWORD: ' p ' }, 'redis://u:%20p%20@a'],
  ])('%o is one URL', (env, url) => {
    expect(loadConfig(env).redisUrl).toBe(url);
  });

  test('is the later source’s, whichever way it is written', () => {
    expect(
      loadConfig({ REDIS_URL: 'redis://a' }, { flags: { redisHost: 'b', 'redis-port': 7 } })
        .redisUrl,
    ).toBe('redis://b:7');
  });

  test('of the queues, and that of the bus, may be others', () => {
    expect(
      loadConfig({ REDIS_URL: 'redis://s', REKINDLE_QUEUE_REDIS_URL: 'redis://q' }),
    ).toMatchObject({
      redisUrl: 'redis://s',
      queueRedisUrl: 'redis://q',
      busRedisUrl: 'redis://s',
    });
    expect(
      loadConfig({ REDIS_URL: 'redis://s', REKINDLE_BUS_REDIS_URL: 'redis://b' }),
    ).toMatchObject({
      redisUrl: 'redis://s',
      queueRedisUrl: 'redis://s',
      busRedisUrl: 'redis://b',
    });
  });
});

describe('a secret', () => {
  const SECRET = 'hunter2';

  test.each([
    { REDIS_URL: `redis://:${SECRET}@:x` },
    { REDIS_URL: `redis://:a/${SECRET}@host` },
    { REDIS_URL: `redis://:a#b@${SECRET}@host` },
    { REDIS_URL: SECRET },
    { REDIS_URL: `http://u:${SECRET}@host` },
    { REDIS_HOST: `redis://:${SECRET}@host` },
    { REKINDLE_QUEUE_REDIS_URL: `redis://:${SECRET}@` },
    { REKINDLE_BUS_REDIS_URL: `redis://:${SECRET}@` },
    { REKINDLE_SECRET: SECRET },
    { REKINDLE_HTTP: `http://u:${SECRET}@host` },
  ])('is in no error: %o', (env) => {
    expect(mistakesOf(env)).toHaveLength(1);
    expect(mistakesOf(env).join()).not.toContain(SECRET);
  });

  test.each([
    { REDIS_URL: `redis://u:${SECRET}@host/1` },
    { REDIS_URL: `redis://host?password=${SECRET}` },
    { REDIS_HOST: 'host', REDIS_PASSWORD: `a://${SECRET}` },
    { REKINDLE_QUEUE_REDIS_URL: `rediss://:${SECRET}@q` },
    { REKINDLE_BUS_REDIS_URL: `rediss://:${SECRET}@b` },
  ])('is masked in what is in force: %o', (env) => {
    expect(JSON.stringify(describeConfig(env))).not.toContain(SECRET);
    expect(JSON.stringify(describeConfig(env))).toContain('***');
  });
});

describe('where settings come from', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'rekindle-config-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('a flag wins over the environment, that over the file, that over the default', () => {
    const envFile = join(directory, '.env');
    writeFileSync(
      envFile,
      'REKINDLE_COOLDOWN=1d\nREKINDLE_LEASE="2s" # why\nREKINDLE_WINDOW=3\nOTHER=x\n',
    );
    const env = { REKINDLE_COOLDOWN: '2d', REKINDLE_LEASE: '4s' };
    const options = { envFile, flags: { cooldown: '3d', json: true, 'min-cart-value': 5 } };
    expect(loadConfig(env, options)).toMatchObject({
      cooldownMs: 3 * DAY_MS,
      leaseMs: 4_000,
      windowMessages: 3,
      minCartValue: 5,
    });
    const rows = new Map(describeConfig(env, options).map((row) => [row.name, row]));
    expect(rows.get('REKINDLE_COOLDOWN')).toMatchObject({ value: '3d', source: 'flag' });
    expect(rows.get('REKINDLE_LEASE')).toMatchObject({ value: '4s', source: 'environment' });
    expect(rows.get('REKINDLE_WINDOW')).toMatchObject({ value: '3', source: '.env' });
    expect(rows.get('REKINDLE_STAGES')).toMatchObject({ value: '30m,20h,72h', source: 'default' });
  });

  test('a file that is not there is fine, one that cannot be read is not', () => {
    expect(loadConfig({}, { envFile: join(directory, 'none') }).windowMessages).toBe(10);
    expect(() => loadConfig({}, { envFile: directory })).toThrow(UsageError);
  });

  test('the table names every setting once, with a flag that works', () => {
    const rows = settingsTable();
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    expect(rows.every((row) => row.means.endsWith('.') && row.accepts !== '')).toBe(true);
    const flags = Object.fromEntries(rows.map((row) => [row.flag.slice(2), row.default]));
    expect(loadConfig({}, { flags })).toEqual(loadConfig({}));
  });
});

function mistakesOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message.split('\n');
  }
}
