import { Command } from 'commander';
import { openBus } from '../compose.ts';
import { openStandingReport, reportFile } from '../compose-report.ts';
import type { Config } from '../config.ts';
import { duration } from '../config/forms.ts';
import { UsageError, errorMessage } from '../model/errors.ts';
import type { Span } from '../ports/rescue-log.ts';
import { buildReport } from '../rescue/report/report.ts';
import { reportState } from '../rescue/report/reporter.ts';
import { configOf, printJson, printLines, withSettings } from './context.ts';
import { type Behind, reportJson } from './report-json.ts';
import { reportLines } from './report-lines.ts';

/** `rekindle report` */
export function reportCommand(): Command {
  const command = new Command('report')
    .description('Print what became of announcements: answered, touched, cancelled, recovered.')
    .option('--since <duration>', 'announcements of the last so long', '7d')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nAn announcement of that time is counted with all that came of it, whenever that was. Lift compares users whom\n' +
        'REKINDLE_HOLDOUT keeps from being contacted with all others, whether these were contacted or not; the interval is\n' +
        "Newcombe's, of 95 %. The daemon's reporter keeps what is counted, in report.sqlite in REKINDLE_DATA_DIR.",
    )
    .addHelpText('after', '\nExample:\n  rekindle report --since 30d');
  withSettings(command);
  return command.action(async ({ since, json }: { since: string; json?: boolean }) => {
    const config = await configOf(command);
    const sinceMs = readSince(since, config);
    await using opened = new AsyncDisposableStack();
    const log = await openStandingReport(config);
    if (!log) {
      throw new Error(
        `there is no report at ${reportFile(config)}: the daemon's reporter makes it. Run this on the host of the daemon, with its REKINDLE_DATA_DIR`,
      );
    }
    opened.defer(() => log.close());
    const now = Date.now();
    const span: Span = { from: now - sinceMs, to: now };
    const report = buildReport(await log.count(span));
    const behind = await howFarBehind(config);
    if (json) printJson(reportJson(report, span, behind));
    else printLines(reportLines(report, span, behind));
  });
}

function readSince(text: string, { reportTtlMs }: Config): number {
  const { schema, accepts } = duration(1);
  const read = schema.safeParse(text.trim());
  if (!read.success) throw new UsageError(`--since: "${text}" is no duration; it takes ${accepts}`);
  if (read.data > reportTtlMs)
    throw new UsageError(`--since ${text}: the report goes back as far as REKINDLE_REPORT_TTL`);
  return read.data;
}

/** The report can be read while the bus is away. */
async function howFarBehind(config: Config): Promise<Behind> {
  const bus = await openBus(config);
  try {
    return await reportState(bus);
  } catch (error) {
    return { unknown: errorMessage(error) };
  } finally {
    await bus.close();
  }
}
