import { countNgrams, overlap } from "./ngrams.ts";
import { splitWords, withoutArticles, withoutPunctuation } from "../grading/python-text.ts";

/** Each 0 to 1. */
export interface AnswerScore {
  readonly exactMatch: number;
  readonly f1: number;
}

/** Splits an answer into words without case, ASCII punctuation and articles. */
function answerWords(answer: string): string[] {
  return splitWords(withoutArticles(withoutPunctuation(answer.toLowerCase())));
}

/**
 * Computes exact match and F1 of words in common, each of the reference that scores best, as SQuAD 2.0's official program does
 * (Rajpurkar et al. 2016, section 6.1; 2018). Where prediction or reference has no words left, both are 1 if neither has, else 0.
 * Throws an Error without references.
 */
export function squadMetric(prediction: string, references: readonly string[]): AnswerScore {
  if (references.length === 0) throw new Error("exact match needs at least one reference, got none");
  const predicted = answerWords(prediction);
  const scores = references.map((reference) => {
    const expected = answerWords(reference);
    const exactMatch = expected.join(" ") === predicted.join(" ") ? 1 : 0;
    if (expected.length === 0 || predicted.length === 0) return { exactMatch, f1: exactMatch };
    const common = overlap(countNgrams(expected, 1), countNgrams(predicted, 1));
    return { exactMatch, f1: (2 * common) / (expected.length + predicted.length) };
  });
  return {
    exactMatch: Math.max(...scores.map(({ exactMatch }) => exactMatch)),
    f1: Math.max(...scores.map(({ f1 }) => f1)),
  };
}
