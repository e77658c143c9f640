import { stream } from "../tensor/random.ts";

/** Percentile bootstrap; the branch of metrics brings the whole of it. */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (items: readonly T[]) => number,
  { seed, resamples = 1000, level = 0.95 }: { seed: number; resamples?: number; level?: number },
): { value: number; low: number; high: number; n: number } {
  const n = items.length;
  const values = Array.from({ length: resamples }, (_, r) => {
    const random = stream(seed, "bootstrap", r);
    return statistic(Array.from({ length: n }, () => items[random.integer(n)]!));
  }).sort((a, b) => a - b);
  const at = (share: number): number => values[Math.min(resamples - 1, Math.floor(share * resamples))]!;
  return { value: statistic(items), low: at((1 - level) / 2), high: at((1 + level) / 2), n };
}
