/** Compares predicted labels with true ones, as indices. Throws an Error for no labels or lists of unlike length. */
export function classify(truth, predicted) {
  if (truth.length === 0 || truth.length !== predicted.length) {
    throw new Error(`${truth.length} true labels and ${predicted.length} predictions cannot be compared`);
  }
  let right = 0;
  let macro = 0;
  let weighted = 0;
  const labels = new Set([...truth, ...predicted]);
  for (const label of labels) {
    const support = truth.filter((each) => each === label).length;
    const claimed = predicted.filter((each) => each === label).length;
    const hits = truth.filter((each, i) => each === label && predicted[i] === label).length;
    const f1 = (2 * hits) / (support + claimed);
    right += hits;
    macro += f1 / labels.size;
    weighted += (f1 * support) / truth.length;
  }
  return { accuracy: right / truth.length, macroF1: macro, weightedF1: weighted };
}
//# sourceMappingURL=classification.js.map
