import { phi } from "./log-phi.ts";

/** `remove`: the loss where a unit takes part against where it does not; `add`: the other way round. */
export type LossDirection = "remove" | "add";

/** The distribution of a privacy loss on the grid step·(first + i). */
export interface LossDistribution {
  readonly step: number;
  readonly first: number;
  readonly mass: Float64Array;
  /** Probability of an infinite loss. */
  readonly infinite: number;
}

/** Standard deviations of the noise within which the loss is laid on the grid. Outside lie 10⁻¹⁸. */
const REACH = 9;

/**
 * Privacy loss of one Poisson-sampled Gaussian release, never more private than the release itself (connect the dots:
 * Doroshenko et al. 2022, arXiv 2207.04380). With P = (1−q)N(0,z²) + qN(1,z²) and Q = N(0,z²), each cell of the loss
 * L = log P/Q gives its mass to its two ends so that its masses under P and under Q are both kept. That spreads the
 * likelihood ratio, so δ(ε) can only rise, by O(step²).
 *
 * @param rate q in (0, 1].
 * @param noiseMultiplier z, positive.
 */
export function sampledGaussianLoss(
  rate: number,
  noiseMultiplier: number,
  step: number,
  direction: LossDirection,
): LossDistribution {
  const z = noiseMultiplier;
  const first = Math.floor(lossAt(rate, z, -REACH * z) / step);
  const last = Math.ceil(lossAt(rate, z, 1 + REACH * z) / step);
  const absent = cellsOf(rate, z, step, first, last, 0);
  const shifted = cellsOf(rate, z, step, first, last, 1);
  const present = mix(rate, absent, shifted);
  return direction === "remove"
    ? connect(step, first, present, absent)
    : connect(step, -last, mirrored(absent), mirrored(present));
}

/** L(x) = log(1 − q + q·e^((2x−1)/2z²)), rising in x. */
function lossAt(rate: number, z: number, x: number): number {
  const exponent = (2 * x - 1) / (2 * z * z);
  // expm1 overflows above 709, where log q + exponent is L to all digits.
  return exponent > 700 ? Math.log(rate) + exponent : Math.log1p(rate * Math.expm1(exponent));
}

/** Mass of each cell of the grid, and of what lies below and above it. */
interface Cells {
  readonly below: number;
  readonly inner: Float64Array;
  readonly above: number;
}

/** Masses of the cells of L under N(shift, z²). */
function cellsOf(rate: number, z: number, step: number, first: number, last: number, shift: number): Cells {
  const inner = new Float64Array(last - first);
  const normal = (x: number): [lower: number, upper: number] => [phi((x - shift) / z), phi((shift - x) / z)];
  let x = outcomeAt(rate, z, first * step);
  let [lower, upper] = normal(x);
  const below = lower;
  for (let i = 0; i < inner.length; i++) {
    const nextX = outcomeAt(rate, z, (first + i + 1) * step);
    const [nextLower, nextUpper] = normal(nextX);
    // Differences of the smaller of the two tails keep their digits.
    inner[i] = x < shift ? nextLower - lower : upper - nextUpper;
    [x, lower, upper] = [nextX, nextLower, nextUpper];
  }
  return { below, inner, above: upper };
}

/** x(l) = z²·log(1 + (e^l − 1)/q) + ½, the inverse of L; −∞ where no x has that loss. */
function outcomeAt(rate: number, z: number, loss: number): number {
  const ratio = Math.expm1(loss) / rate;
  if (ratio <= -1) return -Infinity;
  return z * z * (loss > 700 ? loss - Math.log(rate) : Math.log1p(ratio)) + 0.5;
}

const mix = (rate: number, a: Cells, b: Cells): Cells => ({
  below: (1 - rate) * a.below + rate * b.below,
  inner: a.inner.map((mass, i) => (1 - rate) * mass + rate * b.inner[i]!),
  above: (1 - rate) * a.above + rate * b.above,
});

const mirrored = ({ below, inner, above }: Cells): Cells => ({
  below: above,
  inner: inner.toReversed(),
  above: below,
});

function connect(step: number, first: number, p: Cells, q: Cells): LossDistribution {
  const cells = p.inner.length;
  const mass = new Float64Array(cells + 1);
  for (let i = 0; i < cells; i++) {
    const up = (p.inner[i]! - Math.exp((first + i) * step) * q.inner[i]!) / -Math.expm1(-step);
    const moved = Math.min(p.inner[i]!, Math.max(0, up));
    mass[i + 1] = mass[i + 1]! + moved;
    mass[i] = mass[i]! + p.inner[i]! - moved;
  }
  mass[0] = mass[0]! + p.below;
  const finite = Math.min(p.above, q.above * Math.exp((first + cells) * step));
  mass[cells] = mass[cells]! + finite;
  return { step, first, mass, infinite: p.above - finite };
}

/** Standard deviation of the loss L under P, by the midpoint rule: what the step of the grid is chosen by. */
export function lossDeviation(rate: number, z: number): number {
  const POINTS = 4000;
  const width = (1 + 2 * REACH * z) / POINTS;
  let mass = 0;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < POINTS; i++) {
    const x = -REACH * z + (i + 0.5) * width;
    const density = (1 - rate) * Math.exp((-x * x) / (2 * z * z)) + rate * Math.exp(-((x - 1) ** 2) / (2 * z * z));
    const loss = lossAt(rate, z, x);
    mass += density;
    sum += density * loss;
    squares += density * loss * loss;
  }
  return Math.sqrt(Math.max(0, squares / mass - (sum / mass) ** 2));
}
