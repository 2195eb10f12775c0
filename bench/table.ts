/** The report for a person: lines for a terminal, a table for Markdown. */
import type { Report, Row } from './report.ts';

export function reportLines({ machine, date, rows, leftOut = [] }: Report): string[] {
  return [
    `${machine}, ${date}, medians`,
    ...rows.map((row) => `${verdict(row)}  ${row.name}: ${figures(row)}${aim(row)}${note(row)}`),
    ...leftOut.map((what) => `none  ${what}`),
  ];
}

/** One line per figure, one column per number of sessions; a table for each thing that is counted in their place. */
export function growthLines({ machine, date, rows, leftOut = [] }: Report): string[] {
  return [
    `${machine}, ${date}: ours, peer, ratio`,
    ...[...Map.groupBy(rows, counted)].flatMap(([what, some]) => growthTable(what, some)),
    ...leftOut.map((what) => `none  ${what}`),
  ];
}

function growthTable(what: string, rows: readonly Row[]): string[] {
  const sizes = [...new Set(rows.map(({ sessions }) => sessions))];
  const names = [...new Set(rows.map(({ name }) => name))];
  const head = ['', ...sizes.map((size) => `${grouped(size)} ${what}`)];
  const lines = names.map((name) => [
    name,
    ...sizes.map((size) => {
      const row = rows.find((one) => one.name === name && one.sessions === size);
      return row ? `${figures(row)}, median of ${row.runs}` : 'not measured';
    }),
  ]);
  const widths = head.map((_none, at) =>
    Math.max(...[head, ...lines].map((line) => line[at]?.length ?? 0)),
  );
  return [head, ...lines].map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function markdownTable({ machine, date, rows, leftOut = [] }: Report): string {
  const head = ['what', 'ours', 'peer', 'ratio', 'target', 'met'];
  const cells = rows.map((row) => {
    const { name, unit, ours, peer, ratio, target, met, sessions } = row;
    return [
      `${name}, ${grouped(sessions)} ${counted(row)}`,
      `${grouped(ours)} ${unit}`,
      peer === null ? '–' : `${grouped(peer)} ${unit}`,
      ratio === null ? '–' : String(ratio),
      target ?? '–',
      met === null ? '–' : met ? 'yes' : '**no**',
    ];
  });
  const table = [head, head.map(() => '---'), ...cells].map(
    (line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
  const missing =
    leftOut.length > 0 ? ['', ...leftOut.map((what) => `Not measured: ${what}.`)] : [];
  return [`${machine}, ${date}:`, '', ...table, ...missing].join('\n');
}

function verdict({ met }: Row): string {
  if (met === null) return 'told';
  return met ? 'met ' : 'MISS';
}

function figures({ ours, peer, ratio, unit }: Row): string {
  if (peer === null || ratio === null) return `${grouped(ours)} ${unit}`;
  return `${grouped(ours)} ${unit}, peer ${grouped(peer)}, ratio ${ratio}`;
}

function counted({ of }: Row): string {
  return of ?? 'sessions';
}

function aim(row: Row): string {
  const { target, sessions, runs } = row;
  const how = `${grouped(sessions)} ${counted(row)}, ${runs} ${runs === 1 ? 'run' : 'runs'}`;
  return target === null ? ` (${how})` : `; target ${target} (${how})`;
}

function note(row: Row): string {
  return row.note === undefined ? '' : `; ${row.note}`;
}

/** Figures have four digits that count; from 10,000 on a comma helps to read them. */
function grouped(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 20 });
}
