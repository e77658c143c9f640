import type { Dim } from "../graph/dims.ts";
import type { GraphBuilder } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import { type RuntimeTensor, vector } from "./runtime.ts";

/** The terms that an item adds to a loss: numbers that are linear in its tokens' log-probabilities. */
export interface ItemTerms {
  /** Number of supervised tokens of each of its sequences. */
  readonly tokens: readonly number[];
  readonly terms: readonly Term[];
}

export interface Term {
  /** For each sequence, the factor of every token's log-probability. */
  readonly slopes: readonly number[];
  readonly offset: number;
}

const COMBINATION = "objective.combination";
const OFFSETS = "objective.offsets";
const WEIGHTS = "objective.weights";

/** Computes the terms of all items as one product: [rows] → [terms]. Sums, means, signs, β and the reference are inputs. */
export function termValues(builder: GraphBuilder, logProbabilities: Value, terms: Dim): Value {
  const combination = builder.input(COMBINATION, "float32", [terms, "rows"]);
  const offsets = builder.input(OFFSETS, "float32", [terms]);
  const row = builder.op("reshape", [logProbabilities], { shape: [1, "rows"] });
  const values = builder.op("gemm", [row, combination, offsets], { transB: true });
  return builder.op("reshape", [values], { shape: [terms] });
}

/** Fills the inputs of `termValues`. */
export function termFeeds(items: readonly ItemTerms[]): (readonly [string, RuntimeTensor])[] {
  const terms = items.flatMap((item) => item.terms);
  const rows = items.reduce((sum, { tokens }) => tokens.reduce((a, b) => a + b, sum), 0);
  const combination = new Float32Array(terms.length * rows);
  let term = 0;
  let firstRow = 0;
  for (const { tokens, terms: own } of items) {
    for (const { slopes } of own) {
      let at = term++ * rows + firstRow;
      tokens.forEach((count, i) => combination.fill(slopes[i]!, at, (at += count)));
    }
    firstRow += tokens.reduce((a, b) => a + b, 0);
  }
  return [
    [COMBINATION, { shape: [terms.length, rows], data: combination }],
    [OFFSETS, vector(Float32Array.from(terms, ({ offset }) => offset))],
  ];
}

/** Σ weight·y, a scalar. */
export function weightedSum(builder: GraphBuilder, y: Value): Value {
  return builder.op("dot", [y, builder.input(WEIGHTS, "float32", y.shape)], {});
}

/** Fills the input of `weightedSum`. */
export function weightFeed(weights: readonly number[]): readonly [string, RuntimeTensor] {
  return [WEIGHTS, vector(Float32Array.from(weights))];
}
