import { bleuStatistics, sumBleuStatistics, type BleuStatistics } from "./bleu-statistics.ts";
import { BLEU_TOKENIZERS, type BleuTokenizer } from "./bleu-tokenizer.ts";

export interface Bleu {
  /** 0 to 100. */
  readonly score: number;
  /** Share of the hypotheses' n-grams that match, smoothed, 0 to 100; index n − 1. */
  readonly precisions: readonly number[];
  /** 0 to 1; below 1 where the hypotheses are shorter than the references. */
  readonly brevityPenalty: number;
  readonly statistics: BleuStatistics;
}

/** The replacement of a precision of 0 (Chen & Cherry 2014, "A systematic comparison of smoothing techniques", 1 to 3). */
export type BleuSmoothing =
  /** 1 / (2ᵏ · total) for the k-th order without a match, as mteval-v13a.pl. */
  | "exp"
  /** 0.1 / total. */
  | "floor"
  /** One more match and one more n-gram for n > 1. */
  | "add-k"
  | "none";

export interface BleuOptions {
  /** Default `exp`. */
  readonly smoothing?: BleuSmoothing;
  /** Counts only the orders that the hypothesis is long enough for. Default false; for single sentences true. */
  readonly effectiveOrder?: boolean;
}

export interface TextBleuOptions extends BleuOptions {
  /** Default `13a`. */
  readonly tokenizer?: BleuTokenizer;
  /** Default false. */
  readonly lowercase?: boolean;
}

/** Computes BLEU of statistics, as sacreBLEU 2.6.0 computes it (Post 2018, "A call for clarity in reporting BLEU scores"). */
export function bleuOf(
  statistics: BleuStatistics,
  { smoothing = "exp", effectiveOrder = false }: BleuOptions = {},
): Bleu {
  const { hypothesisLength, referenceLength, matches, totals } = statistics;
  const brevityPenalty =
    hypothesisLength >= referenceLength
      ? 1
      : hypothesisLength === 0
        ? 0
        : Math.exp(1 - referenceLength / hypothesisLength);
  const precisions = matches.map(() => 0);
  const none = { score: 0, precisions, brevityPenalty, statistics };
  if (matches.every((count) => count === 0)) return none;
  let orders = precisions.length;
  let unmatched = 0;
  for (let i = 0; i < precisions.length; i++) {
    const added = smoothing === "add-k" && i > 0 ? 1 : 0;
    const match = matches[i]! + added;
    const total = totals[i]! + added;
    if (total === 0) break;
    if (effectiveOrder) orders = i + 1;
    if (match > 0) precisions[i] = (100 * match) / total;
    else if (smoothing === "exp") precisions[i] = 100 / (2 ** ++unmatched * total);
    else if (smoothing === "floor") precisions[i] = (100 * 0.1) / total;
  }
  const logs = precisions.slice(0, orders).map((precision) => Math.log(precision));
  const score = brevityPenalty * Math.exp(logs.reduce((sum, log) => sum + log, 0) / orders);
  return { ...none, score };
}

/** Computes statistics of a text against its references, for `bleuOf` and for `bootstrap`. */
export function textStatistics(
  hypothesis: string,
  references: readonly string[],
  { tokenizer = "13a", lowercase = false }: TextBleuOptions = {},
): BleuStatistics {
  const tokens = (text: string): string[] => BLEU_TOKENIZERS[tokenizer](lowercase ? text.toLowerCase() : text);
  return bleuStatistics(tokens(hypothesis), references.map(tokens));
}

/**
 * Computes sacreBLEU's corpus BLEU: n-grams are counted over all texts together. `references[i]` are those of `hypotheses[i]`
 * (sacreBLEU's own functions take them the other way round). Throws an Error for no texts, lists of unlike length, and a
 * text without references.
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  options: TextBleuOptions = {},
): Bleu {
  if (hypotheses.length !== references.length) {
    throw new Error(`${hypotheses.length} texts and references of ${references.length} cannot be compared`);
  }
  return bleuOf(sumBleuStatistics(hypotheses.map((text, i) => textStatistics(text, references[i]!, options))), options);
}

/** Computes BLEU of one sentence; `effectiveOrder` is true unless set, as in sacreBLEU's `sentence_bleu`. */
export function sentenceBleu(hypothesis: string, references: readonly string[], options: TextBleuOptions = {}): Bleu {
  return bleuOf(textStatistics(hypothesis, references, options), { effectiveOrder: true, ...options });
}
