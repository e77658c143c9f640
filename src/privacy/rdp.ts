import { logPhi } from "./log-phi.ts";

/** Orders α at which Rényi divergences are kept: 1.1 … 10.9, 11 … 63, 128, 256, 512, 1024. */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => (11 + i) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  128,
  256,
  512,
  1024,
];

/** Rounds in which each unit is drawn by its own secret coin, and the sum gets Gaussian noise. */
export interface SampledRounds {
  /** Probability q that a unit takes part. */
  readonly rate: number;
  /** z: the noise on the sum has standard deviation z times the sensitivity. */
  readonly noiseMultiplier: number;
  readonly rounds: number;
}

/**
 * Rényi divergence of order α of one Poisson-sampled Gaussian release (Mironov, Talwar and Zhang 2019, arXiv 1908.10530,
 * section 3.3): log A_α/(α − 1). Removing a unit is the worse order, and covers adding one.
 *
 * @param rate q in [0, 1]; 1 is the plain Gaussian, α/(2z²).
 * @param alpha above 1.
 */
export function rdpOfSampledGaussian(rate: number, noiseMultiplier: number, alpha: number): number {
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`a sampling rate must lie in [0, 1], got ${rate}`);
  if (!(noiseMultiplier >= 0)) throw new RangeError(`a noise multiplier must not be negative, got ${noiseMultiplier}`);
  if (rate === 0) return 0;
  if (noiseMultiplier === 0) return Infinity;
  if (rate === 1) return alpha / (2 * noiseMultiplier ** 2);
  const logA = Number.isInteger(alpha)
    ? logAWhole(rate, noiseMultiplier, alpha)
    : logAFractional(rate, noiseMultiplier, alpha);
  return Math.max(0, logA / (alpha - 1));
}

/**
 * log Σ_k C(α,k)(1−q)^(α−k) q^k exp((k²−k)/2z²). The binomial weights add to 1, so each exponential may lose 1: what is
 * left are positive terms, and log(1 + their sum) keeps its digits where A is near 1.
 */
function logAWhole(q: number, z: number, alpha: number): number {
  let excess = -Infinity;
  let logBinomial = Math.log(alpha);
  for (let k = 2; k <= alpha; k++) {
    logBinomial += Math.log((alpha - k + 1) / k);
    const gain = (k * k - k) / (2 * z * z);
    const logGain = gain > 1 ? gain + Math.log1p(-Math.exp(-gain)) : Math.log(Math.expm1(gain));
    excess = logAdd(excess, logBinomial + k * Math.log(q) + (alpha - k) * Math.log1p(-q) + logGain);
  }
  return logAdd(0, excess);
}

/** The two series of section 3.3. C(α, i) changes its sign for i > α: both signs are summed apart. */
function logAFractional(q: number, z: number, alpha: number): number {
  const middle = z * z * Math.log(1 / q - 1) + 0.5;
  const logQ = Math.log(q);
  const logRest = Math.log1p(-q);
  let positive = -Infinity;
  let negative = -Infinity;
  let logBinomial = 0;
  let sign = 1;
  for (let i = 0; ; i++) {
    const j = alpha - i;
    const below = j * logRest + i * logQ + (i * i - i) / (2 * z * z) + logPhi((middle - i) / z);
    const above = j * logQ + i * logRest + (j * j - j) / (2 * z * z) + logPhi((j - middle) / z);
    const term = logBinomial + logAdd(below, above);
    if (sign > 0) positive = logAdd(positive, term);
    else negative = logAdd(negative, term);
    if (i > alpha && term < positive - 40) break;
    const ratio = (alpha - i) / (i + 1);
    logBinomial += Math.log(Math.abs(ratio));
    if (ratio < 0) sign = -sign;
  }
  return positive + Math.log1p(-Math.exp(negative - positive));
}

/** log(e^a + e^b). */
function logAdd(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === -Infinity ? larger : larger + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** ε of a Rényi curve, and the order that gave it. */
export interface RenyiEpsilon {
  readonly epsilon: number;
  readonly order: number;
  /** True where the best order is the first or the last: other orders might give less. */
  readonly atEdge: boolean;
}

/**
 * Smallest ε at `delta` of a mechanism whose Rényi divergences at `ORDERS` are `curve` (Canonne, Kamath and Steinke 2020,
 * Proposition 12): min over α of ε(α) + log(1 − 1/α) − (log δ + log α)/(α − 1), at least 0.
 */
export function epsilonOfCurve(curve: readonly number[], delta: number): RenyiEpsilon {
  let best = { epsilon: Infinity, order: ORDERS[0]! };
  for (const [i, order] of ORDERS.entries()) {
    const epsilon = curve[i]! + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
    if (epsilon < best.epsilon) best = { epsilon: Math.max(0, epsilon), order };
  }
  return { ...best, atEdge: best.order === ORDERS[0] || best.order === ORDERS.at(-1) };
}

/** ε at `delta` of many rounds by Rényi accounting. Curves of rounds of different kinds add. */
export function rdpEpsilon(kinds: readonly SampledRounds[], delta: number): RenyiEpsilon {
  const curve = ORDERS.map((alpha) =>
    kinds.reduce((sum, kind) => sum + kind.rounds * rdpOfSampledGaussian(kind.rate, kind.noiseMultiplier, alpha), 0),
  );
  return epsilonOfCurve(curve, delta);
}

/** ε at `delta` of ρ-zero-concentrated differential privacy: ε(α) = ρα (Bun and Steinke 2016). */
export const zcdpEpsilon = (rho: number, delta: number): RenyiEpsilon =>
  epsilonOfCurve(
    ORDERS.map((alpha) => rho * alpha),
    delta,
  );
