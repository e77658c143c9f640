import { logPhi, phi } from "./log-phi.ts";

/** Steps after which an interval of doubles has shrunk to neighbours. */
const BISECTIONS = 200;

/**
 * Smallest δ at `epsilon` of a mechanism that is μ-Gaussian-DP (Balle and Wang 2018, Theorem 8; Dong et al. 2022,
 * Corollary 1): δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ). Exact for Gaussian noise without subsampling.
 *
 * μ = sensitivity / standard deviation of one release; many releases add as μ² = Σ μ_t².
 */
export function gaussianDelta(mu: number, epsilon: number): number {
  if (!(mu >= 0)) throw new RangeError(`mu must not be negative, got ${mu}`);
  if (mu === 0) return epsilon >= 0 ? 0 : -Math.expm1(epsilon);
  if (mu === Infinity) return epsilon === Infinity ? 0 : 1;
  const first = logPhi(mu / 2 - epsilon / mu);
  const second = epsilon + logPhi(-mu / 2 - epsilon / mu);
  // Both terms are close for small mu: the difference of logarithms keeps digits that the difference would lose.
  return second < first ? -Math.exp(first) * Math.expm1(second - first) : 0;
}

/**
 * Smallest ε at `delta` of a mechanism that is μ-Gaussian-DP: the inverse of `gaussianDelta`, rounded up. 0 where δ
 * alone covers the loss, ∞ without noise.
 */
export function gaussianEpsilon(mu: number, delta: number): number {
  checkDelta(delta);
  if (gaussianDelta(mu, 0) <= delta) return 0;
  if (mu === Infinity) return Infinity;
  let low = 0;
  let high = 1;
  while (gaussianDelta(mu, high) > delta) high *= 2;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (gaussianDelta(mu, middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}

/** Largest μ that (`epsilon`, `delta`) allows: the inverse of `gaussianEpsilon`, rounded down. ∞ for ε = ∞. */
export function gaussianMu(epsilon: number, delta: number): number {
  checkDelta(delta);
  if (!(epsilon >= 0)) throw new RangeError(`epsilon must not be negative, got ${epsilon}`);
  if (epsilon === Infinity) return Infinity;
  let low = 0;
  let high = 1;
  while (gaussianDelta(high, epsilon) <= delta) high *= 2;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (gaussianDelta(middle, epsilon) > delta) high = middle;
    else low = middle;
  }
  return low;
}

/**
 * Share of right guesses, at most, of somebody who knows everything else and guesses whether a unit took part, both being
 * as likely: Φ(μ/2) (Dong, Roth and Su 2022, arXiv 1905.02383, section 2). Exact for μ-Gaussian-DP; ½ is a coin.
 */
export const rightGuesses = (mu: number): number => phi(mu / 2);

/** More than rounding adds to the μ² of a ledger: 2⁻⁵³ a participation, for 10⁵ of them. */
const MARGIN = 1e-10;

/**
 * Noise multiplier z with which a client may take part `participations` times within (`epsilon`, `delta`), everybody
 * seeing when: z = √participations / μ(ε, δ) (Balle and Wang 2018, Algorithm 1, after Gaussian composition). The noise
 * on the sum then has standard deviation z·C. Rounded up, so that a ledger of that many charges is within its budget.
 */
export function noiseFor(epsilon: number, delta: number, participations: number): number {
  return (Math.sqrt(participations) / gaussianMu(epsilon, delta)) * (1 + MARGIN);
}

function checkDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta must lie between 0 and 1, got ${delta}`);
}
