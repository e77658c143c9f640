/** How well labels were predicted. F1 of a label is 2·tp/(2·tp + fp + fn), 0 where it was neither there nor predicted. */
export interface Classification {
  readonly accuracy: number;
  /** Mean of the labels' F1 over the labels that occur, in truth or prediction (scikit-learn's `average="macro"`). */
  readonly macroF1: number;
  /** Mean of the labels' F1, each weighted by how often it is true (`average="weighted"`). */
  readonly weightedF1: number;
}
/** Compares predicted labels with true ones, as indices. Throws an Error for no labels or lists of unlike length. */
export declare function classify(truth: readonly number[], predicted: readonly number[]): Classification;
