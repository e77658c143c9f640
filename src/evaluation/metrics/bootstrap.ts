import { stream } from "../../tensor/random.ts";

/** A figure with a percentile bootstrap interval, in the figure's own unit. */
export interface Interval {
  /** The statistic of all items. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Items. */
  readonly n: number;
}

export interface BootstrapOptions {
  /** The same seed gives the same resamples for the same number of items. */
  readonly seed: number;
  /** Default 1000. */
  readonly resamples?: number;
  /** Share of the resamples that lies in the interval, 0 to 1. Default 0.95. */
  readonly level?: number;
}

/**
 * Computes a percentile interval (Efron & Tibshirani 1993, "An introduction to the bootstrap", section 13.3) of any statistic of items that were
 * drawn independently: questions, or a corpus's segments as sufficient statistics, as in
 * `bootstrap(segments, (sample) => bleuOf(sumBleuStatistics(sample)).score, { seed })`. Ends are interpolated between resamples.
 *
 * One item gives an interval of no width, which says nothing about the spread. Few items give one that is too narrow: see `estimateOf`. A statistic
 * that is biased in resamples, such as BLEU, need not lie in the middle. Throws an Error for no items and a statistic that is
 * not a number, a RangeError for options out of range.
 */
export function bootstrap<Item>(
  items: readonly Item[],
  statistic: (sample: readonly Item[]) => number,
  options: BootstrapOptions,
): Interval {
  return intervalOf(resample(items.length, (places) => statistic(places.map((place) => items[place]!)), options));
}

/** Computes `bootstrap` of the mean without a copy of the values for each resample: for accuracy, exact match, win rate, pass@k. */
export function bootstrapMean(values: readonly number[], options: BootstrapOptions): Interval {
  const mean = (places: readonly number[]): number =>
    places.reduce((sum, place) => sum + values[place]!, 0) / places.length;
  return intervalOf(resample(values.length, mean, options));
}

export interface Difference extends Interval {
  /** Share of resamples in which the first system is ahead, a tie as ½. Near 1 or 0 the order is sure, near ½ it is chance. */
  readonly ahead: number;
}

/**
 * Computes a paired bootstrap of statistic(first) − statistic(second) for two systems on the same items in the same order (Koehn 2004,
 * "Statistical significance tests for machine translation evaluation"). Both are resampled alike: an item that is
 * hard or easy for both cancels, and the interval is narrower than those of the systems suggest. Throws as `bootstrap`, and an Error for
 * lists of unlike length.
 */
export function pairedDifference<Item>(
  first: readonly Item[],
  second: readonly Item[],
  statistic: (sample: readonly Item[]) => number,
  options: BootstrapOptions,
): Difference {
  if (first.length !== second.length) {
    throw new Error(
      `a paired bootstrap needs the same items of both systems, got ${first.length} and ${second.length}`,
    );
  }
  const of = (places: readonly number[]): number =>
    statistic(places.map((place) => first[place]!)) - statistic(places.map((place) => second[place]!));
  const draws = resample(first.length, of, options);
  const ahead = draws.sorted.reduce((sum, draw) => sum + (draw > 0 ? 1 : draw === 0 ? 0.5 : 0), 0);
  return { ...intervalOf(draws), ahead: ahead / draws.sorted.length };
}

interface Draws {
  readonly value: number;
  /** The statistic of each resample, ascending. */
  readonly sorted: Float64Array;
  readonly level: number;
  readonly n: number;
}

/** Gives `of` places in 0 … n−1: each once for the value, then n drawn with replacement for each resample. */
function resample(
  n: number,
  of: (places: readonly number[]) => number,
  { seed, resamples = 1000, level = 0.95 }: BootstrapOptions,
): Draws {
  if (n === 0) throw new Error("a bootstrap needs at least one item, got none");
  if (!Number.isInteger(resamples) || resamples < 1 || !(level > 0 && level < 1)) {
    throw new RangeError(
      `a bootstrap needs an integer resamples >= 1 and 0 < level < 1, got ${resamples} and ${level}`,
    );
  }
  const random = stream(seed, "bootstrap");
  const places = Array.from({ length: n }, (_, i) => i);
  const value = of(places);
  const sorted = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) places[i] = random.integer(n);
    sorted[r] = of(places);
  }
  sorted.sort();
  // NaN is sorted to the end.
  if (Number.isNaN(value) || Number.isNaN(sorted.at(-1))) {
    throw new Error(
      `the statistic is not a number for ${Number.isNaN(value) ? "the items" : "a resample of the items"}`,
    );
  }
  return { value, sorted, level, n };
}

function intervalOf({ value, sorted, level, n }: Draws): Interval {
  return { value, low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2), n };
}

/** Interpolated between neighbours, numpy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}
