import { UserError } from "../diagnostics/user-error.ts";

/** Settings of adaptive clipping (Andrew et al. 2021, arXiv 1905.03871, Algorithm 1). */
export interface AdaptiveClip {
  /** C₁, the clip norm of the first round. */
  readonly start: number;
  /** γ, the share of updates that shall stay unclipped. */
  readonly quantile: number;
  /** η_C, how fast the clip follows. */
  readonly rate: number;
}

/**
 * Noise multiplier z_Δ of the update where the count of unclipped updates is released too with standard deviation
 * `countDeviation` (σ_b): z_Δ = (z⁻² − (2σ_b)⁻²)^(−½) (Andrew et al. 2021, Theorem 1). Update and count together then
 * cost one Gaussian of multiplier `noiseMultiplier`.
 *
 * @throws UserError `config` where 2σ_b ≤ z: nothing is left for the update.
 */
export function updateNoiseMultiplier(noiseMultiplier: number, countDeviation: number): number {
  if (noiseMultiplier === 0) return 0;
  const rest = noiseMultiplier ** -2 - (2 * countDeviation) ** -2;
  if (!(rest > 0)) {
    throw new UserError(
      "config",
      `Adaptive clipping has no noise left for the update: the count of unclipped updates has noise ${countDeviation}, expected more than half of the noise multiplier ${noiseMultiplier}.`,
      { hint: "Take more clients a round, a larger epsilon, or a fixed privacy.client.clip." },
    );
  }
  return rest ** -0.5;
}

/** σ_b for `expectedClients` a round (qN): a twentieth of them (Andrew et al. 2021, section 3.1). */
export const defaultCountDeviation = (expectedClients: number): number => expectedClients / 20;

/** A client's contribution to the count: b − ½, b = 1 for an update within the clip. Its sensitivity is ½. */
export const unclippedBit = (norm: number, clip: number): number => (norm <= clip ? 0.5 : -0.5);

/**
 * Clip norm of the next round: C·exp(−η_C(b̃ − γ)), b̃ = ½ + noisySum/expectedClients the noisy share of *unclipped*
 * updates (Andrew et al. 2021, Algorithm 1), within [C₁/1000, 1000·C₁]. All clipped: the clip grows.
 *
 * The order matters: a round clips with C_t and adds noise z_Δ·C_t, and only then moves to C_{t+1}.
 *
 * @param noisySum Σ `unclippedBit` over the cohort plus noise of deviation σ_b.
 */
export function nextClip(
  clip: number,
  noisySum: number,
  expectedClients: number,
  { start, quantile, rate }: AdaptiveClip,
): number {
  const unclipped = 0.5 + noisySum / expectedClients;
  return Math.min(1000 * start, Math.max(start / 1000, clip * Math.exp(-rate * (unclipped - quantile))));
}
