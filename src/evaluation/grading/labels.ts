import { classificationReport, type ClassificationReport } from "../metrics/classification.ts";
import type { Answer, Metric, Verdict } from "../benchmark.ts";
import { likeliestOption } from "./multiple-choice.ts";

/** Reads an answer's first word as a label, whatever its case and the marks around it; null where it is not a label. */
export function firstWordLabel<Label extends string>(text: string, labels: readonly Label[]): Label | null {
  const word = /^[\s*_"'`([{<#>:-]*(\p{L}+)(?![\p{L}\p{N}/_-])/u.exec(text.normalize("NFKC"))?.[1]?.toLowerCase();
  return labels.find((label) => label === word) ?? null;
}

/**
 * Reads the label of an answer in words: its first word, else a statement such as "the answer is no". A label in the middle of
 * prose ("there is no difference") does not count.
 */
export function saidLabel<Label extends string>(text: string, labels: readonly Label[]): Label | null {
  const first = firstWordLabel(text, labels);
  if (first !== null) return first;
  const statements = [...text.normalize("NFKC").matchAll(/\banswer(?:\s+(?:is|would be|should be)|\s*:)\s*:?/gi)];
  const last = statements.at(-1);
  return last === undefined ? null : firstWordLabel(text.normalize("NFKC").slice(last.index + last[0].length), labels);
}

/** Finds the likeliest label of an answer by likelihood; undefined for an answer in words. */
export function likeliestLabel<Label extends string>(
  { likelihoods }: Answer,
  labels: readonly Label[],
): Label | undefined {
  return likelihoods === undefined ? undefined : labels[likeliestOption(likelihoods)];
}

/** Mean of the labels' F1, as scikit-learn averages it. */
export const MACRO_F1: Metric = {
  name: "macroF1",
  title: "macro F1",
  unit: "share",
  ofAll: (verdicts) => report(verdicts).macro.f1,
};

/** F1 from the counts of all labels together; the accuracy where every answer is read as one of the labels. */
export const MICRO_F1: Metric = {
  name: "microF1",
  title: "micro F1",
  unit: "share",
  ofAll: (verdicts) => report(verdicts).micro.f1,
};

export const WEIGHTED_F1: Metric = {
  name: "weightedF1",
  title: "weighted F1",
  unit: "share",
  ofAll: (verdicts) => report(verdicts).weighted.f1,
};

/** Compares parsed with expected labels. An answer without a label is wrong, but is not a class of its own in the means. */
function report(verdicts: readonly Verdict[]): ClassificationReport<string> {
  const truth = verdicts.map(({ expected }) => expected ?? UNREADABLE);
  const predicted = verdicts.map(({ parsed }) => parsed ?? UNREADABLE);
  const labels = [...new Set([...truth, ...predicted])].filter((label) => label !== UNREADABLE);
  return classificationReport(truth, predicted, { labels });
}

const UNREADABLE = "";
