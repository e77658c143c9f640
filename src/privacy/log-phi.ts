const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/**
 * Natural logarithm of the standard normal distribution function Φ(x), to about 5e-15 relative for every finite x.
 *
 * Below −2: the continued fraction of the Mills ratio, from the back (Abramowitz and Stegun 26.2.14). Within ±2: the
 * series Φ(x) = ½ ± φ(x)(|x| + |x|³/3 + |x|⁵/15 + …), of which all terms are positive (26.2.11). Above 2: log(1 − Φ(−x)).
 */
export function logPhi(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x === Infinity) return 0;
  if (x === -Infinity) return -Infinity;
  if (x < -2) {
    let fraction = 0;
    for (let k = Math.floor(20 + 1200 / (x * x)); k > 0; k--) fraction = k / (-x + fraction);
    return (-x * x) / 2 - HALF_LOG_TWO_PI - Math.log(-x + fraction);
  }
  if (x > 2) return Math.log1p(-Math.exp(logPhi(-x)));
  let term = Math.abs(x);
  let sum = term;
  for (let k = 1; term > 1e-18 * sum; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  const fromMiddle = Math.exp((-x * x) / 2 - HALF_LOG_TWO_PI) * sum;
  return Math.log(x >= 0 ? 0.5 + fromMiddle : 0.5 - fromMiddle);
}

/** Φ(x), accurate relative to itself in the lower tail. */
export const phi = (x: number): number => Math.exp(logPhi(x));
