import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Figure,
  type Sample,
  type Series,
  measureFigures,
  measureSeries,
} from '../../bench/harness.ts';
import { parseReport } from '../../bench/report.ts';
import { askBoth } from '../../bench/warm/questions.ts';

const RUN = resolve(import.meta.dirname, '../../bench/run.ts');
const run = promisify(execFile);

/** Where other work keeps the cores busy, too. */
const THOUSANDS_OF_RECALLS_MS = 60_000;

const terms = { sessions: 1, runs: 3, onSample: () => undefined };

test('prints its contract, and nothing else, into a pipe', async () => {
  const args = [RUN, '--only', 'MEMORY per', '--sessions', '1000', '--runs', '1', '--json'];
  const { stdout, stderr } = await run(process.execPath, args);
  expect(stderr).toBe('');
  const { rows } = parseReport(stdout);
  expect(rows).toMatchObject([
    { name: 'Redis memory per watched session', unit: 'B', sessions: 1_000, runs: 1 },
  ]);
  expect(rows[0]!.ours).toBeGreaterThan(0);
  expect(rows[0]!.peer).toBeGreaterThan(rows[0]!.ours);
});

test('the warm tier is measured beside bare SQL, in as many entries as asked for', async () => {
  const args = [RUN, '--only', 'warm tier', '--sessions', '600', '--runs', '1', '--json'];
  const { stdout, stderr } = await run(process.execPath, args);
  expect(stderr).toBe('');
  const { rows } = parseReport(stdout);
  const kinds = ['by time', 'by attribute', 'by text', 'by similarity'];
  expect(rows.map(({ name }) => name)).toEqual([
    ...kinds.flatMap((kind) => ['p50', 'p99'].map((what) => `warm tier, query ${kind}, ${what}`)),
    'warm tier, erase an owner',
    'warm tier, erase an owner, longest wait of the event loop',
  ]);
  for (const row of rows) {
    expect(row).toMatchObject({ unit: 'ms', sessions: 600, of: 'entries of others', runs: 1 });
    expect(row.ours).toBeGreaterThan(0);
    expect(row.peer).toBeGreaterThan(0);
    expect(row.note).toContain('owner with 60 entries');
  }
});

describe('what is there to compact', () => {
  const dialogue = [
    '#Person1#: Hi! I wear size M. Do you have the blue shirt?',
    '#Person2#: We have it in M and in L, and it is twenty euros.',
    '#Person1#: Great, I like blue. I take it in M.',
  ].join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  const dialogues = join(folder, 'dialogues.jsonl');
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is measured beside bare files, as often as asked for', async () => {
    writeFileSync(dialogues, JSON.stringify({ dialogue, summary: 'A shirt is bought.' }));
    const terms = ['--dialogsum', dialogues, '--sessions', '7', '--runs', '1', '--json'];
    const { stdout, stderr } = await run(process.execPath, [RUN, '--only', 'compaction', ...terms]);
    expect(stderr).toBe('');
    const { rows, leftOut } = parseReport(stdout);
    expect(leftOut).toBeUndefined();
    expect(rows.map(({ name, unit }) => [name, unit])).toEqual([
      ['compaction, JSON of messages', 'MB/s'],
      ['compaction, conversations', '1/s'],
      ['compaction, compression ratio', 'x'],
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ sessions: 7, of: 'conversations', runs: 1 });
      expect(row.ours).toBeGreaterThan(0);
      expect(row.peer).toBeGreaterThan(0);
      expect(row.note).toContain('in 3.0 messages');
    }
  });

  test('is wrong usage if it is named and not there', async () => {
    const args = [RUN, '--only', 'compaction', '--dialogsum', join(folder, 'none')];
    await expect(run(process.execPath, args)).rejects.toMatchObject({ code: 2, stdout: '' });
  });

  test('is left out where it is not there, with the reason', async () => {
    // The default lies beside the project, and nothing beside this folder.
    const cwd = join(folder, 'inner');
    mkdirSync(cwd);
    const only = ['--only', 'compaction', '--only', 'memory per'];
    const args = [RUN, ...only, '--sessions', '10', '--runs', '1', '--json'];
    const { stdout } = await run(process.execPath, args, { cwd });
    const { rows, leftOut } = parseReport(stdout);
    expect(rows).toMatchObject([{ name: 'Redis memory per watched session' }]);
    expect(leftOut).toEqual([expect.stringMatching(/^compaction: .* is not there: name a file/)]);
    const alone = run(process.execPath, [RUN, '--only', 'compaction'], { cwd });
    await expect(alone).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not there') as string,
    });
  });
});

