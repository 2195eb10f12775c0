import type { Heard, LeftOver } from './consistency.ts';
import type { Trend } from './trend.ts';

export interface SoakReport {
  readonly machine: string;
  readonly date: string;
  readonly minutes: number;
  readonly seed: number;
  readonly people: number;
  readonly foreign: number;
  readonly messages: number;
  readonly orders: number;
  readonly killed: number;
  /** What the watcher that was never killed logged as a warning or worse, each once. */
  readonly warnings: readonly string[];
  readonly tookEffect: number;
  readonly repeats: number;
  readonly retried: number;
  readonly dropped: number;
  readonly heard: Heard;
  readonly left: LeftOver;
  /** How long machine and Redis stood still, at most. */
  readonly stalledMs: number;
  readonly warmUpMinutes: number;
  readonly settledAfterMinutes: number;
  readonly trends: readonly Trend[];
}

/** More users than this share undecided would make the comparison an empty one. */
const UNDECIDED_MAX = 0.2;

/** What is wrong; nothing, if all is well. */
export function complaints({ heard, left, trends, people }: SoakReport): string[] {
  const found = Object.entries(left)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what} at the end`);
  if (heard.announcements === 0) found.push('nothing was announced');
  if (heard.missing > 0) found.push(`${heard.missing} events did not come`);
  if (heard.unexpected > 0) found.push(`${heard.unexpected} events were not called for`);
  if (heard.undecided > UNDECIDED_MAX * people)
    found.push(`the machine was too slow to tell what is right for ${heard.undecided} people`);
  for (const { name, flat } of trends) if (flat === false) found.push(`not flat: ${name}`);
  return [...found, ...heard.problems];
}

/** The whole of docs/soak.md. */
export function pageLines(report: SoakReport): string[] {
  return [
    '# Soak',
    '',
    'What `npm run soak -- --markdown` printed last; CI does not run it. A shop is open on a private Redis with an append-only file: people chat, fill carts, order, empty carts, opt out and come back, nine tenths of them through the library, the others in a program that writes plain Redis commands. Two of three watchers are killed with SIGKILL every 4 to 12 seconds and replaced. A subscriber in a process of its own retries some deliveries and drops others. At the end every user’s events are compared with what the shop’s own record calls for, by the expectations of the demo ([expectations.ts](../src/demo/expectations.ts)), and nothing may be due, leased, pending or unsettled. Sessions, ledgers and events live for minutes here, so that what stays is a leak.',
    '',
    '## The last run',
    '',
    ...reportLines(report),
    '',
    'A series is flat if the line grows by no more than 5 % of the mean, or three units, over the time it is fitted to. Memory is read after a full garbage collection.',
  ];
}

/** The report as Markdown that a terminal shows as well. */
export function reportLines(report: SoakReport): string[] {
  const { heard, left, trends } = report;
  const wrong = complaints(report);
  return [
    `${report.machine}, ${report.date}: ${report.minutes} minutes of activity, seed ${report.seed}.`,
    '',
    `- **People:** ${grouped(report.people)}, ${grouped(report.foreign)} of them in a program that knows nothing of Rekindle; ${grouped(report.messages)} messages, ${grouped(report.orders)} orders.`,
    `- **Killed with SIGKILL:** ${report.killed} watchers, each replaced; beside them ran one that was not. Warnings in its log: ${report.warnings.join('; ') || 'none'}.`,
    `- **Subscriber:** ${grouped(report.tookEffect)} events took effect; ${report.retried} deliveries were retried, ${report.dropped} dropped, and ${report.repeats} repeats came under an id that had taken effect.`,
    `- **Against the application’s own record:** ${grouped(heard.announcements)} announcements and ${grouped(heard.cancellations)} cancellations were called for; ${heard.missing} missing, ${heard.unexpected} not called for; ${heard.undecided} people too close to call.`,
    `- **Left at the end:** ${Object.entries(left)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')}.`,
    `- **The machine** and Redis stood still for ${short(report.stalledMs / 1_000)} s at most.`,
    `- **Verdict:** ${wrong.length === 0 ? 'nothing lost, nothing told twice, nothing grows.' : wrong.join('; ')}`,
    '',
    `Every 10 seconds, from minute ${short(report.warmUpMinutes)} on, and in Redis from minute ${short(report.settledAfterMinutes)} on, when as much goes as comes; with a line fitted through the samples:`,
    '',
    '| what | unit | samples | mean | first | last | a minute | flat |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...trends.map(
      ({ name, unit, samples, mean, from, to, perMinute, flat }) =>
        `| ${[name, unit, samples, short(mean), short(from), short(to), signed(perMinute), verdict(flat)].join(' | ')} |`,
    ),
  ];
}

function verdict(flat: boolean | null): string {
  if (flat === null) return 'too short to tell';
  return flat ? 'yes' : '**no**';
}

function grouped(value: number): string {
  return value.toLocaleString('en');
}

function short(value: number): string {
  return Number.isNaN(value) ? '–' : value.toLocaleString('en', { maximumFractionDigits: 1 });
}

function signed(value: number): string {
  if (Number.isNaN(value)) return '–';
  return value.toLocaleString('en', { maximumFractionDigits: 2, signDisplay: 'exceptZero' });
}
