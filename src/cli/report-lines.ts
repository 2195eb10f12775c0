import { isoInstant } from '../model/instant.ts';
import type { Span } from '../ports/rescue-log.ts';
import {
  ANSWERS,
  type Arm,
  CLASSES,
  type Orders,
  REASONS,
  type Report,
  type ReportRow,
} from '../rescue/report/report.ts';
import { printable } from '../runtime/printable.ts';
import { columns } from './context.ts';
import type { Behind } from './report-json.ts';

/** Of a channel's name; the tables keep within 100 columns. */
const CHANNEL_WIDTH = 16;

/** The report for a person. */
export function reportLines(report: Report, span: Span, behind: Behind): string[] {
  const { rows } = report;
  return [
    `announcements from ${isoInstant(span.from)} to ${isoInstant(span.to)}`,
    ...behindLines(behind),
    '',
    ...(rows.length === 0 ? ['none was announced'] : tables(report)),
    ...unmatchedLines(report),
    '',
    ...liftLines(report),
  ];
}

function behindLines(behind: Behind): string[] {
  if ('unknown' in behind) return [`how far it is behind the bus is not known: ${behind.unknown}`];
  const { behind: events, deadLetters } = behind;
  return [
    ...(events > 0
      ? [`${String(events)} events of the bus are not in it yet; is the daemon's reporter running?`]
      : []),
    ...(deadLetters > 0
      ? [`${String(deadLetters)} events could not be read: rekindle deadletters list`]
      : []),
  ];
}

function tables({ rows, sent }: Report): string[] {
  const cancelled = rows.filter((row) => REASONS.some((reason) => row.cancelled[reason] > 0));
  const recovered = rows.filter((row) => CLASSES.some((one) => row.recovered[one].orders > 0));
  return [
    ...table(
      ['stage', 'channel', 'announced', ...ANSWERS, 'touched'],
      rows.map((row) => [
        ...nameOf(row),
        row.announced,
        ...ANSWERS.map((answer) => row.allowed[answer]),
        row.touched,
      ]),
    ),
    ...section(
      'messages sent',
      ['stage', 'sent on', 'messages', 'announcements'],
      sent.map((row) => [...nameOf(row), row.messages, row.announcements]),
    ),
    ...section(
      'cancelled',
      ['stage', 'channel', ...REASONS],
      cancelled.map((row) => [...nameOf(row), ...REASONS.map((reason) => row.cancelled[reason])]),
    ),
    ...section(
      'recovered: orders and their value',
      ['stage', 'channel', ...CLASSES.flatMap((one) => [one, 'value'])],
      recovered.map((row) => [...nameOf(row), ...CLASSES.flatMap((one) => cells(row, one))]),
    ),
  ];
}

function nameOf({ stage, channel }: { readonly stage: number; readonly channel: string | null }) {
  // Before it is cut: what a terminal would obey takes more room when it is spelled.
  const name = printable(channel ?? '-');
  const short = name.length > CHANNEL_WIDTH ? `${name.slice(0, CHANNEL_WIDTH - 1)}…` : name;
  return [stage, short];
}

function cells({ recovered }: ReportRow, kind: (typeof CLASSES)[number]): [number, string] {
  const { orders, value }: Orders = recovered[kind];
  return [orders, amount(value)];
}

function section(
  title: string,
  names: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  return rows.length === 0 ? [] : ['', title, ...table(names, rows)];
}

/** Numbers stand flush right below their names, and the column of names flush left. */
function table(
  names: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  left = 1,
): string[] {
  const cells = [names, ...rows.map((row) => row.map(String))];
  const widths = names.map((_name, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const aligned = cells.map((row) =>
    row.map((cell, column) => (column === left ? cell : cell.padStart(widths[column] ?? 0))),
  );
  return columns(aligned);
}

function unmatchedLines({ unmatched }: Report): string[] {
  const { touched, cancelled, recovered } = unmatched;
  if (touched + cancelled + recovered === 0) return [];
  return [
    '',
    `not counted, for their announcement is not in the report: ${String(touched)} touched, ${String(cancelled)} cancelled, ${String(recovered)} recovered`,
  ];
}

function liftLines({ treatment, control, lift }: Report): string[] {
  if (treatment.users + control.users === 0) return ['lift: nobody was announced'];
  const arms = table(
    ['arm', 'users', 'ordered', 'share', 'value a user'],
    [armCells('treatment', treatment), armCells('hold-out', control)],
    0,
  );
  if (!lift) {
    const missing = control.users === 0 ? 'no user is in the hold-out' : 'every user is held out';
    return [...arms, `lift: not known, ${missing}: set REKINDLE_HOLDOUT to a share of users`];
  }
  const { difference, interval, relative, valuePerUser } = lift;
  const share =
    relative === null
      ? 'and nobody of the hold-out ordered'
      : `${percent(relative)} of the hold-out's share`;
  return [
    ...arms,
    `lift: ${points(difference)} points (95 %: ${points(interval.low)} to ${points(interval.high)}), ${share}`,
    `value a user: ${signed(amount(valuePerUser), valuePerUser)} beside the hold-out`,
  ];
}

function armCells(name: string, { users, recovered, rate, valuePerUser }: Arm): string[] {
  return [
    name,
    String(users),
    String(recovered),
    rate === null ? '-' : `${(100 * rate).toFixed(1)} %`,
    valuePerUser === null ? '-' : amount(valuePerUser),
  ];
}

function amount(value: number): string {
  return value.toFixed(2);
}

function points(difference: number): string {
  return signed((100 * difference).toFixed(1), difference);
}

function percent(share: number): string {
  return signed(`${(100 * share).toFixed(0)} %`, share);
}

function signed(text: string, value: number): string {
  return value > 0 ? `+${text}` : text;
}
