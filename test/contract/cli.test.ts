import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startPrivateRedis } from '../../src/cli/private-redis.ts';
import { testRedis } from '../support/redis-server.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const redis = testRedis();

function run(args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 15_000,
    env: { PATH: process.env['PATH'], REDIS_URL: redis.url, ...env },
  });
}

const COMMANDS = [
  'daemon',
  'demo',
  'replay',
  'report',
  'backtest',
  'subscribe',
  'inspect',
  'reconcile',
  'demote',
  'compact',
  'recall',
  'erase',
  'quarantine',
  'deadletters',
  'setup',
  'doctor',
  'config',
];

describe('rekindle', () => {
  test.each(COMMANDS)('%s --help shows an example', (command) => {
    const { status, stdout } = run([command, '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('Example:');
    expect(stdout).toContain(`rekindle ${command}`);
  });

  test.each([
    ['an unknown command', ['frobnicate']],
    ['an unknown option', ['config', '--colour']],
    ['a setting that cannot be read', ['config', '--stages', 'soon']],
    ['no user', ['inspect']],
    ['an empty user', ['inspect', '']],
    ['nobody to erase', ['erase']],
    ['an impossible user to erase', ['erase', 'x'.repeat(513)]],
    ['reconcile without --once', ['reconcile']],
    ['demote without --once', ['demote']],
    ['setup, and not whether to change something', ['setup']],
    ['setup that is to change nothing and something', ['setup', '--check', '--apply']],
    ['dead letters, and not what to do with them', ['deadletters']],
    ['no dead letter to show', ['deadletters', 'show']],
    ['no number of dead letters', ['deadletters', 'list', '--limit', '0']],
    ['a dead letter that nobody can have', ['deadletters', 'drop', 'events:rescue']],
    ['dead letters of no queue', ['deadletters', 'replay', 'jobs:nothing:ann']],
    ['a file that is not there', ['backtest', '--events', 'nowhere.csv', '--idle', '10m']],
  ])('%s is wrong usage: 2, and says so on the standard error alone', (_what, args) => {
    const { status, stdout, stderr } = run(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  test.each([
    ['inspect', 'ann'],
    ['quarantine'],
    ['doctor'],
    ['reconcile', '--once'],
    ['demote', '--once'],
    ['erase', 'ann'],
    ['subscribe', '--json'],
  ])('%s without a Redis fails with 1, names the setting, and keeps the password', (...args) => {
    const { status, stdout, stderr } = run(args, { REDIS_URL: 'redis://me:geheim@127.0.0.1:1' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('ECONNREFUSED');
    expect(stderr).not.toContain('geheim');
  });

  test('--json is JSON', () => {
    for (const args of [['inspect', 'ann'], ['quarantine'], ['config'], ['reconcile', '--once']]) {
      const { status, stdout } = run([...args, '--json']);
      expect(status).toBe(0);
      expect(() => JSON.parse(stdout) as unknown).not.toThrow();
    }
  });

  test('inspect shows each session, where a user has several', { timeout: 60_000 }, async () => {
    const several = { REKINDLE_SESSION_KEY: 'session:<user_id>:<session_id>' };
    const client = redis.client();
    for (const key of ['session:ann:s1', 'session:ann:s2', 'session:anna:s1', 'session:ann'])
      await client.hset(key, 'last_activity', '1800000000');
    const all = run(['inspect', 'ann', '--json'], several);
    expect(all.status).toBe(0);
    expect(JSON.parse(all.stdout)).toMatchObject({
      user: 'ann',
      sessions: [
        { user: 'ann', session_id: 's1', key: 'session:ann:s1' },
        { user: 'ann', session_id: 's2', key: 'session:ann:s2' },
      ],
    });
    const one = run(['inspect', 'ann', '--session', 's2'], several);
    expect(one.stdout).toMatch(/key +session:ann:s2/);
    expect(one.stdout).not.toContain('session:ann:s1');
    expect(run(['inspect', 'ann', '--session', 's2']).status).toBe(2);
  });

  test('--version is that of the package', () => {
    expect(run(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('subscribe ends at SIGTERM with 0', async () => {
    const child = spawn(process.execPath, [main, 'subscribe', '--json'], {
      env: { PATH: process.env['PATH'], REDIS_URL: redis.url },
      stdio: 'ignore',
    });
    const client = redis.client();
    while ((await client.exists('rekindle:events')) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // The group stands a moment before the signals are listened to.
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

describe('a Redis that would lose what must not be lost', () => {
  test.each(['REDIS_URL', 'REKINDLE_QUEUE_REDIS_URL', 'REKINDLE_BUS_REDIS_URL'])(
    'is refused as %s',
    async (setting) => {
      await using evicting = await startPrivateRedis({
        config: { 'maxmemory-policy': 'allkeys-lru' },
      });
      const { status, stderr } = run(['daemon', '--http', 'off'], { [setting]: evicting.url });
      expect(status).toBe(1);
      expect(stderr).toContain('maxmemory-policy is allkeys-lru');
      expect(stderr).toContain('CONFIG SET maxmemory-policy noeviction');
    },
  );
});

describe('doctor', () => {
  /** What it says of the event bus. */
  const ofBus = (url: string): { status: number | null; findings: string[] } => {
    const { status, stdout } = run(['doctor', '--json'], { REKINDLE_BUS_REDIS_URL: url });
    const { findings } = JSON.parse(stdout) as { findings: { level: string; what: string }[] };
    return {
      status,
      findings: findings
        .filter(({ what }) => /event bus|bus$/.test(what.split(':')[0]!))
        .map(({ level, what }) => `${level} ${what}`),
    };
  };

  test('asks the bus’s own Redis what would lose events: of what has no TTL volatile-* evicts nothing', async () => {
    await using own = await startPrivateRedis({
      config: { appendonly: 'yes', 'maxmemory-policy': 'volatile-lru' },
    });
    expect(ofBus(own.url)).toEqual({
      status: 0,
      findings: [
        expect.stringMatching(/^ok event bus: Redis \d/),
        'ok event bus: not a cluster',
        'ok event bus: maxmemory-policy is volatile-lru',
        'ok event bus: the append-only file is on',
        'warn no consumer group reads the bus',
      ],
    });
    const forgetful = ofBus(redis.url.replace('127.0.0.1', 'localhost'));
    expect(forgetful.findings).toContain(
      'warn event bus: nothing is persisted: a restart of Redis loses events that no subscriber has read, for good',
    );
  });

  test('asks the queues’ own Redis what a restart would cost', () => {
    const url = redis.url.replace('127.0.0.1', 'localhost');
    const { stdout } = run(['doctor', '--json'], { REKINDLE_QUEUE_REDIS_URL: url });
    const { findings } = JSON.parse(stdout) as { findings: { what: string }[] };
    expect(findings.map(({ what }) => what)).toContain(
      'job queues: nothing is persisted: a restart of Redis loses queued demotions, which are then made up to an hour late, and dead letters',
    );
  });

  test('warns of a bus that is away, and keeps its password: the daemon starts without it', () => {
    const { status, findings } = ofBus('redis://me:geheim@127.0.0.1:1');
    expect(status).toBe(0);
    expect(findings).toEqual([
      expect.stringMatching(
        /^warn event bus: .*\(REKINDLE_BUS_REDIS_URL\).*ECONNREFUSED.*events wait/,
      ),
      expect.stringMatching(/^warn the event bus is away: .*ECONNREFUSED/),
    ]);
    expect(findings.join()).not.toContain('geheim');
  });
});
