/** Functions of one number, in float64 and without loss of digits at either end. */

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** log(1 + eˣ) = −log σ(−x). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Closest to 0 that a log-probability is taken to be: float32 tells no larger probability from 1. */
export const HIGHEST_LOG_PROBABILITY: number = -(2 ** -24);

/** log(p/(1 − p)) of p = eᵘ, u < 0; the log of 1 − p by Mächler's two branches (2012, "Accurately computing log(1 − exp(−|a|))"). */
export function logOdds(u: number): number {
  const bounded = Math.min(u, HIGHEST_LOG_PROBABILITY);
  return bounded - (bounded > -Math.LN2 ? Math.log(-Math.expm1(bounded)) : Math.log1p(-Math.exp(bounded)));
}
