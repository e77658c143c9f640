import type { Emitter } from "./emitter.ts";
import type { ScoreAttributes } from "./op-attributes.ts";

/** The factor of the product of a query and a key with `headDim` elements. */
export function scaleOf({ scale }: ScoreAttributes, headDim: number): number {
  return scale ?? 1 / Math.sqrt(headDim);
}

/** The reference: makes the function from a product of a query and a key to its score. */
export function scoreWith(attributes: ScoreAttributes, headDim: number): (product: number) => number {
  const { cap } = attributes;
  const scale = scaleOf(attributes, headDim);
  return (product) => (cap === undefined ? product * scale : cap * Math.tanh((product * scale) / cap));
}

/** The reference: probabilities of one query's keys from its products with them, and d score / d product of each. */
export function weigh(
  products: readonly number[],
  attributes: ScoreAttributes,
  headDim: number,
): { readonly p: readonly number[]; readonly slopes: readonly number[] } {
  const { cap } = attributes;
  const scale = scaleOf(attributes, headDim);
  const scores = products.map(scoreWith(attributes, headDim));
  const max = Math.max(...scores);
  const exps = scores.map((score) => Math.exp(score - max));
  const total = exps.reduce((sum, exp) => sum + exp, 0);
  return {
    p: exps.map((exp) => exp / total),
    slopes: scores.map((score) => (cap === undefined ? scale : scale * (1 - (score / cap) ** 2))),
  };
}

/** Emits cap·tanh of scores that are divided by the cap already, or the scores as they are. */
export function capped(emit: Emitter, scores: string, { cap }: ScoreAttributes): string {
  return cap === undefined ? scores : emit.node("Mul", [emit.node("Tanh", [scores]), emit.float(cap)]);
}
