import { classificationReport, type ClassificationReport } from "../metrics/classification.ts";
import type { Answer, Metric, Verdict } from "../benchmark.ts";
import { likeliestOption } from "./multiple-choice.ts";

/** The label an answer's first word is, whatever its case and the marks around it; null where it is none. */
export function firstWordLabel<Label extends string>(text: string, labels: readonly Label[]): Label | null {
  const word = /^[\s*_"'`([{<#>:-]*(\p{L}+)(?![\p{L}\p{N}/_-])/u.exec(text.normalize("NFKC"))?.[1]?.toLowerCase();
  return labels.find((label) => label === word) ?? null;
}

/**
 * The label an answer in words gives: its first word, else what it says the answer is ("the answer is no"). A label in
 * the middle of prose ("there is no difference") gives nothing.
 */
export function saidLabel<Label extends string>(text: string, labels: readonly Label[]): Label | null {
  const first = firstWordLabel(text, labels);
  if (first !== null) return first;
  const statements = [...text.normalize("NFKC").matchAll(/\banswer(?:\s+(?:is|would be|should be)|\s*:)\s*:?/gi)];
  const last = statements.at(-1);
  return last === undefined ? null : firstWordLabel(text.normalize("NFKC").slice(last.index + last[0].length), labels);
}

/** The label that is likeliest by an answer's likelihoods; undefined for an answer in words. */
export function likeliestLabel<Label extends string>(
  { likelihoods }: Answer,
  labels: readonly Label[],
): Label | undefined {
  return likelihoods === undefined ? undefined : labels[likeliestOption(likelihoods)];
}

/** F1 of labels as scikit-learn averages it, over what verdicts parsed and expected. */
export const MACRO_F1: Metric = {
  name: "macroF1",
  title: "macro F1",
  unit: "share",
  ofAll: (verdicts) => report(verdicts).macro.f1,
};

/** Where every answer is read as one of the labels, this is the accuracy. */
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

/** An answer nothing could be read out of is wrong, but no label of its own in the means. */
function report(verdicts: readonly Verdict[]): ClassificationReport<string> {
  const truth = verdicts.map(({ expected }) => expected ?? UNREADABLE);
  const predicted = verdicts.map(({ parsed }) => parsed ?? UNREADABLE);
  const labels = [...new Set([...truth, ...predicted])].filter((label) => label !== UNREADABLE);
  return classificationReport(truth, predicted, { labels });
}

const UNREADABLE = "";
