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
  /** Taken from the logit of a token for each time that the answer holds it; 0: no change. */
  readonly frequencyPenalty: number;
  /** Taken once from the logit of each token of the answer; 0: no change. */
  readonly presencePenalty: number;
  /** Added to the logits of these tokens. */
  readonly logitBias: ReadonlyMap<number, number>;
}

/** Takes the likeliest token every time. */
export const GREEDY: TokenSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
};

/** The tokens before the next one. */
export interface TokensBefore {
  /** Tokens of prompt and answer. */
  readonly seen: ReadonlySet<number>;
  /** How often the answer holds each of its tokens. */
  readonly counts: ReadonlyMap<number, number>;
}

/**
 * Applies the penalties and biases to logits [vocabulary]: first the repetition penalty, then what OpenAI's API defines,
 * `logit + bias - frequencyPenalty * count - presencePenalty * (count > 0)`. The given logits stay as they are.
 */
export function adjustLogits(
  logits: Float32Array,
  { seen, counts }: TokensBefore,
  { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias }: TokenSampling,
): Float32Array {
  let adjusted = penalizeRepetition(logits, seen, repetitionPenalty);
  const penalizes = (frequencyPenalty !== 0 || presencePenalty !== 0) && counts.size > 0;
  if (!penalizes && logitBias.size === 0) return adjusted;
  if (adjusted === logits) adjusted = logits.slice();
  for (const [token, bias] of logitBias) adjusted[token]! += bias;
  if (penalizes) for (const [token, count] of counts) adjusted[token]! -= frequencyPenalty * count + presencePenalty;
  return adjusted;
}

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
  {
    temperature,
    topK,
    topP,
    random,
  }: Pick<TokenSampling, "temperature" | "topK" | "topP"> & { readonly random: RandomStream },
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
