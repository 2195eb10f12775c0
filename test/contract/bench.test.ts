import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type Figure, measureFigures, measureSeries } from '../../bench/harness.ts';
import { parseReport } from '../../bench/report.ts';

const RUN = resolve(import.meta.dirname, '../../bench/run.ts');
const run = promisify(execFile);

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

test('what was not measured is no figure', async () => {
  const figure: Figure = { name: 'a', unit: 's', ours: async () => NaN };
  await expect(measureFigures([figure], terms)).rejects.toThrow('no figure');
});
