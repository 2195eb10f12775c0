/**
 * The report: what became of the announcements of a span, and what rescue is worth. An announcement of the span is counted
 * with all that came of it, whenever that was; so the columns of a row are about the same announcements.
 */
import type { RecoveryClass, RescueCancelledData } from '../../model/event.ts';
import type { Allowed, ArmCount, RescueCounts } from '../../ports/rescue-log.ts';
import { type Interval, differenceInterval } from './interval.ts';

type Reason = RescueCancelledData['reason'];

export const ANSWERS: readonly Allowed[] = ['yes', 'no', 'unknown', 'holdout'];
export const REASONS: readonly Reason[] = ['resumed', 'ordered', 'emptied', 'opted_out', 'ended'];
export const CLASSES: readonly RecoveryClass[] = ['direct', 'assisted', 'organic'];

/** Orders, and what they were worth together. */
export interface Orders {
  readonly orders: number;
  readonly value: number;
}

/** Announcements of one stage and channel of the session, and what came of them. */
export interface ReportRow {
  readonly stage: number;
  /** Null: the session named none. */
  readonly channel: string | null;
  readonly announced: number;
  /** `no` without the hold-out. */
  readonly allowed: Readonly<Record<Allowed, number>>;
  /** How many were acted on at least once. */
  readonly touched: number;
  readonly cancelled: Readonly<Record<Reason, number>>;
  readonly recovered: Readonly<Record<RecoveryClass, Orders>>;
}

/** Rescue messages of one stage by the channel they were sent on. */
export interface SentRow {
  readonly stage: number;
  readonly channel: string;
  readonly messages: number;
  readonly announcements: number;
}

/** One arm of the experiment. */
export interface Arm extends ArmCount {
  /** Share of users who ordered; null without users. */
  readonly rate: number | null;
  readonly valuePerUser: number | null;
}

/**
 * What being announced to a rescue agent changed, against users whom nobody contacts. By intention to treat: a user counts
 * for the arm it was drawn for, whether it was contacted or not, or the arms would differ in more than chance. A user is
 * one case however many carts it left: the draw is by user.
 */
export interface Lift {
  /** Rate of treatment less rate of control. */
  readonly difference: number;
  /** 95 %, by Newcombe's hybrid score method. */
  readonly interval: Interval;
  /** The difference as a share of control's rate; null where that is 0. */
  readonly relative: number | null;
  readonly valuePerUser: number;
}

export interface Report {
  readonly rows: readonly ReportRow[];
  readonly sent: readonly SentRow[];
  readonly unmatched: RescueCounts['unmatched'];
  readonly treatment: Arm;
  readonly control: Arm;
  /** Null while one of the arms has nobody. */
  readonly lift: Lift | null;
}

/** Puts the counts of a span into rows, by stage and channel, and compares the arms. */
export function buildReport(counts: RescueCounts): Report {
  const treatment = armOf(counts.treatment);
  const control = armOf(counts.control);
  return {
    rows: rowsOf(counts),
    sent: sentOf(counts),
    unmatched: counts.unmatched,
    treatment,
    control,
    lift: liftOf(treatment, control),
  };
}

function rowsOf({ announced, outcomes }: RescueCounts): ReportRow[] {
  const groups = Map.groupBy(announced, groupOf);
  const became = Map.groupBy(outcomes, groupOf);
  return [...groups].map(([group, counted]) => {
    const results = became.get(group) ?? [];
    const count = (kind: string, label: string): Orders => {
      const found = results.find((one) => one.kind === kind && one.label === label);
      return { orders: found?.count ?? 0, value: found?.value ?? 0 };
    };
    const [first] = counted;
    return {
      stage: first?.stage ?? 0,
      channel: first?.channel ?? null,
      announced: sum(counted.map((one) => one.announced)),
      allowed: record(ANSWERS, (answer) =>
        sum(counted.filter(({ allowed }) => allowed === answer).map((one) => one.announced)),
      ),
      touched: sum(counted.map((one) => one.touched)),
      cancelled: record(REASONS, (reason) => count('cancelled', reason).orders),
      recovered: record(CLASSES, (one) => count('recovered', one)),
    };
  });
}

function sentOf({ outcomes }: RescueCounts): SentRow[] {
  const touches = outcomes.filter(({ kind }) => kind === 'touched');
  const groups = Map.groupBy(touches, ({ stage, label }) => JSON.stringify([stage, label]));
  return [...groups.values()]
    .map((counted) => ({
      stage: counted[0]?.stage ?? 0,
      channel: counted[0]?.label ?? '',
      messages: sum(counted.map(({ count }) => count)),
      announcements: sum(counted.map(({ announcements }) => announcements)),
    }))
    .sort((a, b) => a.stage - b.stage || (a.channel < b.channel ? -1 : 1));
}

function armOf(count: ArmCount): Arm {
  const { users, recovered, value } = count;
  return {
    ...count,
    rate: users === 0 ? null : recovered / users,
    valuePerUser: users === 0 ? null : value / users,
  };
}

function liftOf(treatment: Arm, control: Arm): Lift | null {
  if (treatment.rate === null || control.rate === null) return null;
  const difference = treatment.rate - control.rate;
  return {
    difference,
    interval: differenceInterval(
      { count: treatment.recovered, of: treatment.users },
      { count: control.recovered, of: control.users },
    ),
    relative: control.rate === 0 ? null : difference / control.rate,
    valuePerUser: (treatment.valuePerUser ?? 0) - (control.valuePerUser ?? 0),
  };
}

function groupOf({
  stage,
  channel,
}: {
  readonly stage: number;
  readonly channel: string | null;
}): string {
  return JSON.stringify([stage, channel]);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function record<K extends string, V>(keys: readonly K[], valueOf: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, valueOf(key)])) as Record<K, V>;
}
