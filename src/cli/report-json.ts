import { isoInstant } from '../model/instant.ts';
import type { Span } from '../ports/rescue-log.ts';
import type { Arm, Report } from '../rescue/report/report.ts';
import type { reportState } from '../rescue/report/reporter.ts';

/** How far the report is behind the bus, or why nobody knows. */
export type Behind = Awaited<ReturnType<typeof reportState>> | { readonly unknown: string };

/** The report for programs; docs/operations.md tells its fields. */
export function reportJson(report: Report, span: Span, behind: Behind): Record<string, unknown> {
  const { lift } = report;
  return {
    since: isoInstant(span.from),
    until: isoInstant(span.to),
    behind: 'unknown' in behind ? null : behind.behind,
    dead_letters: 'unknown' in behind ? null : behind.deadLetters,
    rows: report.rows,
    sent: report.sent,
    without_announcement: report.unmatched,
    treatment: armJson(report.treatment),
    control: armJson(report.control),
    lift: lift && {
      difference: lift.difference,
      low: lift.interval.low,
      high: lift.interval.high,
      confidence: 0.95,
      relative: lift.relative,
      value_per_user: lift.valuePerUser,
    },
  };
}

function armJson({ users, recovered, rate, value, valuePerUser }: Arm): Record<string, unknown> {
  return { users, recovered, rate, value, value_per_user: valuePerUser };
}
