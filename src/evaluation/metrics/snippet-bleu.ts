import { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "./bleu-statistics.ts";
import { splitWords } from "../grading/python-text.ts";

/**
 * The score of code by `compute_bleu` of Google's NMT (2017), which two benchmarks use. It is not sacreBLEU: without smoothing it
 * is 0 where any order has no match, and its smoothing adds 1 to every order.
 */
export interface SnippetScore {
  /** BLEU-4, 0 to 100, not rounded. */
  readonly bleu: number;
  /** Share of snippets with the same tokens, 0 to 1. */
  readonly exactMatch: number;
}

/**
 * Computes `compute_bleu` of statistics, 0 to 100. For several references, make the statistics with `reference: "shortest"`. `addOne`
 * adds one match and one n-gram for each order (Lin & Och 2004, "ORANGE"). Where there is no token the program divides by zero; the
 * result here is 0.
 */
export function computeBleu(
  statistics: BleuStatistics,
  { addOne = false }: { readonly addOne?: boolean } = {},
): number {
  const { hypothesisLength, referenceLength, matches, totals } = statistics;
  if (hypothesisLength === 0 || referenceLength === 0) return 0;
  const added = addOne ? 1 : 0;
  const logs = matches.map((match, i) => Math.log((match + added) / Math.max(totals[i]! + added, 1)));
  const brevityPenalty = Math.min(1, Math.exp(1 - referenceLength / hypothesisLength));
  return 100 * brevityPenalty * Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/**
 * Splits code into tokens for BLEU, `tokenize_for_bleu_eval` (Ling et al. 2016, "Latent predictor networks for code generation"): all
 * characters but letters, digits and _ stand alone, camelCase is cut, and quotes of either kind are one token.
 */
export function tokenizeSnippet(code: string): string[] {
  return splitWords(code.replace(/[^A-Za-z0-9_]/gu, " $& ").replace(/([a-z])([A-Z])/g, "$1 $2")).map((token) =>
    token === '"' || token === "'" ? "`" : token,
  );
}

/** Scores as CoNaLa does (Yin et al. 2018; eval/conala_eval.py of conala-baseline): `tokenizeSnippet`, no smoothing. */
export function conalaScore(predictions: readonly string[], references: readonly string[]): SnippetScore {
  return score(predictions, references, tokenizeSnippet, false);
}

/** Scores as CodeXGLUE does for ConCode (Lu et al. 2021; Text-Code/text-to-code/evaluator): split at spaces, `addOne`. */
export function concodeScore(predictions: readonly string[], references: readonly string[]): SnippetScore {
  return score(predictions, references, splitWords, true);
}

function score(
  predictions: readonly string[],
  references: readonly string[],
  tokenize: (code: string) => string[],
  addOne: boolean,
): SnippetScore {
  if (predictions.length !== references.length) {
    throw new Error(`${predictions.length} snippets and ${references.length} references cannot be compared`);
  }
  let same = 0;
  const statistics = predictions.map((prediction, i) => {
    const own = tokenize(prediction);
    const expected = tokenize(references[i]!);
    if (own.length === expected.length && own.every((token, at) => token === expected[at])) same++;
    return bleuStatistics(own, [expected]);
  });
  return { bleu: computeBleu(sumBleuStatistics(statistics), { addOne }), exactMatch: same / predictions.length };
}
