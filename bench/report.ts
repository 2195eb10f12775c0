import { z } from 'zod';

/** One line of the table: a contract, for programs read it, and later rows keep it. `null` says that there is none. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** Medians of the runs. */
  readonly ours: number;
  readonly peer: number | null;
  /** Ours over the peer's; null exactly where `peer` is. */
  readonly ratio: number | null;
  /** In words; null for a figure that is told and not judged. */
  readonly target: string | null;
  /** Null exactly where `target` is. */
  readonly met: boolean | null;
  /** Watched sessions that it was measured with, or so many of what `of` says. */
  readonly sessions: number;
  readonly of?: string | undefined;
  /** How often each side was measured. */
  readonly runs: number;
  /** What a number alone does not say, of the run that gave `ours`: which script took longest, how often. */
  readonly note?: string | undefined;
}

export interface Report {
  readonly machine: string;
  /** Day of the measurement, YYYY-MM-DD. */
  readonly date: string;
  readonly rows: readonly Row[];
  /** What was asked for and could not be measured here, each with its reason. */
  readonly leftOut?: readonly string[] | undefined;
}

const ROW: z.ZodType<Row> = z
  .object({
    name: z.string().min(1),
    unit: z.string().min(1),
    ours: z.number(),
    peer: z.number().nullable(),
    ratio: z.number().nullable(),
    target: z.string().min(1).nullable(),
    met: z.boolean().nullable(),
    sessions: z.int().min(1),
    of: z.string().min(1).optional(),
    runs: z.int().min(1),
    note: z.string().optional(),
  })
  .refine(({ peer, ratio }) => (peer === null) === (ratio === null), 'no ratio without a peer')
  .refine(({ target, met }) => (target === null) === (met === null), 'no verdict without a target');

const REPORT: z.ZodType<Report> = z.object({
  machine: z.string().min(1),
  date: z.iso.date(),
  rows: z.array(ROW).min(1),
  leftOut: z.array(z.string().min(1)).optional(),
});

/** Reads what `npm run bench -- --json` prints. @throws what is wrong with it, in words */
export function parseReport(json: string): Report {
  const { data, error } = REPORT.safeParse(JSON.parse(json));
  if (error) throw new Error(`this is no report of the bench: ${z.prettifyError(error)}`);
  return data;
}
