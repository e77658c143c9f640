import { discreteGaussianTable, type DiscreteGaussianTable, drawDiscreteGaussian } from "./discrete-gaussian.ts";
import type { SecretStream } from "./secret-stream.ts";

/** Standard deviation of the one table, in steps of the grid. */
const SIGMA = 2 ** 14;
/** Largest factor: Σ/8, so that a sum of two draws is as smooth as one. */
const MOST = SIGMA / 8;

let table: DiscreteGaussianTable | undefined;

/**
 * Discrete Gaussian noise of large deviations from one small table: factor·Y₁ + Y₂, with Y₁ and Y₂ of deviation 2¹⁴. For factors
 * of at most 2¹¹ its probabilities differ from those of a discrete Gaussian of deviation 2¹⁴·√(factor² + 1) by less than
 * e^−1262 of them (Micciancio and Walter 2017, eprint 2017/259, section 4.2). Factor 0 is one draw.
 */
export interface WideNoise {
  readonly factor: number;
  /** Standard deviation in steps of the grid. */
  readonly deviation: number;
}

/** Chooses the noise with the smallest deviation of at least `deviation` steps, or the largest there is. */
export function wideNoise(deviation: number): WideNoise {
  const ratio = deviation / SIGMA;
  const factor = ratio <= 1 ? 0 : Math.min(MOST, Math.ceil(Math.sqrt(ratio * ratio - 1)));
  return { factor, deviation: SIGMA * Math.hypot(1, factor) };
}

/** Draws `count` independent numbers, whole steps of the grid. */
export async function drawWideNoise({ factor }: WideNoise, stream: SecretStream, count: number): Promise<Float64Array> {
  table ??= discreteGaussianTable(SIGMA);
  const fine = await drawDiscreteGaussian(table, stream, count);
  if (factor === 0) return Float64Array.from(fine);
  const coarse = await drawDiscreteGaussian(table, stream, count);
  return Float64Array.from(fine, (value, i) => value + factor * coarse[i]!);
}
