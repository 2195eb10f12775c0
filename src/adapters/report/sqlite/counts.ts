import type {
  AnnouncedCount,
  ArmCount,
  OutcomeCount,
  RescueCounts,
  Span,
} from '../../../ports/rescue-log.ts';
import type { SqliteFile } from '../../../runtime/sqlite-file.ts';

/** `?1` and `?2` are the ends of the span. */
const ANNOUNCED = `
  SELECT stage, channel, allowed, count(*) AS announced,
    sum(EXISTS (SELECT 1 FROM outcome o WHERE o.announcement = a.id AND o.kind = 'touched')) AS touched
  FROM announcement a
  WHERE said_at BETWEEN ?1 AND ?2
  GROUP BY stage, channel, allowed ORDER BY stage, channel, allowed`;

const OUTCOMES = `
  SELECT a.stage, a.channel, o.kind, o.label, count(*) AS count,
    count(DISTINCT a.id) AS announcements, sum(o.value) AS value
  FROM announcement a JOIN outcome o ON o.announcement = a.id
  WHERE a.said_at BETWEEN ?1 AND ?2
  GROUP BY a.stage, a.channel, o.kind, o.label ORDER BY a.stage, a.channel, o.kind, o.label`;

const UNMATCHED = `
  SELECT kind, count(*) AS count FROM outcome o
  WHERE said_at BETWEEN ?1 AND ?2
    AND NOT EXISTS (SELECT 1 FROM announcement a WHERE a.id = o.announcement)
  GROUP BY kind`;

/** Of two first announcements of the same instant one of the hold-out decides, or the arm would be drawn by lot. */
const ARMS = `
  WITH first AS (
    SELECT user, min(said_at) AS at FROM announcement
    WHERE said_at BETWEEN ?1 AND ?2 GROUP BY user
  ), arm AS (
    SELECT first.user, first.at, max(a.allowed = 'holdout') AS control
    FROM first JOIN announcement a ON a.user = first.user AND a.said_at = first.at
    GROUP BY first.user
  ), won AS (
    SELECT arm.user, sum(o.value) AS value
    FROM arm JOIN outcome o ON o.user = arm.user AND o.kind = 'recovered' AND o.at BETWEEN arm.at AND ?2
    GROUP BY arm.user
  )
  SELECT control, count(*) AS users, count(won.user) AS recovered, coalesce(sum(won.value), 0) AS value
  FROM arm LEFT JOIN won ON won.user = arm.user GROUP BY control`;

/** Adds up what stands in the file; to be called within one transaction. */
export function countsOf(file: SqliteFile, { from, to }: Span): RescueCounts {
  const rows = <T>(sql: string): T[] => file.all(sql, [from, to]) as T[];
  const arms = rows<ArmCount & { readonly control: number }>(ARMS);
  const armOf = (wanted: number): ArmCount => {
    const {
      users = 0,
      recovered = 0,
      value = 0,
    } = arms.find(({ control }) => control === wanted) ?? {};
    return { users, recovered, value: rounded(value) };
  };
  return {
    announced: rows<AnnouncedCount>(ANNOUNCED).map((row) => ({ ...row })),
    outcomes: rows<OutcomeCount>(OUTCOMES).map((row) => ({ ...row, value: rounded(row.value) })),
    unmatched: {
      cancelled: 0,
      touched: 0,
      recovered: 0,
      ...Object.fromEntries(
        rows<{ kind: string; count: number }>(UNMATCHED).map(({ kind, count }) => [kind, count]),
      ),
    },
    control: armOf(1),
    treatment: armOf(0),
  };
}

/** Sums of fractions depend on the order of the rows, and that on the file's key: no currency has a smaller part. */
function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
