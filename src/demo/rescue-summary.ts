/** What the demo tells of the rescue agent, and whether it is true. */
import type { RecoveryClass, RekindleEvent } from '../model/event.ts';
import type { OutgoingMessage } from '../ports/outbox.ts';
import type { Span } from '../ports/rescue-log.ts';
import { type Report, CLASSES, REASONS } from '../rescue/report/report.ts';
import type { Listener } from './listener.ts';
import { compareRecoveries } from './recoveries.ts';
import { calledBack, messageProblems, unanswered } from './rescue-checks.ts';
import type { RescueDesk } from './rescue-desk.ts';
import type { Visit } from './shop.ts';

/** A message as it was written. */
export type WrittenDraft = Pick<OutgoingMessage, 'user' | 'channel' | 'language' | 'text'>;

/** What became of the announcements, for a program. */
export interface RescueSummary {
  readonly sent: number;
  /** Announcements that were not answered, by what that rests on: `none` was asked, `holdout` is for comparison. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Announcements that were taken back before anything was sent. */
  readonly called_back: number;
  /** Orders of announced carts, by what they are owed to. */
  readonly recovered: Readonly<Record<RecoveryClass, number>>;
  readonly recovered_value: number;
  /** One message of each language, as it stands in the outbox. */
  readonly drafts: readonly WrittenDraft[];
  /** As `rekindle report` has it. */
  readonly report: Report;
  readonly span: Span;
}

/** What was seen of the agent's work when nothing moved any more. */
export interface RescueSeen {
  readonly desk: RescueDesk;
  /** As they stand in the outbox. */
  readonly messages: readonly OutgoingMessage[];
  /** Attempts of the agent that failed; there is no reason for one. */
  readonly failures: number;
  readonly report: Report;
  readonly span: Span;
}

/** What is later may be seen, and may not be; Unix milliseconds. */
export interface RescueTerms {
  readonly answeredUntil: number;
  readonly orderedUntil: number;
}

/** How much of what must come has not come yet: answers to announcements, and news of orders. */
export function unfinished(
  visits: readonly Visit[],
  { heard, recovered }: Pick<Listener, 'heard' | 'recovered'>,
  desk: RescueDesk,
  { answeredUntil, orderedUntil }: RescueTerms,
): number {
  const events = heard.map(({ event }) => event);
  const announced = events.filter((event) => event.type === 'cart.abandoned');
  const { missing } = compareRecoveries(visits, announced, recovered, desk, orderedUntil);
  return unanswered({ heard: events, desk }, answeredUntil).length + missing.length;
}

export function rescueSummary(
  { heard, recovered }: Pick<Listener, 'heard' | 'recovered'>,
  { desk, messages, report, span }: RescueSeen,
): RescueSummary {
  const skipped = [...desk.outcomes.values()].filter(({ did }) => did === 'skipped');
  const reasons = Map.groupBy(skipped, (outcome) => ('why' in outcome ? outcome.why : ''));
  return {
    sent: messages.length,
    skipped: Object.fromEntries([...reasons].map(([why, all]) => [why, all.length])),
    called_back: calledBack({ heard: heard.map(({ event }) => event), desk }),
    recovered: {
      direct: countOf(recovered, 'direct'),
      assisted: countOf(recovered, 'assisted'),
      organic: countOf(recovered, 'organic'),
    },
    recovered_value: amount(recovered.reduce((sum, { data }) => sum + data.value, 0)),
    drafts: [...Map.groupBy(messages, ({ language }) => language).values()].flatMap(([first]) =>
      first
        ? [
            {
              ...{ user: first.user, channel: first.channel },
              ...{ language: first.language, text: first.text },
            },
          ]
        : [],
    ),
    report,
    span,
  };
}

export interface RescueChecks {
  /** Orders of announced carts, by the shop's own record. */
  readonly recoveries_expected: number;
  /** Messages that should not have been sent, or are missing. */
  readonly misdirected: number;
  /** Orders that were not told, told twice, or owed to the wrong cause. */
  readonly misjudged: number;
  /** Numbers of the report that are not what was heard. */
  readonly miscounted: number;
}

export function checkRescue(
  visits: readonly Visit[],
  { heard, touched, recovered }: Pick<Listener, 'heard' | 'touched' | 'recovered'>,
  { desk, messages, failures, report, answeredUntil, orderedUntil }: RescueSeen & RescueTerms,
): RescueChecks & { readonly problems: readonly string[] } {
  const events = heard.map(({ event }) => event);
  const announced = events.filter((event) => event.type === 'cart.abandoned');
  const written = messageProblems({ visits, heard: events, desk }, messages, answeredUntil);
  if (failures > 0) written.push(`the rescue agent failed ${String(failures)} times`);
  const touchedIds = new Set(touched.map(({ data }) => data.announcement_id));
  for (const { user, announcement_id: id } of messages)
    if (!touchedIds.has(id)) written.push(`${user}: no cart.touched of a message`);
  const told = compareRecoveries(visits, announced, recovered, desk, orderedUntil);
  const { expected, missing, wrong } = told;
  const cancelled = events.filter((event) => event.type === 'cart.rescue_cancelled');
  const miscounted = countProblems(report, { announced, cancelled, touched, recovered });
  return {
    recoveries_expected: expected,
    misdirected: written.length,
    misjudged: missing.length + wrong.length,
    miscounted: miscounted.length,
    problems: [...written, ...missing, ...wrong, ...miscounted],
  };
}

interface Told {
  readonly announced: readonly RekindleEvent<'cart.abandoned'>[];
  readonly cancelled: readonly RekindleEvent<'cart.rescue_cancelled'>[];
  readonly touched: readonly RekindleEvent<'cart.touched'>[];
  readonly recovered: readonly RekindleEvent<'cart.recovered'>[];
}

/** The report's sums against the events that were heard. */
function countProblems({ rows }: Report, told: Told): string[] {
  const sum = (of: (row: Report['rows'][number]) => number): number =>
    rows.reduce((all, row) => all + of(row), 0);
  const pairs: (readonly [what: string, reported: number, heard: number])[] = [
    ['announced', sum((row) => row.announced), told.announced.length],
    ['touched', sum((row) => row.touched), told.touched.length],
    ...REASONS.map((reason) => {
      const heard = told.cancelled.filter(({ data }) => data.reason === reason).length;
      return [reason, sum((row) => row.cancelled[reason]), heard] as const;
    }),
    ...CLASSES.map((one) => {
      const heard = countOf(told.recovered, one);
      return [one, sum((row) => row.recovered[one].orders), heard] as const;
    }),
  ];
  return pairs.flatMap(([what, reported, heard]) =>
    reported === heard
      ? []
      : [`the report has ${String(reported)} ${what}, and ${String(heard)} were heard`],
  );
}

function countOf(recovered: Told['recovered'], one: RecoveryClass): number {
  return recovered.filter(({ data }) => data.class === one).length;
}

/** Sums of fractions: the shop's prices have two. */
function amount(value: number): number {
  return Math.round(100 * value) / 100;
}
