/** One line of an evaluation: what we reach beside what a simple method reaches on the same input. */
export interface Row {
  readonly name: string;
  /** How many are looked at, or how long an answer may be; says `name` what. */
  readonly k?: number;
  readonly ours: number;
  readonly baseline: number;
  /** `ours` is better than `baseline`. */
  readonly met: boolean;
}
