import { gaussianEpsilon, gaussianMu } from "./gaussian.ts";

/** What a client may spend over a whole run. */
export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** One participation: what the client could move the sum by, and the noise that hides it. In the unit of the update. */
export interface Participation {
  /** Factor on the client's clipped contribution; 1 for uniform weights. */
  readonly weight: number;
  readonly clip: number;
  /** Standard deviation of the noise on the sum: z·C for central noise. */
  readonly noiseDeviation: number;
}

/**
 * μ² of one participation: (w·C/σ)². Participations add, also where C, σ and who is drawn depend on what was released
 * before: Gaussian DP composes exactly and its filter is valid under full adaptivity (Smith and Thakurta,
 * arXiv 2210.17520; Koskela et al., arXiv 2209.15596). No amplification by sampling is claimed.
 */
export const muSquaredOf = ({ weight, clip, noiseDeviation }: Participation): number =>
  ((weight * clip) / noiseDeviation) ** 2;

/** Largest μ² within the budget. */
export const muSquaredWithin = ({ epsilon, delta }: PrivacyBudget): number => gaussianMu(epsilon, delta) ** 2;

/** Says that a client with `spent` may take part once more at the price `next` (both μ²) and stay within `allowed`. */
export const mayTakePart = (spent: number, next: number, allowed: number): boolean => spent + next <= allowed;

/** ε at `delta` after participations with a μ² of `spent` together. */
export const epsilonSpent = (spent: number, delta: number): number => gaussianEpsilon(Math.sqrt(spent), delta);
