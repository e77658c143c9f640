import { fourier } from "./fft.ts";
import { type LossDirection, lossDeviation, type LossDistribution, sampledGaussianLoss } from "./loss-distribution.ts";
import type { SampledRounds } from "./rdp.ts";

/** The loss of all rounds together. */
interface ComposedLoss {
  readonly step: number;
  readonly first: number;
  readonly mass: Float64Array;
  /** δ that holds at every ε: infinite losses, what lies outside the window, and rounding of the transform. */
  readonly extra: number;
}

/** Double precision leaves about 10⁻¹³ of the mass uncertain. */
const SMALLEST_DELTA = 1e-11;

/** Share of δ that may lie outside the window of the transform. */
const TAIL_SHARE = 1e-5;

/**
 * ε at `delta` of Poisson-sampled Gaussian rounds by their privacy loss distribution: an upper bound by construction
 * (`sampledGaussianLoss`), composed by Fourier transform (Koskela, Jälkö and Honkela 2020, arXiv 1906.03049). The larger
 * of removing and adding a unit. At most 0.01% above the exact value at the step that is chosen here.
 *
 * @param step grid of the loss, in nats. Chosen by the spread of the loss where absent.
 * @throws RangeError for δ below 10⁻¹¹.
 */
export function pldEpsilon(kinds: readonly SampledRounds[], delta: number, step: number = stepFor(kinds)): number {
  if (!(delta >= SMALLEST_DELTA && delta < 1)) {
    throw new RangeError(`a loss distribution needs a delta from ${SMALLEST_DELTA} up, below 1, got ${delta}`);
  }
  const counted = kinds.filter(({ rate, rounds }) => rate > 0 && rounds > 0);
  if (counted.length === 0) return 0;
  if (counted.some(({ noiseMultiplier }) => noiseMultiplier === 0)) return Infinity;
  const directions: readonly LossDirection[] = counted.every(({ rate }) => rate === 1) ? ["remove"] : ["remove", "add"];
  return Math.max(
    ...directions.map((direction) => epsilonAt(compose(counted, direction, step, delta * TAIL_SHARE), delta)),
  );
}

/** δ at `epsilon` in one direction, an upper bound. `tail` is the mass that may lie outside the window. */
export function pldDelta(
  kinds: readonly SampledRounds[],
  epsilon: number,
  direction: LossDirection,
  step: number = stepFor(kinds),
  tail = 1e-14,
): number {
  return deltaAt(compose(kinds, direction, step, tail), epsilon);
}

/** A twentieth of the smallest spread of a round's loss, at most 0.002, as a power of two; then half of that. */
function stepFor(kinds: readonly SampledRounds[]): number {
  const deviations = kinds
    .filter(({ rate, noiseMultiplier }) => rate > 0 && noiseMultiplier > 0)
    .map(({ rate, noiseMultiplier }) => lossDeviation(rate, noiseMultiplier));
  return 2 ** Math.round(Math.log2(Math.min(2e-3, ...deviations.map((deviation) => deviation / 20)))) / 2;
}

function compose(kinds: readonly SampledRounds[], direction: LossDirection, step: number, tail: number): ComposedLoss {
  const parts = kinds.map(({ rate, noiseMultiplier, rounds }) => ({
    rounds,
    loss: sampledGaussianLoss(rate, noiseMultiplier, step, direction),
  }));
  const top = Math.min(
    reachOf(parts, 1, tail),
    parts.reduce((sum, { rounds, loss }) => sum + rounds * (loss.first + loss.mass.length - 1) * step, 0),
  );
  const bottom = Math.max(
    -reachOf(parts, -1, tail),
    parts.reduce((sum, { rounds, loss }) => sum + rounds * loss.first * step, 0),
  );
  const first = Math.floor(bottom / step);
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, Math.ceil(top / step) - first + 2)));
  const folded = convolve(parts, size);
  let negative = 0;
  const mass = Float64Array.from({ length: size }, (_, i) => {
    const value = folded[modulo(first + i, size)]!;
    if (value < 0) negative -= value;
    return Math.max(0, value);
  });
  const finite = parts.reduce((product, { rounds, loss }) => product * (1 - loss.infinite) ** rounds, 1);
  return { step, first, mass, extra: 1 - finite + tail + negative };
}

interface Part {
  readonly rounds: number;
  readonly loss: LossDistribution;
}

