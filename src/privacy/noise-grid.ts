/** Steps of the grid a standard deviation has at least; below twice as many. */
const STEPS = 2 ** 11;

/**
 * Step γ = 2^−s of the grid on which a sum is noised: `deviation`/γ lies in [2¹¹, 2¹²). Noise that is drawn and added
 * in whole steps has none of the gaps of floating point by which noise can be told from data (Mironov 2012).
 * @param deviation standard deviation of the noise, in the unit of the update; positive.
 */
export function gridStep(deviation: number): number {
  if (!(deviation > 0 && deviation < Infinity)) throw new RangeError(`noise needs a deviation, got ${deviation}`);
  let step = 2 ** Math.floor(Math.log2(deviation / STEPS));
  // log2 may be a rounding off at powers of two.
  while (deviation / step < STEPS) step /= 2;
  while (deviation / step >= 2 * STEPS) step *= 2;
  return step;
}

/**
 * Whole steps of the grid in `value`, toward zero: the norm of a vector cannot grow by that, as it would by rounding to
 * the nearest. Exact, because the step is a power of two.
 */
export const onGrid = (value: number, step: number): number => Math.trunc(value / step) + 0;