test.each([
  ['hot recall', 'hot recall, 10 messages, one client', 'sessions of others'],
  ['three-tier', 'three-tier recall, 10,000 earlier messages', 'warm messages'],
])(
  '%s is measured for one user among others',
  async (only, name, of) => {
    const args = [RUN, '--only', only, '--sessions', '120', '--runs', '1', '--json'];
    const { stdout, stderr } = await run(process.execPath, args);
    expect(stderr).toBe('');
    const { rows } = parseReport(stdout);
    expect(rows.map((row) => row.name)).toEqual([`${name}, p50`, `${name}, p99`]);
    for (const row of rows) {
      expect(row).toMatchObject({ unit: 'ms', sessions: 120, of, runs: 1 });
      expect(row.ours).toBeGreaterThan(0);
    }
  },
  THOUSANDS_OF_RECALLS_MS,
);

test('one figure of the warm tier can be asked for', async () => {
  const args = [RUN, '--only', 'by time, p50', '--sessions', '100', '--runs', '1', '--json'];
  const { rows } = parseReport((await run(process.execPath, args)).stdout);
  expect(rows).toMatchObject([{ name: 'warm tier, query by time, p50' }]);
});

test.each([[['--bogus']], [['--only', 'no such figure']]])('%j exits with 2', async (args) => {
  await expect(run(process.execPath, [RUN, ...args])).rejects.toMatchObject({
    code: 2,
    stdout: '',
  });
});

test('figures with the same ours share its runs, and each has its own peer', async () => {
  let runs = 0;
  const ours = async (): Promise<number> => [30, 10, 20][runs++] ?? NaN;
  const figure: Figure = { name: 'a', unit: '1/s', target: 'more', met: (a, b) => a > b, ours };
  const rows = await measureFigures(
    [
      { ...figure, peer: async () => 10 },
      { ...figure, name: 'b', peer: async () => 40 },
    ],
    terms,
  );
  expect(runs).toBe(3);
  expect(rows).toMatchObject([
    { ours: 20, peer: 10, ratio: 2, met: true },
    { ours: 20, peer: 40, ratio: 0.5, met: false },
  ]);
});

test('a figure without peer or target is told, with the note of the run in the middle', async () => {
  const values = [7, 9, 8];
  const [row] = await measureSeries(
    {
      name: 'series',
      sessions: 1,
      apart: false,
      figures: [{ name: 'longest', unit: 'ms' }],
      measure: async () => {
        const value = values.pop() ?? NaN;
        return new Map([['longest', { value, note: `took ${value}` }]]);
      },
    },
    terms,
  );
  expect(row).toEqual({
    name: 'longest',
    unit: 'ms',
    ours: 8,
    peer: null,
    ratio: null,
    target: null,
    met: null,
    sessions: 1,
    runs: 3,
    note: 'took 8',
  });
});

test('figures of a series have peers of the same run, and say what was counted', async () => {
  const runs = [
    { value: 4, peer: 2 },
    { value: 9, peer: 3 },
    { value: 6, peer: 1 },
  ];
  const series = (samples: readonly Sample[]): Series => {
    const left = [...samples];
    return {
      name: 'series',
      sessions: 1,
      of: 'entries',
      apart: false,
      figures: [{ name: 'p50', unit: 'ms' }],
      measure: async () => new Map([['p50', left.shift() ?? { value: NaN }]]),
    };
  };
  expect(await measureSeries(series(runs), terms)).toMatchObject([
    { ours: 6, peer: 2, ratio: 3, of: 'entries', sessions: 1, runs: 3 },
  ]);
  const without = [...runs.slice(0, 2), { value: 6 }];
  await expect(measureSeries(series(without), terms)).rejects.toThrow(
    '2 of 3 runs of "p50" have a peer',
  );
});

test.each([
  ['another answer', ['1', '2'], ['2', '1'], /through the port 1,2, by SQL 2,1/],
  ['no answer at all', [], [], /found anything/],
])('a query with %s is no figure', async (_what, ours, bare, message) => {
  const question = {
    name: 'by time',
    times: 2,
    next: () => ({
      ours: async () => ours.map((version) => ({ version })),
      bare: () => bare.map((version) => ({ version })),
    }),
  };
  await expect(askBoth(question)).rejects.toThrow(message);
});

test('what was not measured is no figure', async () => {
  const figure: Figure = { name: 'a', unit: 's', ours: async () => NaN };
  await expect(measureFigures([figure], terms)).rejects.toThrow('no figure');
});
