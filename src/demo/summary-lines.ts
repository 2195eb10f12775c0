import type { Excerpt } from './recollection.ts';
import { LIFT_NOTE, draftLines, rescueRows } from './rescue-lines.ts';
import type { Checks, DemoSummary } from './summary.ts';

const REASONS: Readonly<Record<string, string>> = {
  resumed: 'resumed',
  ordered: 'ordered',
  emptied: 'emptied the cart',
  opted_out: 'opted out',
  ended: 'ended the session',
};

/** The summary for a person. @param reportLines the report, as `rekindle report` prints it */
export function summaryLines(summary: DemoSummary, reportLines: readonly string[]): string[] {
  const { checks, stages, lateness_ms: late, announced_by_stage: byStage } = summary;
  const cancelled = Object.entries(summary.cancelled);
  const total = cancelled.reduce((sum, [, count]) => sum + count, 0);
  const announced = stages.map(
    (seconds, stage) => `${byStage[stage] ?? 0} after ${seconds} s of silence`,
  );
  const foreign =
    summary.foreign_sessions > 0
      ? `${summary.foreign_sessions} of them in a shop that knows nothing of Rekindle, only of Redis`
      : 'all through the library: this Redis sends no keyspace notifications';
  const redis = summary.redis === 'private' ? 'a private Redis' : 'the Redis of REDIS_URL';
  const { kept, resumed, compacted, recalled, excerpt } = summary;
  const backLate = Object.values(resumed).reduce((sum, count) => sum + count, 0);
  const repeats = summary.duplicates > 0 ? ` (${summary.duplicates} heard twice, same id)` : '';
  return [
    `${summary.seconds} seconds of a shop, on ${redis}:`,
    '',
    `  people      ${summary.sessions} came, ${foreign}`,
    `  shop        ${summary.messages} messages, ${summary.carts} carts, ${summary.orders} orders`,
    `  announced   ${summary.announced} quiet carts: ${announced.join(', ')}${repeats}`,
    `  cancelled   ${total} of them: ${cancelled.map(([why, n]) => `${n} ${REASONS[why] ?? why}`).join(', ')}`,
    `  sank        ${summary.sank} sessions, from Redis to warm, ${summary.hot_life_seconds.toFixed(1)} s after their last activity`,
    `  back        ${backLate} people after that, who went on where they had stopped`,
    `  kept        ${kept.said} messages: ${kept.hot} in Redis, ${kept.warm} in warm, ${kept.both} in both, ${kept.cold} in cold`,
    `  compacted   ${compacted.conversations} conversations that had aged, ${compacted.messages} messages to cold: ${compacted.insights} insights learned`,
    `  recalled    ${recalled.users} people who were back and asked, ${recalled.in_all_parts} of them in all three parts`,
    ...rescueRows(summary.rescue),
    `  lateness    half within ${late.p50 ?? '–'} ms, 95 % within ${late.p95 ?? '–'} ms, the last after ${late.max ?? '–'} ms`,
    `  checked     ${verdict(checks)}`,
    '',
    ...(excerpt ? [...excerptLines(excerpt), ''] : []),
    ...draftLines(summary.rescue),
    'What became of the announcements, as `rekindle report` tells it:',
    '',
    ...reportLines.map((line) => (line === '' ? '' : `  ${line}`)),
    '',
    LIFT_NOTE,
    '',
    'Next: `REDIS_URL=redis://… npm start` watches the sessions in your Redis, and',
    '`REDIS_URL=redis://… npm run rekindle -- subscribe` prints what it announces.',
  ];
}

function verdict(checks: Checks): string {
  if (!checks.ok) return `failed: ${checks.problems[0] ?? ''}`;
  const open = checks.undecided > 0 ? `; ${checks.undecided} people too close to call` : '';
  return `every event that the shop’s own record calls for was heard, and nothing else; every message is there; nobody was written to who should not be, and every order is owed to what brought it${open}`;
}

/** What a model would be told, a few lines of each part. */
function excerptLines({
  user,
  question,
  tokens,
  immediate,
  relevant,
  insights,
}: Excerpt): string[] {
  const parts = Object.entries({ immediate, relevant, insights });
  return [
    `${user} was back and asked “${question}”; what a model would be told, ${tokens} tokens:`,
    '',
    ...parts.flatMap(([name, part]) => [
      `  ${name.padEnd(11)} ${part.tokens} tokens`,
      ...part.lines.map((line) => `    ${line}`),
    ]),
  ];
}
