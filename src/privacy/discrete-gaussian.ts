import { squareOf } from "./fraction.ts";
import type { SecretStream } from "./secret-stream.ts";

/** Binary digits of the fixed-point numbers; rounding over 10⁵ entries costs about 50 of them. */
const DIGITS = 256n;
const ONE = 1n << DIGITS;

/** How far the table goes: beyond √(2 ln 2 · 136) ≈ 13.7 σ lies less than 2⁻¹³⁰. */
const DEVIATIONS = 13.75;

/** Below, 0 has all but 2⁻¹⁸³ of the mass. Above, the table takes seconds to make. */
const SMALLEST_SIGMA = 2 ** -4;
const LARGEST_SIGMA = 2 ** 16;

/** Numbers drawn at a time, so that random bytes of a large vector need little memory. */
const DRAWS = 1 << 16;

/** The distribution function of |N_Z(0, σ²)|, times 2¹²⁸, as four words an entry, the highest word apart. */
export interface DiscreteGaussianTable {
  readonly sigma: number;
  /** Word 0 of each entry: bits 96 … 127 of P(|Y| ≤ k)·2¹²⁸. */
  readonly high: Uint32Array;
  /** Words 1, 2, 3 of each entry. */
  readonly low: Uint32Array;
}

/**
 * Makes the table from which `drawDiscreteGaussian` draws. Thresholds are rounded by less than 2⁻¹²⁸ each, so a draw
 * is within entries·2⁻¹²⁸ of the distribution in total variation: 2⁻¹¹² for σ = 2¹².
 *
 * @param sigma standard deviation in steps of the grid, from 2⁻⁴ to 2¹⁶.
 */
export function discreteGaussianTable(sigma: number): DiscreteGaussianTable {
  if (!(sigma >= SMALLEST_SIGMA && sigma <= LARGEST_SIGMA)) {
    throw new RangeError(
      `a discrete Gaussian needs a deviation of ${SMALLEST_SIGMA} to ${LARGEST_SIGMA} grid steps, got ${sigma}`,
    );
  }
  const weights = weightsOf(sigma);
  const total = weights.reduce((a, b) => a + b, 0n);
  const high = new Uint32Array(weights.length);
  const low = new Uint32Array(3 * weights.length);
  let sum = 0n;
  for (const [k, weight] of weights.entries()) {
    sum += weight;
    // The last entry would be 2¹²⁸ itself; one less keeps it in four words.
    const threshold = k === weights.length - 1 ? (1n << 128n) - 1n : (sum << 128n) / total;
    high[k] = Number(threshold >> 96n);
    for (let word = 0; word < 3; word++)
      low[3 * k + word] = Number((threshold >> BigInt(64 - 32 * word)) & 0xffffffffn);
  }
  return { sigma, high, low };
}

/** Weights of |Y| = 0, 1, 2, … in fixed point: 1 and then 2·exp(−k²/(2σ²)). */
function weightsOf(sigma: number): bigint[] {
  const { numerator, denominator } = squareOf(sigma);
  // exp(−k²/2σ²) = exp(−(k−1)²/2σ²) · exp(−(2k−1)/2σ²), and that factor shrinks by exp(−1/σ²) a step.
  let factor = expOfMinus(denominator, 2n * numerator);
  const shrink = (factor * factor) >> DIGITS;
  const weights = [ONE];
  let weight = ONE;
  for (let k = 1; k <= Math.ceil(DEVIATIONS * sigma) + 1; k++) {
    weight = (weight * factor) >> DIGITS;
    factor = (factor * shrink) >> DIGITS;
    weights.push(2n * weight);
  }
  return weights;
}

/** e^(−n/d) in fixed point: the inverse of the series of e^(n/d), whose terms are all positive. */
function expOfMinus(numerator: bigint, denominator: bigint): bigint {
  let term = ONE;
  let sum = 0n;
  for (let k = 1n; term > 0n; k++) {
    sum += term;
    term = (term * numerator) / (denominator * k);
  }
  return (ONE * ONE) / sum;
}

/**
 * `count` independent draws of N_Z(0, σ²) from secret bytes: 33 bits a number, 96 more where those do not decide.
 * Search in the table of 128-bit thresholds; not constant in time, which matters to nobody who sees only the sum.
 */
export async function drawDiscreteGaussian(
  { high, low }: DiscreteGaussianTable,
  stream: SecretStream,
  count: number,
): Promise<Int32Array> {
  const draws = new Int32Array(count);
  for (let from = 0; from < count; from += DRAWS) {
    const size = Math.min(DRAWS, count - from);
    const words = new Uint32Array((await stream.bytes(4 * size)).buffer);
    const signs = await stream.bytes(Math.ceil(size / 8));
    for (let i = 0; i < size; i++) {
      let k = firstAtLeast(high, words[i]!);
      if (high[k] === words[i]) {
        const rest = new Uint32Array((await stream.bytes(12)).buffer);
        while (high[k] === words[i] && !below(rest, low, k)) k++;
      }
      draws[from + i] = (signs[i >> 3]! >> (i & 7)) & 1 ? -k : k;
    }
  }
  return draws;
}

/** Draws from a fresh table. Keep the table where several vectors have the same deviation: it takes a tenth of a second. */
export const discreteGaussian = (stream: SecretStream, sigmaOnGrid: number, count: number): Promise<Int32Array> =>
  drawDiscreteGaussian(discreteGaussianTable(sigmaOnGrid), stream, count);

/** First place whose word is `word` or more. The last word is the largest there is. */
function firstAtLeast(high: Uint32Array, word: number): number {
  let from = 0;
  let to = high.length - 1;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (high[middle]! < word) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Says that the low words drawn lie below those of entry `k`. The last entry takes what is left. */
function below(rest: Uint32Array, low: Uint32Array, k: number): boolean {
  if (3 * (k + 1) >= low.length) return true;
  for (let word = 0; word < 3; word++) {
    if (rest[word] !== low[3 * k + word]) return rest[word]! < low[3 * k + word]!;
  }
  return false;
}
