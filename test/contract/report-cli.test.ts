import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openBus } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { REPORT_GROUP } from '../../src/rescue/report/reporter.ts';
import { DaemonHttp } from '../support/daemon-http.ts';
import { testRedis } from '../support/redis-server.ts';
import {
  abandonedEvent,
  cancelledEvent,
  erasedEvent,
  recoveredEvent,
  touchedEvent,
} from '../support/sample-events.ts';

/** A command takes a second to start where nothing else runs. */
const PATIENT = { timeout: 60_000 };
const LONGEST_LINE = 100;

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const redis = testRedis();
let folder: string;
let http: DaemonHttp;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-report-'));
  http = await DaemonHttp.onFreePort();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const settings = (): Record<string, string> => ({
  REDIS_URL: redis.url,
  REKINDLE_DATA_DIR: folder,
  REKINDLE_HTTP: http.address,
});

function run(args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [fileOf('src/cli/main.ts'), ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: folder,
    env: { PATH: process.env['PATH'], ...settings(), ...env },
  });
}

function json(args: readonly string[] = []): Record<string, unknown> {
  const { stdout, stderr } = run(['report', ...args, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The same event, an hour ago. */
function recent<E extends AnyEvent>(event: E): E {
  const shift = Date.now() - 3_600_000 - Date.parse(abandonedEvent(1).time);
  const text = JSON.stringify(event).replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (instant) =>
    new Date(Date.parse(instant) + shift).toISOString(),
  );
  return JSON.parse(text) as E;
}

function held(event: ReturnType<typeof abandonedEvent>): AnyEvent {
  const contact = { ...event.data.contact, allowed: 'no', basis: 'holdout' } as const;
  return { ...event, data: { ...event.data, contact } };
}

async function publish(events: readonly AnyEvent[]): Promise<void> {
  const bus = await openBus(loadConfig(settings()));
  try {
    await bus.publish(events.map(recent));
  } finally {
    await bus.close();
  }
}

/** Runs a worker while `work` goes on. */
async function beside(
  worker: readonly string[],
  work: () => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const daemon = spawn(process.execPath, worker, {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: folder,
    env: { PATH: process.env['PATH'], ...settings(), LOG_LEVEL: 'silent', ...env },
  });
  const ended = once(daemon, 'exit');
  try {
    await work();
  } finally {
    daemon.kill('SIGTERM');
  }
  expect(await ended).toEqual([0, null]);
}

const folded = (count: number): Promise<void> =>
  vi.waitFor(
    async () => {
      const metrics = await http.metrics();
      expect(metrics.get('rekindle_report_events_total')).toBe(count);
      expect(metrics.get('rekindle_report_behind_events')).toBe(0);
    },
    { timeout: 30_000, interval: 50 },
  );

const STORIES = [
  ...[1, 2, 3, 4].map(abandonedEvent),
  ...[5, 6].map((n) => held(abandonedEvent(n))),
  ...[touchedEvent(1), touchedEvent(2, 'email'), cancelledEvent(3)],
  ...[recoveredEvent(1), recoveredEvent(5)],
  ...[abandonedEvent(7), touchedEvent(7), erasedEvent(7)],
];

describe('report', PATIENT, () => {
  test('tells what the daemon folded, while it runs and after it was stopped', async () => {
    await publish(STORIES);
    await beside([fileOf('src/cli/main.ts'), 'daemon'], async () => {
      await folded(STORIES.length);
      expect((await http.ready()).checks['report']).toEqual({
        status: 'ok',
        detail: 'events are folded',
      });
      expect(json()).toMatchObject({ behind: 0, rows: [{ announced: 6 }] });
    });
    expect(json(['--since', '2h'])).toMatchObject({
      behind: 0,
      dead_letters: 0,
      rows: [
        {
          ...{ stage: 0, channel: 'whatsapp', announced: 6, touched: 2 },
          allowed: { yes: 4, no: 0, unknown: 0, holdout: 2 },
          cancelled: { resumed: 1 },
          recovered: { assisted: { orders: 2, value: 79.6 } },
        },
      ],
      sent: [
        { stage: 0, channel: 'email', messages: 1, announcements: 1 },
        { stage: 0, channel: 'whatsapp', messages: 1, announcements: 1 },
      ],
      without_announcement: { touched: 0, cancelled: 0, recovered: 0 },
      treatment: { users: 4, recovered: 1, rate: 0.25, value: 39.8, value_per_user: 9.95 },
      control: { users: 2, recovered: 1, rate: 0.5, value: 39.8, value_per_user: 19.9 },
      lift: { difference: -0.25, confidence: 0.95, relative: -0.5, value_per_user: -9.95 },
    });
    const { status, stdout } = run(['report']);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^announcements from \d{4}-.*Z to \d{4}-.*Z$/);
    expect(lines.slice(1)).toEqual([
      '',
      'stage  channel   announced  yes  no  unknown  holdout  touched',
      '    0  whatsapp          6    4   0        0        2        2',
      '',
      'messages sent',
      'stage  sent on   messages  announcements',
      '    0  email            1              1',
      '    0  whatsapp         1              1',
      '',
      'cancelled',
      'stage  channel   resumed  ordered  emptied  opted_out  ended',
      '    0  whatsapp        1        0        0          0      0',
      '',
      'recovered: orders and their value',
      'stage  channel   direct  value  assisted  value  organic  value',
      '    0  whatsapp       0   0.00         2  79.60        0   0.00',
      '',
      'arm        users  ordered   share  value a user',
      'treatment      4        1  25.0 %          9.95',
      'hold-out       2        1  50.0 %         19.90',
      "lift: -25.0 points (95 %: -70.4 to +35.5), -50 % of the hold-out's share",
      'value a user: -9.95 beside the hold-out',
    ]);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(LONGEST_LINE);
    expect(json(['--since', '30m'])).toMatchObject({ rows: [], lift: null });
    const files = readdirSync(folder).filter((name) => name.startsWith('report.sqlite'));
    for (const name of files)
      expect(readFileSync(join(folder, name), 'latin1')).not.toContain(abandonedEvent(7).data.user);
  });

  test('says how many events wait while no reporter runs, and needs no bus', async () => {
    await beside([fileOf('workers/reporter.ts')], async () => {
      await publish(STORIES.slice(0, 1));
      await folded(1);
    });
    await publish(STORIES.slice(1, 4));
    expect(json()).toMatchObject({ behind: 3, rows: [{ announced: 1 }], lift: null });
    const { stdout } = run(['report']);
    expect(stdout).toContain("3 events of the bus are not in it yet; is the daemon's reporter");
    expect(stdout).toContain('lift: not known, no user is in the hold-out: set REKINDLE_HOLDOUT');
    const away = run(['report'], { REKINDLE_BUS_REDIS_URL: 'redis://me:geheim@127.0.0.1:1' });
    expect(away.status).toBe(0);
    expect(away.stdout).toMatch(/how far it is behind the bus is not known: .*ECONNREFUSED/);
    expect(away.stdout + away.stderr).not.toContain('geheim');
    expect(run(['doctor']).stdout).toMatch(/warn +no consumer group reads the bus/);
  });

  test('names a file that is not there and says what to do; makes none', () => {
    const { status, stderr } = run(['report']);
    expect(status).toBe(1);
    expect(stderr).toContain(`there is no report at ${join(folder, 'report.sqlite')}`);
    expect(stderr).toContain('REKINDLE_DATA_DIR');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('names a file that is damaged; so do doctor and the daemon, which does not start', () => {
    writeFileSync(join(folder, 'report.sqlite'), 'no database. '.repeat(100));
    for (const args of [['report'], ['doctor'], ['daemon']]) {
      const { status, stdout, stderr } = run(args);
      expect(status).toBe(1);
      expect(stdout + stderr).toMatch(/the report's file .*report\.sqlite is damaged/);
    }
  });

  test.each([
    [['--since', 'yesterday'], /--since: "yesterday" is no duration/],
    [['--since', '500d'], /goes back as far as REKINDLE_REPORT_TTL/],
    [['--sinze', '7d'], /unknown option/],
  ])('leaves wrong usage %j with 2', (args, said) => {
    const { status, stderr } = run(['report', ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(said);
  });

  test('is said not to be kept while the bus is away, by a daemon that runs and stops all the same', async () => {
    const notKept = async (): Promise<void> => {
      const { code, checks } = await http.ready();
      expect(checks['report']).toMatchObject({ status: 'degraded' });
      expect(checks['report']?.detail).toMatch(/^the report is not kept: .*ECONNREFUSED/);
      expect(code).toBe(200);
    };
    await beside(
      [fileOf('src/cli/main.ts'), 'daemon'],
      () => vi.waitFor(notKept, { timeout: 30_000, interval: 100 }),
      { REKINDLE_BUS_REDIS_URL: 'redis://127.0.0.1:1' },
    );
  });

  test('keeps within 100 columns whatever channels are called and orders are worth', async () => {
    await publish(
      [1, 2].flatMap((n) => {
        const { data, ...event } = abandonedEvent(n);
        const channel = `${'\u001b'.repeat(16)}${'x'.repeat(200)}`;
        const order = recoveredEvent(n);
        return [
          { ...event, data: { ...data, channel } },
          { ...order, data: { ...order.data, value: 123_456_789.5 } },
          touchedEvent(n, 'y'.repeat(64)),
        ];
      }),
    );
    await beside([fileOf('workers/reporter.ts')], () => folded(6));
    const { stdout } = run(['report']);
    expect(stdout).not.toContain('\u001b');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(LONGEST_LINE);
  });

  test('explains itself with an example', () => {
    const { status, stdout } = run(['report', '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('Example:\n  rekindle report --since 30d');
    expect(stdout).not.toContain(REPORT_GROUP);
  });
});
