import { expect, test } from 'vitest';
import { assertDone, percentile } from '../../bench/harness.ts';
import { parseOptions } from '../../bench/options.ts';
import { type Row, parseReport } from '../../bench/report.ts';
import { growthLines, markdownTable, reportLines } from '../../bench/table.ts';
import { UsageError } from '../../src/model/errors.ts';

const row: Row = {
  name: 'announcements drained',
  unit: '1/s',
  ours: 42_000,
  peer: 18_000,
  ratio: 2.333,
  target: '>= 2 x a worker',
  met: true,
  sessions: 100_000,
  runs: 5,
};
const told: Row = { ...row, name: 'idle', peer: null, ratio: null, target: null, met: null };
const report = { machine: '2 × some CPU', date: '2026-01-02', rows: [row, told] };

test.each([
  [['--bogus']],
  [['--runs', '0']],
  [['--sessions', 'many']],
  [['--growth', '--sessions', '5']],
  [['--readme', '--only', 'drained']],
])('%j is wrong usage', (args) => {
  expect(() => parseOptions(args)).toThrow(UsageError);
});

test('parts of names are found whatever their case', () => {
  expect(parseOptions(['--only', 'Drain', '--only', 'MEMORY']).only).toEqual(['drain', 'memory']);
});

test('a report that was printed is read again', () => {
  expect(parseReport(JSON.stringify(report))).toEqual(report);
});

test.each([
  ['a target without a verdict', { ...row, met: null }],
  ['a verdict without a target', { ...row, target: null }],
  ['a ratio without a peer', { ...row, peer: null }],
  ['no figure', { ...row, ours: NaN }],
])('%s is refused', (_what, wrong) => {
  expect(() => parseReport(JSON.stringify({ ...report, rows: [wrong] }))).toThrow(
    'no report of the bench',
  );
});

test('work that was not done gives no figure', () => {
  expect(() => assertDone(4_999, 5_000, 'were announced')).toThrow('4999 of 5000 were announced');
  expect(() => assertDone(5_001, 5_000, 'were announced')).toThrow();
  expect(() => assertDone(5_000, 5_000, 'were announced')).not.toThrow();
});

test('a percentile is one of the values', () => {
  expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(percentile([5, 1, 4, 2, 3], 0.99)).toBe(5);
});

test('a person reads what was met, what was not, and what is only told', () => {
  const [, first, second, third] = reportLines({
    ...report,
    rows: [row, { ...row, met: false }, told],
  });
  expect(first).toMatch(/^met .*42,000 1\/s, peer 18,000, ratio 2\.333; target >= 2 x a worker/);
  expect(second).toMatch(/^MISS /);
  expect(third).toMatch(/^told {2}idle: 42,000 1\/s \(/);
});

test('growth has a line for each figure and a column for each size', () => {
  const rows = [row, { ...row, ours: 39_000, sessions: 1_000_000, runs: 1 }];
  const [, head, line, ...more] = growthLines({ ...report, rows });
  expect(head).toMatch(/100,000 sessions +1,000,000 sessions/);
  expect(line).toMatch(/42,000 1\/s.*median of 5 +39,000 1\/s.*median of 1$/);
  expect(more).toEqual([]);
});

test('what counts other things than sessions has a table of its own, and says so everywhere', () => {
  const entries = { ...row, name: 'query', of: 'entries', sessions: 1_000_000 };
  const [, sessionsHead, , entriesHead, line, ...more] = growthLines({
    ...report,
    rows: [row, entries],
  });
  expect(sessionsHead).toMatch(/^ +100,000 sessions$/);
  expect(entriesHead).toMatch(/^ +1,000,000 entries$/);
  expect(line).toMatch(/^query +42,000/);
  expect(more).toEqual([]);
  expect(reportLines({ ...report, rows: [entries] })[1]).toContain('(1,000,000 entries, 5 runs)');
  expect(markdownTable({ ...report, rows: [entries] })).toContain('| query, 1,000,000 entries |');
  expect(parseReport(JSON.stringify({ ...report, rows: [entries] })).rows).toEqual([entries]);
});

test('what was left out stands in every form, with its reason', () => {
  const some = { ...report, leftOut: ['compaction: no file'] };
  expect(reportLines(some).at(-1)).toBe('none  compaction: no file');
  expect(growthLines(some).at(-1)).toBe('none  compaction: no file');
  expect(markdownTable(some)).toMatch(/\n\nNot measured: compaction: no file\.$/);
  expect(parseReport(JSON.stringify(some))).toEqual(some);
});

test('the table for the README names machine and date, and breaks at no bar', () => {
  const rows = [{ ...row, name: 'this | that' }, told];
  expect(markdownTable({ ...report, rows }).split('\n')).toEqual([
    '2 × some CPU, 2026-01-02:',
    '',
    '| what | ours | peer | ratio | target | met |',
    '| --- | --- | --- | --- | --- | --- |',
    '| this \\| that, 100,000 sessions | 42,000 1/s | 18,000 1/s | 2.333 | >= 2 x a worker | yes |',
    '| idle, 100,000 sessions | 42,000 1/s | – | – | – | – |',
  ]);
});
