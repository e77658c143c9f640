import type { RandomStream } from "../tensor/random.ts";

type Draws = Pick<RandomStream, "uniform" | "normal">;

/**
 * Draws the logarithm of a Gamma(shape, 1) variable: Marsaglia & Tsang 2000, "A simple method for generating gamma
 * variables"; for a shape below 1 through Gamma(shape + 1)·U^(1/shape). It is the logarithm because for small shapes the
 * variable itself is below the smallest double.
 */
export function logGamma(shape: number, random: Draws): number {
  if (!(shape > 0)) throw new RangeError(`a gamma distribution needs a shape above 0, got ${shape}`);
  if (shape < 1) return logGamma(shape + 1, random) + Math.log1p(-random.uniform()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root ** 3;
    if (Math.log1p(-random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d) + Math.log(v);
  }
}

/** Draws the logarithms of unnormalised Dirichlet(α, …, α) proportions over `count` places. */
export function logDirichlet(count: number, alpha: number, random: Draws): number[] {
  return Array.from({ length: count }, () => logGamma(alpha, random));
}

/** Makes proportions that add up to 1 from their logarithms; −Infinity is a place that gets nothing. */
export function proportions(logs: readonly number[]): number[] {
  const largest = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Cuts `items` into runs of the given proportions, in order; every item is in exactly one. */
export function cut<T>(items: readonly T[], shares: readonly number[]): T[][] {
  let sum = 0;
  let from = 0;
  return shares.map((share, i) => {
    sum += share;
    // The sum of the shares may miss 1 by a rounding error, and the last run must not lose an item to it.
    const to = i === shares.length - 1 ? items.length : Math.min(items.length, Math.floor(sum * items.length));
    const run = items.slice(from, to);
    from = to;
    return run;
  });
}
