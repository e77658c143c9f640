import { stream } from "../tensor/random.ts";

/** A figure with a percentile bootstrap interval, in the figure's own unit. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Items. */
  readonly n: number;
}

// Stands in for the module of the same name and face that the metrics come with: take that one.
export function bootstrap<Item>(
  items: readonly Item[],
  statistic: (sample: readonly Item[]) => number,
  { seed, resamples = 1000, level = 0.95 }: { seed: number; resamples?: number; level?: number },
): Interval {
  const random = stream(seed, "bootstrap", items.length);
  const values = Float64Array.from({ length: resamples }, () =>
    statistic(items.map(() => items[random.integer(items.length)]!)),
  ).sort();
  const at = (share: number): number => {
    const place = share * (resamples - 1);
    const below = Math.floor(place);
    return values[below]! + (place - below) * ((values[below + 1] ?? values[below]!) - values[below]!);
  };
  return { value: statistic(items), low: at((1 - level) / 2), high: at((1 + level) / 2), n: items.length };
}
