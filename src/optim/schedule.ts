/** The limits of a schedule's learning rates, per optimizer step. */
export interface LearningRates {
  readonly learningRate: number;
  /** The floor; `constant` does not use it. */
  readonly minLearningRate: number;
}

/** Computes the learning rate of round `round` (1 is the first) of `rounds`; it is constant inside a round. */
export type Schedule = (rates: LearningRates, round: number, rounds: number) => number;

/**
 * lr_r = min + ½·(lr − min)·(1 + cos(π·r/R)), r = round − 1: the first round trains at `learningRate`, the last stays
 * just above the floor (SGDR, Loshchilov & Hutter 2017, eq. 5, one cycle; OpenFedLLM `utils/utils.py`).
 */
function cosine({ learningRate, minLearningRate }: LearningRates, round: number, rounds: number): number {
  return minLearningRate + 0.5 * (learningRate - minLearningRate) * (1 + Math.cos((Math.PI * (round - 1)) / rounds));
}

export const SCHEDULES: { readonly cosine: Schedule; readonly constant: Schedule } = {
  cosine,
  constant: ({ learningRate }) => learningRate,
};
