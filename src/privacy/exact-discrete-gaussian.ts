import { squareOf } from "./fraction.ts";

/** Random bytes, each call the next ones. */
export type RandomBytes = (length: number) => Uint8Array;

/**
 * One draw of the discrete Gaussian N_Z(0, σ²), P(k) ∝ exp(−k²/(2σ²)), with no rounding at all (Canonne, Kamath and
 * Steinke 2020, arXiv 2004.00010, Algorithm 3). The slow twin of `discreteGaussianTable`.
 *
 * @param sigma positive; taken as the exact fraction that the double is.
 */
export function exactDiscreteGaussian(random: RandomBytes, sigma: number): bigint {
  const { numerator, denominator } = squareOf(sigma);
  const scale = BigInt(Math.floor(sigma)) + 1n;
  for (;;) {
    const draw = discreteLaplace(random, scale);
    // (|Y| − σ²/t)² / (2σ²), as a fraction: (|Y|·t·d − n)² / (2·n·d·t²) for σ² = n/d.
    const distance = (draw < 0n ? -draw : draw) * scale * denominator - numerator;
    const accepted = bernoulliExp(random, distance ** 2n, 2n * numerator * denominator * scale ** 2n);
    if (accepted) return draw;
  }
}

/** A discrete Laplace of scale t: P(k) ∝ e^(−|k|/t) (Algorithm 2). */
function discreteLaplace(random: RandomBytes, scale: bigint): bigint {
  for (;;) {
    const low = uniformBelow(random, scale);
    if (!bernoulliExp(random, low, scale)) continue;
    let high = 0n;
    while (bernoulliExp(random, 1n, 1n)) high++;
    const magnitude = low + scale * high;
    const negative = uniformBelow(random, 2n) === 1n;
    // "Minus zero" is drawn again: 0 would be twice as likely.
    if (!(negative && magnitude === 0n)) return negative ? -magnitude : magnitude;
  }
}

/** True with probability e^(−n/d), n ≥ 0 (Algorithm 1). */
function bernoulliExp(random: RandomBytes, numerator: bigint, denominator: bigint): boolean {
  let part = numerator;
  for (; part > denominator; part -= denominator) {
    if (!bernoulliExp(random, 1n, 1n)) return false;
  }
  let k = 1n;
  while (uniformBelow(random, k * denominator) < part) k++;
  return k % 2n === 1n;
}

/** A whole number in [0, n), each equally likely: bits of n's length, drawn again where they are n or more. */
function uniformBelow(random: RandomBytes, n: bigint): bigint {
  const bits = (n - 1n).toString(2).length;
  const length = Math.ceil(bits / 8);
  for (;;) {
    let draw = 0n;
    for (const byte of random(length)) draw = (draw << 8n) | BigInt(byte);
    draw >>= BigInt(8 * length - bits);
    if (draw < n) return draw;
  }
}
