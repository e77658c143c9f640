import type { RandomStream } from "../tensor/random.ts";

export interface TokenSampling {
  /** 0 is greedy: the most likely token every time. */
  readonly temperature: number;
  /** Number of likeliest tokens to sample from; 0: all. */
  readonly topK: number;
  /** Probability of the smallest set of likeliest tokens to sample from; 1: all. */
  readonly topP: number;
  /** Above 1, tokens of prompt and answer become less likely; 1: no change. */
  readonly repetitionPenalty: number;
}

/** Takes the likeliest token every time. */
export const GREEDY: TokenSampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1 };

/**
 * Divides the logits of `seen` tokens by the penalty where positive and multiplies them where negative (CTRL, Keskar et al.
 * 2019, as transformers' RepetitionPenaltyLogitsProcessor does).
 */
export function penalizeRepetition(logits: Float32Array, seen: Iterable<number>, penalty: number): Float32Array {
  if (penalty === 1) return logits;
  const penalized = logits.slice();
  // PyTorch takes the factor in float32.
  const factor = Math.fround(penalty);
  for (const token of seen) {
    const logit = logits[token]!;
    penalized[token] = logit < 0 ? logit * factor : logit / factor;
  }
  return penalized;
}

/** Chooses the next token from its logits [vocabulary]: temperature, then top-k, then top-p, in transformers' order. */
export function chooseToken(
  logits: Float32Array,
  { temperature, topK, topP, random }: Omit<TokenSampling, "repetitionPenalty"> & { readonly random: RandomStream },
): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  if (temperature === 0) return best;
  const max = logits[best]!;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - max) / temperature));
  let candidates: number[] | undefined;
  if (topK > 0 && topK < weights.length) candidates = likeliest(weights, (count) => count >= topK).slice(0, topK);
  if (topP < 1) {
    const wanted = topP * sumOf(candidates?.map((token) => weights[token]!) ?? weights);
    candidates ??= likeliest(weights, (_count, sum) => sum >= wanted);
    let reached = 0;
    candidates = candidates.filter((token, i) => {
      const before = reached;
      reached += weights[token]!;
      return i === 0 || before < wanted;
    });
  }
  const drawn = candidates ?? weights.keys();
  let left = random.uniform() * sumOf(candidates?.map((token) => weights[token]!) ?? weights);
  let last = best;
  for (const token of drawn) {
    left -= weights[token]!;
    if (left < 0) return token;
    if (weights[token]! > 0) last = token;
  }
  return last;
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/**
 * Sorts the likeliest tokens; their number and summed weight are `enough`. The largest weight is 1. Only
 * weights above a threshold are sorted: a whole vocabulary at each token would take longer than the model.
 */
function likeliest(weights: Float64Array, enough: (count: number, sum: number) => boolean): number[] {
  for (let threshold = 1 / 16; ; threshold /= 16) {
    const above: number[] = [];
    let sum = 0;
    weights.forEach((weight, token) => {
      if (weight < threshold) return;
      above.push(token);
      sum += weight;
    });
    if (threshold === 0 || enough(above.length, sum)) return above.sort((a, b) => weights[b]! - weights[a]! || a - b);
  }
}
