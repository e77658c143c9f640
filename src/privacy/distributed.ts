/** Clients that round onto a grid, add discrete noise of their own, and are only seen as a sum. */
export interface DistributedNoise {
  /** Honest clients whose noise is in the sum: those required, not those invited. */
  readonly survivors: number;
  /** Numbers in an update, padding included. */
  readonly length: number;
  readonly clip: number;
  /** Step γ of the grid, in the unit of the update. */
  readonly step: number;
  /** σ, standard deviation of one client's noise, in the unit of the update. */
  readonly deviation: number;
}

/** β of conditional rounding: a vector that grew too much is rounded again. */
const ROUNDING_BETA = Math.exp(-0.5);

/**
 * Largest norm of a clipped vector after conditional stochastic rounding onto the grid (Kairouz, Liu and Steinke 2021,
 * arXiv 2102.06387, section 4.1): the rounding is repeated until the norm is within it.
 */
export function roundedNorm({ clip, step, length }: Pick<DistributedNoise, "clip" | "step" | "length">): number {
  const spread = Math.sqrt(2 * Math.log(1 / ROUNDING_BETA));
  const root = Math.sqrt(length);
  const expected = clip ** 2 + (step ** 2 * length) / 4 + spread * step * (clip + (step * root) / 2);
  return Math.sqrt(Math.min(expected, (clip + step * root) ** 2));
}

/**
 * ρ of zero-concentrated privacy of one round in which `survivors` clients add discrete Gaussian noise each (Kairouz, Liu
 * and Steinke 2021, Theorem 1). A sum of discrete Gaussians is not one itself: τ bounds the difference.
 */
export function distributedRho(noise: DistributedNoise): number {
  const { survivors, length, step, deviation } = noise;
  const sensitivity = roundedNorm(noise);
  const steps = deviation / step;
  let tau = 0;
  for (let k = 1; k < survivors; k++) tau += 10 * Math.exp((-2 * Math.PI ** 2 * steps ** 2 * k) / (k + 1));
  const total = Math.sqrt(survivors) * deviation;
  const bySquares = Math.sqrt((sensitivity / total) ** 2 + (tau * length) / 2);
  const byNorm = sensitivity / total + tau * Math.sqrt(length);
  return Math.min(bySquares, byNorm) ** 2 / 2;
}

/**
 * Rényi divergence of whole order α of Skellam noise (Agarwal, Kairouz and Liu 2021, arXiv 2110.04995, Theorem 3.5), all
 * in steps of the grid.
 * @param variance of the noise on the sum. @param l1 at most min(√d·l2, l2²).
 */
export function skellamRdp(alpha: number, variance: number, l2: number, l1: number): number {
  const correction = Math.min(((2 * alpha - 1) * l2 ** 2 + 6 * l1) / (4 * variance ** 2), (3 * l1) / (2 * variance));
  return (alpha * l2 ** 2) / (2 * variance) + correction;
}

/**
 * Bits of the modulus with which a sum of `clients` cannot wrap: 2^(bits−1) > n(Δ₂/γ + 12σ/γ). Twelve deviations are
 * left by none of 10⁹ numbers but with probability 10⁻²³.
 */
export function bitsWithoutWrap(noise: DistributedNoise, clients: number): number {
  const largest = clients * ((roundedNorm(noise) + 12 * noise.deviation) / noise.step);
  return Math.floor(Math.log2(largest)) + 2;
}
