import { countNgrams, overlap } from "./ngrams.ts";

/** The statistics of a segment for any BLEU. Those of a corpus are the sums of those of its segments. */
export interface BleuStatistics {
  /** Tokens. */
  readonly hypothesisLength: number;
  /** Tokens of the one reference that counts. */
  readonly referenceLength: number;
  /** Number of the hypothesis's n-grams in a reference, each at most as often as in the reference with most; index n − 1. */
  readonly matches: readonly number[];
  /** Number of the hypothesis's n-grams; index n − 1. */
  readonly totals: readonly number[];
}

export interface SegmentOptions {
  /** Longest n-gram. Default 4. */
  readonly maxOrder?: number;
  /** The reference that counts for the length. Of two that are equally close, the shorter counts. Default `closest`. */
  readonly reference?: "closest" | "shortest";
}

/**
 * Computes the statistics of one segment, from tokens (Papineni et al. 2002, "BLEU", section 2.2.2: modified n-gram precision).
 * Throws an Error without references.
 */
export function bleuStatistics(
  hypothesis: readonly string[],
  references: readonly (readonly string[])[],
  { maxOrder = 4, reference = "closest" }: SegmentOptions = {},
): BleuStatistics {
  if (references.length === 0) throw new Error("BLEU needs at least one reference for each text, got none");
  const matches: number[] = [];
  const totals: number[] = [];
  for (let n = 1; n <= maxOrder; n++) {
    const known = new Map<string, number>();
    for (const tokens of references) {
      for (const [ngram, count] of countNgrams(tokens, n)) known.set(ngram, Math.max(known.get(ngram) ?? 0, count));
    }
    matches.push(overlap(countNgrams(hypothesis, n), known));
    totals.push(Math.max(0, hypothesis.length - n + 1));
  }
  const distance = (length: number): number => (reference === "shortest" ? 0 : Math.abs(length - hypothesis.length));
  const [referenceLength] = references
    .map(({ length }) => length)
    .sort((a, b) => distance(a) - distance(b) || a - b) as [number];
  return { hypothesisLength: hypothesis.length, referenceLength, matches, totals };
}

/** Computes the statistics of the corpus that the segments make up. Throws an Error for none. */
export function sumBleuStatistics(segments: readonly BleuStatistics[]): BleuStatistics {
  const [first] = segments;
  if (first === undefined) throw new Error("BLEU needs at least one text, got none");
  let hypothesisLength = 0;
  let referenceLength = 0;
  const matches = first.matches.map(() => 0);
  const totals = first.totals.map(() => 0);
  for (const segment of segments) {
    hypothesisLength += segment.hypothesisLength;
    referenceLength += segment.referenceLength;
    for (let n = 0; n < matches.length; n++) {
      matches[n]! += segment.matches[n]!;
      totals[n]! += segment.totals[n]!;
    }
  }
  return { hypothesisLength, referenceLength, matches, totals };
}
