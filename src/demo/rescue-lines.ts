import type { RescueSummary } from './rescue-summary.ts';

const SKIPPED_FOR: Readonly<Record<string, string>> = {
  none: 'nobody had asked',
  holdout: 'of the hold-out',
  opt_out: 'opted out',
};

/** The rows of the summary that tell of the rescue agent. */
export function rescueRows({
  sent,
  skipped,
  called_back,
  recovered,
  recovered_value,
}: RescueSummary): string[] {
  const { direct, assisted, organic } = recovered;
  const reasons = Object.entries(skipped);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  const why = reasons.map(([reason, count]) => `${count} ${SKIPPED_FOR[reason] ?? reason}`);
  return [
    `  written     ${sent} rescue messages, in each one’s language; ${called_back} called back in time`,
    `  skipped     ${total} announcements${total > 0 ? `: ${why.join(', ')}` : ''}`,
    `  recovered   ${direct + assisted + organic} orders of announced carts, ₹${recovered_value.toFixed(2)}: ${direct} direct, ${assisted} assisted, ${organic} organic`,
  ];
}

/** What the lift in the demo's report is worth. */
export const LIFT_NOTE =
  'People order as they had planned, but for those whom a message’s link brings: among so few a lift is mostly chance.';

/** Messages as they were written, one of each language. */
export function draftLines({ drafts }: RescueSummary): string[] {
  if (drafts.length === 0) return [];
  return [
    'What the rescue agent wrote, to one person of each language:',
    '',
    ...drafts.flatMap(({ user, channel, language, text }) => [
      `  ${user}, ${channel}, ${language}`,
      ...text.split('\n').map((line) => `    ${line}`),
    ]),
    '',
  ];
}