/** Bound b with P(sign·ΣL > b) ≤ tail/2, by Chernoff: the least (Σ T log E e^(λ·sign·L) + log(2/tail))/λ over λ. */
function reachOf(parts: readonly Part[], sign: number, tail: number): number {
  const bound = (logLambda: number): number => {
    const lambda = Math.exp(logLambda);
    const moments = parts.reduce((sum, { rounds, loss }) => sum + rounds * logMoment(loss, sign * lambda), 0);
    return (moments + Math.log(2 / tail)) / lambda;
  };
  // The bound has one minimum in λ, and holds at every λ: golden-section search need not be exact.
  const GOLDEN = (Math.sqrt(5) - 1) / 2;
  let low = Math.log(1e-4);
  let high = Math.log(1e5);
  let a = high - GOLDEN * (high - low);
  let b = low + GOLDEN * (high - low);
  let atA = bound(a);
  let atB = bound(b);
  while (high - low > 0.05) {
    if (atA < atB) {
      high = b;
      [b, atB] = [a, atA];
      a = high - GOLDEN * (high - low);
      atA = bound(a);
    } else {
      low = a;
      [a, atA] = [b, atB];
      b = low + GOLDEN * (high - low);
      atB = bound(b);
    }
  }
  return Math.min(atA, atB);
}

/** log Σ p_l e^(λl) over finite losses. */
function logMoment({ step, first, mass }: LossDistribution, lambda: number): number {
  let largest = -Infinity;
  for (let i = 0; i < mass.length; i++) {
    if (mass[i]! > 0) largest = Math.max(largest, Math.log(mass[i]!) + lambda * step * (first + i));
  }
  let sum = 0;
  for (let i = 0; i < mass.length; i++) {
    if (mass[i]! > 0) sum += mass[i]! * Math.exp(lambda * step * (first + i) - largest);
  }
  return largest + Math.log(sum);
}

/** The distribution of the sum over all rounds, its places taken modulo `size`. */
function convolve(parts: readonly Part[], size: number): Float64Array {
  const productReal = new Float64Array(size).fill(1);
  const productImaginary = new Float64Array(size);
  for (const { rounds, loss } of parts) {
    const real = new Float64Array(size);
    const imaginary = new Float64Array(size);
    for (let i = 0; i < loss.mass.length; i++) real[modulo(loss.first + i, size)]! += loss.mass[i]!;
    fourier(real, imaginary);
    // Power by repeated squaring: the phase of each factor keeps its digits, which atan2 times T would lose.
    for (let rest = rounds; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) multiply(productReal, productImaginary, real, imaginary);
      if (rest > 1) multiply(real, imaginary, real, imaginary);
    }
  }
  fourier(productReal, productImaginary, true);
  return productReal;
}

/** a ← a·b for each pair of complex numbers. `b` may be `a`. */
function multiply(aReal: Float64Array, aImaginary: Float64Array, bReal: Float64Array, bImaginary: Float64Array): void {
  for (let i = 0; i < aReal.length; i++) {
    const [a, b, c, d] = [aReal[i]!, aImaginary[i]!, bReal[i]!, bImaginary[i]!];
    aReal[i] = a * c - b * d;
    aImaginary[i] = a * d + b * c;
  }
}

const modulo = (value: number, size: number): number => ((value % size) + size) % size;

/** δ(ε) = extra + Σ_{l>ε} p_l (1 − e^(ε−l)). */
function deltaAt({ step, first, mass, extra }: ComposedLoss, epsilon: number): number {
  let sum = 0;
  for (let i = Math.max(0, Math.floor(epsilon / step) - first); i < mass.length; i++) {
    const loss = (first + i) * step;
    if (loss > epsilon) sum -= mass[i]! * Math.expm1(epsilon - loss);
  }
  return extra + sum;
}

/** Least ε ≥ 0 with δ(ε) ≤ delta: a search among the grid's losses, then the exact solution between two of them. */
function epsilonAt(loss: ComposedLoss, delta: number): number {
  if (deltaAt(loss, 0) <= delta) return 0;
  const { step, first, mass, extra } = loss;
  if (extra > delta) return Infinity;
  let low = Math.max(0, -first);
  let high = mass.length - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (deltaAt(loss, (first + middle) * step) <= delta) high = middle;
    else low = middle + 1;
  }
  // Below the loss at `high` and above the one before, δ(ε) = extra + tail − e^(ε−l)·weighted.
  let tail = 0;
  let weighted = 0;
  for (let i = high; i < mass.length; i++) {
    tail += mass[i]!;
    weighted += mass[i]! * Math.exp((high - i) * step);
  }
  return Math.max(0, (first + high) * step + Math.log((extra + tail - delta) / weighted));
}
