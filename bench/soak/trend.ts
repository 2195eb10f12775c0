/** One series of samples, and whether it stays where it is. */
export interface Trend {
  readonly name: string;
  readonly unit: string;
  readonly samples: number;
  readonly from: number;
  readonly to: number;
  readonly mean: number;
  readonly perMinute: number;
  /** Null: there are too few samples to tell. */
  readonly flat: boolean | null;
}

export interface Sample {
  /** Minutes since the beginning. */
  readonly atMinutes: number;
  readonly value: number;
}

/** Growth over the time measured, in parts of the mean, below which a series counts as flat. */
const FLAT = 0.05;

/** And in its own unit: a connection that is being made, a timer or two. */
const FLAT_UNITS = 3;

/** Fewer samples show noise. */
const LEAST_SAMPLES = 10;

/** Fits a line to what was sampled (least squares). */
export function trendOf(name: string, unit: string, samples: readonly Sample[]): Trend {
  const n = samples.length;
  const meanAt = samples.reduce((sum, { atMinutes }) => sum + atMinutes, 0) / n;
  const mean = samples.reduce((sum, { value }) => sum + value, 0) / n;
  const spread = samples.reduce((sum, { atMinutes }) => sum + (atMinutes - meanAt) ** 2, 0);
  const common = samples.reduce(
    (sum, { atMinutes, value }) => sum + (atMinutes - meanAt) * (value - mean),
    0,
  );
  const perMinute = common / spread;
  const minutes = (samples.at(-1)?.atMinutes ?? NaN) - (samples[0]?.atMinutes ?? NaN);
  const grown = perMinute * minutes;
  return {
    name,
    unit,
    samples: n,
    from: samples[0]?.value ?? NaN,
    to: samples.at(-1)?.value ?? NaN,
    mean,
    perMinute,
    flat: n < LEAST_SAMPLES ? null : grown <= Math.max(FLAT * mean, FLAT_UNITS),
  };
}
