import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { backtestCommand } from '../../src/cli/backtest.ts';
import { UsageError } from '../../src/model/errors.ts';

const HEADER = 'ts_ms,visitor_id,event,item_id,category_id,session_id,price';
const START = Date.UTC(2022, 7, 1);
const MINUTE = 60_000;

let folder = '';
let path = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rekindle-test-'));
  path = join(folder, 'events.csv');
  const rows = [
    `${START},ann,addtocart,shoe,,,20`,
    `${START + MINUTE},bob,addtocart,hat,,,10`,
    `${START},bob,view,hat,,,10`,
    'soon,ann,view,shoe,,,',
    `${START + 20 * MINUTE},ann,view,shoe,,,`,
    `${START + 90 * MINUTE},cleo,view,shoe,,,`,
  ];
  await writeFile(path, [HEADER, ...rows].join('\n'));
});

afterEach(() => {
  vi.restoreAllMocks();
});

afterAll(() => rm(folder, { recursive: true }));

test('it prints a plain table, and what was wrong with the file beside it', async () => {
  const { out, err } = await run('--events', path, '--idle', '10m,30m');
  expect(out).toBe(
    [
      'idle  events  visitors  runs  runs_closed  idle_with_cart  idle_with_new_items  announced  returned_24h',
      ' 10m       5         3     4            3               3                    2          2             1',
      ' 30m       5         3     3            2               2                    2          2             0',
      '',
    ].join('\n'),
  );
  expect(err).toBe(
    [
      `${path}:5: unreadable ts_ms "soon"`,
      `${path}: 1 events stand after later ones; they were taken by their time`,
      '',
    ].join('\n'),
  );
});

test('--json prints rows for programs, with each threshold as it was called', async () => {
  const { out } = await run('--events', path, '--idle', '1h, 90m', '--json');
  const row = { events: 5, visitors: 3, runs: 3 };
  expect(JSON.parse(out)).toEqual({
    rows: [
      {
        ...{ idle: '1h', ...row, runs_closed: 2, idle_with_cart: 2 },
        ...{ idle_with_new_items: 2, announced: 2, returned_24h: 0 },
      },
      {
        ...{ idle: '90m', ...row, runs_closed: 0, idle_with_cart: 0 },
        ...{ idle_with_new_items: 0, announced: 0, returned_24h: 0 },
      },
    ],
    bad_rows: 1,
    late_events: 1,
  });
});

test('--announcements writes them by time', async () => {
  const announcements = join(folder, 'announcements.jsonl');
  await run('--events', path, '--idle', '10m,30m', '--announcements', announcements);
  const lines = (await readFile(announcements, 'utf8')).trim().split('\n');
  const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(said.map(({ idle, user, at }) => [idle, user, at])).toEqual([
    ['10m', 'ann', '2022-08-01T00:10:00.000Z'],
    ['10m', 'bob', '2022-08-01T00:11:00.000Z'],
    ['30m', 'bob', '2022-08-01T00:31:00.000Z'],
    ['30m', 'ann', '2022-08-01T00:50:00.000Z'],
  ]);
  expect(said[0]).toMatchObject({ episode: '2022-08-01T00:00:00.000Z', stage: 0 });
});

test.each([
  [['--idle', '10'], /"10" is no duration/],
  [['--idle', '0m'], /"0m" is no duration/],
  [['--idle', '10m,,30m'], /"" is no duration/],
  [['--idle', '-5m'], /"-5m" is no duration/],
  [['--idle', '10m', '--announcements', '/nowhere/at/all'], /cannot be written/],
])('what cannot be meant is wrong usage: %j', async (flags, message) => {
  const running = run('--events', path, ...flags);
  await expect(running).rejects.toThrow(message);
  await expect(running).rejects.toBeInstanceOf(UsageError);
});

test('it does not write over what it reads', async () => {
  const running = run('--events', path, '--idle', '10m', '--announcements', path);
  await expect(running).rejects.toThrow(/is the file to be read/);
  expect(await readFile(path, 'utf8')).toContain(HEADER);
});

test('its help has an example and the headers that are understood', () => {
  let help = '';
  const command = backtestCommand().configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  expect(help).toContain('rekindle backtest --events clicks.csv --idle 10m,30m,1h');
  expect(help).toContain(HEADER);
});

async function run(...args: readonly string[]): Promise<{ out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
  await backtestCommand().parseAsync(args, { from: 'user' });
  return { out, err };
}
