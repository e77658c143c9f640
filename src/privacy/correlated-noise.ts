/**
 * Correlated noise (DP-FTRL by matrix factorisation: Denisov et al. 2022, arXiv 2202.08312): round t releases its sum
 * plus (C⁻¹Z)_t, Z independent noise a round. C and C⁻¹ are lower triangular Toeplitz, given by their first column.
 */
export interface NoiseCorrelation {
  /** First column of C⁻¹: round t adds Σ_i inverse[i]·z_{t−i}. Its length is how many rounds of Z are in use. */
  readonly inverse: readonly number[];
  /** First column of C over all rounds: what a participation touches. */
  readonly strategy: readonly number[];
}

/**
 * The square root of the prefix-sum matrix (Fichtenberger, Henzinger and Upadhyay 2023, arXiv 2202.11205): a_0 = 1,
 * a_k = a_{k−1}(2k−3)/(2k). Cut to `bands` numbers, and then inverted as it is used, so that a sensitivity is that of
 * the noise which is added.
 */
export function squareRootCorrelation(rounds: number, bands: number = rounds): NoiseCorrelation {
  const inverse = [1];
  for (let k = 1; k < Math.min(bands, rounds); k++) inverse.push((inverse[k - 1]! * (2 * k - 3)) / (2 * k));
  const strategy = [1];
  for (let k = 1; k < rounds; k++) {
    let sum = 0;
    for (let i = 1; i <= k && i < inverse.length; i++) sum -= inverse[i]! * strategy[k - i]!;
    strategy.push(sum);
  }
  return { inverse, strategy };
}

/** When a client may take part: rounds apart at least, and how often at most. The schedule must enforce both. */
export interface Participations {
  readonly separation: number;
  readonly most: number;
}

/**
 * Sensitivity of C·G where one client adds a vector of norm 1 in each of its rounds: the square root of
 * max Σ_{i,j} (CᵀC)_ij over patterns that are allowed. All entries are positive and fall with distance, so the earliest
 * and densest pattern is the worst.
 */
export function correlatedSensitivity({ strategy }: NoiseCorrelation, { separation, most }: Participations): number {
  let squares = 0;
  for (let t = 0; t < strategy.length; t++) {
    let touched = 0;
    for (let i = 0; i < most && i * separation <= t; i++) touched += strategy[t - i * separation]!;
    squares += touched * touched;
  }
  return Math.sqrt(squares);
}

/** Deviation of the noise in the worst prefix sum, for Z of deviation 1: the last, √Σ_k (Σ_{i≤k} a_i)². */
export function prefixDeviation({ inverse, strategy }: NoiseCorrelation): number {
  let squares = 0;
  let prefix = 0;
  for (let k = 0; k < strategy.length; k++) {
    prefix += inverse[k] ?? 0;
    squares += prefix * prefix;
  }
  return Math.sqrt(squares);
}

/** How many nodes of a binary tree over `rounds` leaves one participation is in: ⌈log₂(rounds + 1)⌉ (Kairouz et al. 2021). */
export const treeHeight = (rounds: number): number => rounds.toString(2).length;

/** ρ of zero-concentrated privacy of one participation in tree aggregation with noise multiplier z a node: height/(2z²). */
export const treeRho = (rounds: number, noiseMultiplier: number): number =>
  treeHeight(rounds) / (2 * noiseMultiplier ** 2);

/** How many nodes' noise is in the prefix sum of `round` (from 1): the ones in its binary digits. */
export const treeNodesInPrefix = (round: number): number => round.toString(2).replaceAll("0", "").length;
