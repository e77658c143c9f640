import { bestAssignment } from "./assignment.ts";
import { numberText, parseNumber, splitWords, withoutArticles, withoutPunctuation } from "../grading/python-text.ts";
import type { AnswerScore } from "./squad-metric.ts";

/**
 * Computes DROP's official metric (Dua et al. 2019, section 5; allennlp's drop_eval.py). An answer is a list of spans. Exact match: the
 * same set of spans. F1: the spans' bags of words are
 * paired one to one so that the sum of F1 is largest, and the sum is divided by the length of the longer list; a pair scores 0 where the reference has numbers and the prediction has none of them. Rounded to two decimals, as there.
 * Each measure takes the best of several references; one whose first span is blank does not count. Throws an Error for a
 * prediction or reference without spans, and without references.
 */
export function dropMetric(prediction: readonly string[], references: readonly (readonly string[])[]): AnswerScore {
  if (references.length === 0 || [prediction, ...references].some((spans) => spans.length === 0)) {
    throw new Error("DROP's metric needs a prediction and references of at least one span each");
  }
  let [exactMatch, f1] = [0, 0];
  for (const reference of references.filter(([first]) => splitWords(first!).length > 0)) {
    const score = compare(prediction.map(normalizeSpan), reference.map(normalizeSpan));
    exactMatch = Math.max(exactMatch, score.exactMatch);
    f1 = Math.max(f1, score.f1);
  }
  return { exactMatch, f1 };
}

function compare(prediction: readonly string[], reference: readonly string[]): AnswerScore {
  const [own, expected] = [new Set(prediction), new Set(reference)];
  const same =
    prediction.length === reference.length &&
    own.size === expected.size &&
    [...own].every((span) => expected.has(span));
  const predictedBags = prediction.map(bagOf);
  const scores = reference.map(bagOf).map((bag) => predictedBags.map((other) => bagF1(other, bag)));
  const f1 = bestAssignment(scores) / Math.max(prediction.length, reference.length);
  return { exactMatch: same ? 1 : 0, f1: roundToHundredths(f1) };
}

const bagOf = (span: string): Set<string> => new Set(splitWords(span));

function bagF1(prediction: ReadonlySet<string>, reference: ReadonlySet<string>): number {
  const numbers = [...reference].filter((word) => parseNumber(word) !== undefined);
  if (numbers.length > 0 && !numbers.some((word) => prediction.has(word))) return 0;
  const common = [...reference].filter((word) => prediction.has(word)).length;
  const precision = prediction.size === 0 ? 1 : common / prediction.size;
  const recall = reference.size === 0 ? 1 : common / reference.size;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** Joins the words between spaces and hyphens, in lower case, without punctuation and articles; a number has one spelling, 5.0. */
export function normalizeSpan(span: string): string {
  return span
    .split(/[ -]/)
    .map((word) => {
      const lower = word.toLowerCase();
      const bare = parseNumber(lower) === undefined ? withoutPunctuation(lower) : lower;
      const number = parseNumber(bare);
      return splitWords(withoutArticles(number === undefined ? bare : numberText(number))).join(" ");
    })
    .filter((word) => word !== "")
    .join(" ");
}

/** Rounds as numpy does, halves to the even neighbour. */
function roundToHundredths(value: number): number {
  const scaled = value * 100;
  const down = Math.floor(scaled);
  const up = scaled - down > 0.5 || (scaled - down === 0.5 && down % 2 === 1);
  return (up ? down + 1 : down) / 100;
}
