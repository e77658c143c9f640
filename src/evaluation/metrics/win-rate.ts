import { dot, fitLogistic, sigmoid } from "./logistic-regression.ts";

export interface WinRate {
  /** Mean preference, 0 to 1: (wins + ½ ties) / all where a verdict is 1, ½ or 0. */
  readonly winRate: number;
  /** Preferences above ½. */
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
}

/**
 * Computes the share of comparisons in which a judge prefers the model's answer to the baseline's. A preference is 1 (model), ½ (tie), 0 (baseline), or the judge's
 * probability for the model (AlpacaEval's preference − 1). Throws an Error for none, and one outside 0 … 1.
 */
export function winRate(preferences: readonly number[]): WinRate {
  checkPreferences(preferences);
  const wins = preferences.filter((preference) => preference > 0.5).length;
  const losses = preferences.filter((preference) => preference < 0.5).length;
  const sum = preferences.reduce((total, preference) => total + preference, 0);
  return { winRate: sum / preferences.length, wins, ties: preferences.length - wins - losses, losses };
}

/** One comparison; lengths in characters. */
export interface LengthedPreference {
  readonly preference: number;
  readonly length: number;
  readonly baselineLength: number;
  /** Difficulty of the instruction, where it is known: AlpacaEval publishes fitted numbers for its own. Default 0. */
  readonly difficulty?: number;
}

/**
 * Estimates the win rate, 0 to 1, for answers of the same length, by a logistic regression (Dubois et al. 2024,
 * "Length-controlled AlpacaEval", equation 2): log-odds = θ + φ·tanh(Δlength / std(Δlength)) + ψ·difficulty, averaged with φ left out.
 *
 * It is not AlpacaEval's number to the digit. AlpacaEval also fits on the answers of two baselines that exploit length, and chooses
 * an L1 penalty by cross-validation; its difficulties and those answers are files of its dataset. Here the penalty is a fixed
 * `ridge`/2·|w|², and without `difficulty` that term is left out.
 *
 * Throws an Error as `winRate`, and where all answers differ in length by the same amount, which leaves nothing to learn from.
 */
export function lengthControlledWinRate(
  comparisons: readonly LengthedPreference[],
  { ridge = 0.01 }: { readonly ridge?: number } = {},
): number {
  const preferences = comparisons.map(({ preference }) => preference);
  checkPreferences(preferences);
  const differences = comparisons.map(({ length, baselineLength }) => length - baselineLength);
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
  const squares = differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0);
  const std = Math.sqrt(squares / (differences.length - 1));
  if (!(std > 0) && mean !== 0) {
    throw new Error(
      `all ${comparisons.length} answers differ from the baseline's by ${mean} characters: the effect of length cannot be told apart`,
    );
  }
  const features = comparisons.map(({ difficulty = 0 }, i) => [
    1,
    std > 0 ? Math.tanh(differences[i]! / std) : 0,
    difficulty,
  ]);
  const weights = fitLogistic(features, preferences, ridge);
  const atSameLength = features.map(([one, , difficulty]) => sigmoid(dot(weights, [one!, 0, difficulty!])));
  return atSameLength.reduce((sum, probability) => sum + probability, 0) / comparisons.length;
}

function checkPreferences(preferences: readonly number[]): void {
  if (preferences.length === 0) throw new Error("a win rate needs at least one preference, got none");
  const wrong = preferences.find((preference) => !(preference >= 0 && preference <= 1));
  if (wrong !== undefined) throw new Error(`a preference must be between 0 (baseline) and 1 (model), got ${wrong}`);
}
