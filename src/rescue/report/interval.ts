/** Two-sided 95 % of the normal distribution. */
const Z_95 = 1.959963984540054;

/** How often something came about. */
export interface Proportion {
  readonly count: number;
  /** Above 0. */
  readonly of: number;
}

/** Both ends belong to it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's score interval of a proportion: within 0 and 1, and of use for few cases and for none.
 * Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927), 209-212.
 */
export function wilson({ count, of }: Proportion, z = Z_95): Interval {
  const middle = count + (z * z) / 2;
  const spread = z * Math.sqrt((z * z) / 4 + (count * (of - count)) / of);
  const within = of + z * z;
  return {
    low: Math.max(0, (middle - spread) / within),
    high: Math.min(1, (middle + spread) / within),
  };
}

/**
 * Newcombe's hybrid score interval of the difference of two independent proportions, `one` less `other`, without
 * correction for continuity.
 * Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
 * methods", Statistics in Medicine 17 (1998), 873-890: method 10.
 */
export function differenceInterval(one: Proportion, other: Proportion, z = Z_95): Interval {
  const [p1, p2] = [one.count / one.of, other.count / other.of];
  const [ends1, ends2] = [wilson(one, z), wilson(other, z)];
  const difference = p1 - p2;
  return {
    low: difference - Math.hypot(p1 - ends1.low, ends2.high - p2),
    high: difference + Math.hypot(ends1.high - p1, p2 - ends2.low),
  };
}
