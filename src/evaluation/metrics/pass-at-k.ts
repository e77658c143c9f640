/** Counts of one problem's generated programs. */
export interface Attempts {
  readonly samples: number;
  /** Number of them that passed the problem's tests. */
  readonly correct: number;
}

/**
 * Estimates, without bias, the probability, 0 to 1, that one of k programs passes: 1 − C(n−c, k) / C(n, k), as a product that
 * neither overflows nor cancels (Chen et al. 2021, "Evaluating large language models trained on code", equation 1 and figure 3).
 * Throws a RangeError unless k is in 1 … samples and correct in 0 … samples: fewer samples than k estimate nothing.
 */
export function passAtK({ samples, correct }: Attempts, k: number): number {
  const whole = [samples, correct, k].every(Number.isInteger);
  if (!whole || k < 1 || k > samples || correct < 0 || correct > samples) {
    throw new RangeError(
      `pass@k needs integers 1 <= k <= samples and 0 <= correct <= samples, got k ${k}, samples ${samples}, correct ${correct}`,
    );
  }
  if (samples - correct < k) return 1;
  let allFail = 1;
  for (let i = samples - correct + 1; i <= samples; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}

/** Averages the problems' estimates. Throws an Error for no problems, and as `passAtK`. */
export function meanPassAtK(problems: readonly Attempts[], k: number): number {
  if (problems.length === 0) throw new Error("pass@k needs at least one problem, got none");
  return problems.reduce((sum, problem) => sum + passAtK(problem, k), 0) / problems.length;
}
