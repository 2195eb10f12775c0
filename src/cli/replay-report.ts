/** What a replay with the example agent tells beside its summary. */
import type { OpenReplay } from '../compose-replay.ts';
import type { Span } from '../ports/rescue-log.ts';
import type { AgentAccount } from '../replay/replay-agent.ts';
import type { ReplayReport } from '../replay/replay.ts';
import type { Report } from '../rescue/report/report.ts';
import { columns } from './context.ts';
import { reportJson } from './report-json.ts';
import { reportLines } from './report-lines.ts';

/** What the agent did, and what came of it. */
interface Rescued {
  readonly agent: AgentAccount;
  readonly touched: number;
  readonly report: Report;
  readonly span: Span;
}

/** All events of a replay have been folded when it ends. */
const NOTHING_BEHIND = { behind: 0, deadLetters: 0 };

export async function rescueOf(
  { agent, book }: NonNullable<OpenReplay['rescue']>,
  { from, to, touched }: ReplayReport,
): Promise<Rescued> {
  const span = { from, to };
  return { agent: agent.account(), touched, report: await book.report(span), span };
}

export function rescueJson({ agent, touched, report, span }: Rescued): Record<string, unknown> {
  return { touched, agent, report: reportJson(report, span, NOTHING_BEHIND) };
}

export function rescueLines({ agent, report, span }: Rescued): string[] {
  const { sent, skipped, unwanted, overtaken, deferred, held } = agent;
  return [
    'the agent',
    ...columns([
      ['sent', String(sent)],
      ['skipped', counted(skipped)],
      ['unwanted', counted(unwanted)],
      ['overtaken', String(overtaken)],
      ['deferred', `${String(deferred)}, over quiet hours`],
      ['held', `${String(held)}, when the file ended`],
    ]),
    '',
    ...reportLines(report, span, NOTHING_BEHIND),
  ];
}

function counted(byReason: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(byReason);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return '0';
  return `${String(total)}: ${reasons.map(([why, count]) => `${why} ${String(count)}`).join(', ')}`;
}
