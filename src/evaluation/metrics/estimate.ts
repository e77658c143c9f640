import { bootstrap, bootstrapMean } from "./bootstrap.ts";
import { betaQuantile, studentQuantile } from "./beta-distribution.ts";

/** A figure of some items with a 95% interval, in the figure's own unit. */
export interface Estimate {
  /** The statistic of all items. */
  readonly value: number;
  /** Items. */
  readonly n: number;
  /** Absent where there are too few items for an interval. */
  readonly low?: number;
  readonly high?: number;
  /** How the interval was made. Absent in results of version 0.1, which has bootstrap intervals only. */
  readonly interval?: IntervalKind;
}

/** `exact`: Clopper–Pearson, of a proportion; `bootstrap`: percentiles; `t`: Student's, of differences. */
export type IntervalKind = "exact" | "bootstrap" | "t";

/** Fewer items than this get no bootstrap interval: it would cover the true value too seldom (docs/metrics.md). */
export const FEWEST_FOR_BOOTSTRAP = 20;

const LEVEL = 0.95;

/**
 * Estimates a mean. Values that are all 0 or 1 are a proportion and get its exact interval; others get a bootstrap
 * interval from `FEWEST_FOR_BOOTSTRAP` items on, and none below.
 */
export function estimateMean(values: readonly number[], { seed }: { readonly seed: number }): Estimate {
  const n = values.length;
  const sum = values.reduce((total, value) => total + value, 0);
  if (n > 0 && !values.some((value) => value !== 0 && value !== 1)) return proportion(sum, n);
  if (n >= FEWEST_FOR_BOOTSTRAP) return { ...bootstrapMean(values, { seed, level: LEVEL }), interval: "bootstrap" };
  return { value: sum / n, n };
}

/** Estimates any statistic, with a bootstrap interval from `FEWEST_FOR_BOOTSTRAP` items on, and none below. */
export function estimateOf<Item>(
  items: readonly Item[],
  statistic: (sample: readonly Item[]) => number,
  { seed }: { readonly seed: number },
): Estimate {
  if (items.length < FEWEST_FOR_BOOTSTRAP) return { value: statistic(items), n: items.length };
  return { ...bootstrap(items, statistic, { seed, level: LEVEL }), interval: "bootstrap" };
}

/**
 * Estimates a proportion with the exact interval of Clopper & Pearson (1934, "The use of confidence or fiducial limits
 * illustrated in the case of the binomial"). It covers the true value in at least 95% of cases, whatever `n` is.
 */
export function proportion(successes: number, n: number): Estimate {
  const tail = (1 - LEVEL) / 2;
  return {
    value: successes / n,
    n,
    low: successes === 0 ? 0 : betaQuantile(tail, successes, n - successes + 1),
    high: successes === n ? 1 : 1 - betaQuantile(tail, n - successes, successes + 1),
    interval: "exact",
  };
}

/** Estimates the mean of differences with Student's t interval: of the same runs with several seeds, for example. One has no interval. */
export function meanDifference(differences: readonly number[]): Estimate {
  const n = differences.length;
  const value = differences.reduce((sum, each) => sum + each, 0) / n;
  if (n < 2) return { value, n };
  const variance = differences.reduce((sum, each) => sum + (each - value) ** 2, 0) / (n - 1);
  const margin = studentQuantile((1 + LEVEL) / 2, n - 1) * Math.sqrt(variance / n);
  return { value, n, low: value - margin, high: value + margin, interval: "t" };
}
