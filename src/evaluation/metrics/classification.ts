/** Each 0 to 1; a ratio over nothing is 0 (scikit-learn's `zero_division=0`). */
export interface PrecisionRecallF1 {
  /** tp / (tp + fp). */
  readonly precision: number;
  /** tp / (tp + fn). */
  readonly recall: number;
  /** 2·tp / (2·tp + fp + fn). */
  readonly f1: number;
}

export interface LabelScore<Label> extends PrecisionRecallF1 {
  readonly label: Label;
  /** Number of items with this true label. */
  readonly support: number;
}

export interface ClassificationReport<Label> {
  /** Share of items whose label is right, over all items. */
  readonly accuracy: number;
  /** Mean over labels (`average="macro"`); its F1 is the mean of the labels' F1. */
  readonly macro: PrecisionRecallF1;
  /** Computed from the counts of all labels together (`average="micro"`). With every label counted, all three are the accuracy. */
  readonly micro: PrecisionRecallF1;
  /** Mean over labels, each weighted by its support (`average="weighted"`). */
  readonly weighted: PrecisionRecallF1;
  readonly labels: readonly LabelScore<Label>[];
}

/**
 * Computes precision, recall and F1 as scikit-learn 1.9.1 defines them. The means are over `labels`; without it, over all labels
 * in truth or prediction. Give it where an answer may be no label at all: then "unreadable" is a wrong answer, but not a class
 * of its own in the means. Throws an Error for no items, lists of unlike length and an empty or repeating `labels`.
 */
export function classificationReport<Label extends string | number>(
  truth: readonly Label[],
  predicted: readonly Label[],
  { labels = [...new Set([...truth, ...predicted])] }: { readonly labels?: readonly Label[] } = {},
): ClassificationReport<Label> {
  if (truth.length === 0 || truth.length !== predicted.length) {
    throw new Error(`${truth.length} true labels and ${predicted.length} predictions cannot be compared`);
  }
  if (labels.length === 0 || new Set(labels).size !== labels.length) {
    throw new Error(`labels must be at least one and each once, got [${labels.join(", ")}]`);
  }
  const supports = countsOf(truth);
  const claims = countsOf(predicted);
  const hits = countsOf(truth.filter((label, i) => label === predicted[i]));
  const score = (counted: readonly Label[]): PrecisionRecallF1 & { readonly support: number } => {
    const total = (counts: ReadonlyMap<Label, number>): number =>
      counted.reduce((sum, label) => sum + (counts.get(label) ?? 0), 0);
    const [hit, claim, support] = [total(hits), total(claims), total(supports)];
    return {
      precision: ratio(hit, claim),
      recall: ratio(hit, support),
      f1: ratio(2 * hit, claim + support),
      support,
    };
  };
  const scores = labels.map((label) => ({ label, ...score([label]) }));
  const { support, ...micro } = score(labels);
  const right = [...hits.values()].reduce((sum, count) => sum + count, 0);
  return {
    accuracy: right / truth.length,
    macro: mean(scores, () => 1 / labels.length),
    micro,
    weighted: mean(scores, (each) => ratio(each.support, support)),
    labels: scores,
  };
}

/** The classification metrics that a round's evaluation records. */
export interface Classification {
  readonly accuracy: number;
  readonly macroF1: number;
  readonly weightedF1: number;
}

/** Computes accuracy, macro and weighted F1 of a `classificationReport` over all labels that occur. Throws as that does. */
export function classify(truth: readonly number[], predicted: readonly number[]): Classification {
  const { accuracy, macro, weighted } = classificationReport(truth, predicted);
  return { accuracy, macroF1: macro.f1, weightedF1: weighted.f1 };
}

function countsOf<Label>(labels: readonly Label[]): Map<Label, number> {
  const counts = new Map<Label, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function mean<Score extends PrecisionRecallF1>(
  scores: readonly Score[],
  weight: (score: Score) => number,
): PrecisionRecallF1 {
  const over = (value: (score: Score) => number): number =>
    scores.reduce((sum, score) => sum + weight(score) * value(score), 0);
  return { precision: over((s) => s.precision), recall: over((s) => s.recall), f1: over((s) => s.f1) };
}
