/** Functions of one number, in float64 and without loss of digits at either end. */

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** log(1 + eˣ) = −log σ(−x). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Upper limit of log-probabilities: float32 does not tell a larger probability from 1. */
export const HIGHEST_LOG_PROBABILITY: number = -(2 ** -24);

/**
 * log(p/(1 − p)) of p = eᵘ, u < 0. The log of 1 − p has the two branches of Mächler (2012, "Accurately computing
 * log(1 − exp(−|a|))").
 */
export function logOdds(u: number): number {
  const bounded = Math.min(u, HIGHEST_LOG_PROBABILITY);
  return bounded - (bounded > -Math.LN2 ? Math.log(-Math.expm1(bounded)) : Math.log1p(-Math.exp(bounded)));
}

/** gelu(x) = x·σ(scale·(x + cube·x³)), which is ½·x·(1 + tanh(scale/2·(x + cube·x³))). */
export const GELU_SCALE: number = 2 * Math.sqrt(2 / Math.PI);
export const GELU_CUBE = 0.044_715;

export function gelu(x: number): number {
  return x * sigmoid(GELU_SCALE * (x + GELU_CUBE * x ** 3));
}

export function geluSlope(x: number): number {
  const z = GELU_SCALE * (x + GELU_CUBE * x ** 3);
  return sigmoid(z) + x * sigmoid(z) * sigmoid(-z) * GELU_SCALE * (1 + 3 * GELU_CUBE * x * x);
}
