import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Scorer } from "./scorer.ts";

export interface GenerationOptions {
  readonly maxNewTokens: number;
  /** 0 is greedy: the most likely token every time. */
  readonly temperature: number;
  /** Sample among the smallest set of tokens whose probabilities reach this; 1: all. */
  readonly topP: number;
  /** Sample among this many likeliest tokens; 0: all. */
  readonly topK: number;
  readonly stopTokens: ReadonlySet<number>;
  readonly random: RandomStream;
  /** Longest sequence the scorer takes, prompt included. */
  readonly maxLength: number;
  readonly signal?: AbortSignal | undefined;
}

/** Continues a prompt token by token, the stop token not included. Each token is yielded as it is chosen. */
export async function* generate(
  scorer: Scorer,
  adapter: Params,
  prompt: Int32Array,
  options: GenerationOptions,
): AsyncGenerator<number, void, undefined> {
  let tokens = prompt;
  // The scorer keeps one place for the token being predicted.
  const limit = Math.min(prompt.length + options.maxNewTokens, options.maxLength - 1);
  while (tokens.length < limit) {
    options.signal?.throwIfAborted();
    const next = chooseToken(await scorer.nextLogits(adapter, tokens), options);
    if (options.stopTokens.has(next)) return;
    yield next;
    const longer = new Int32Array(tokens.length + 1);
    longer.set(tokens);
    longer[tokens.length] = next;
    tokens = longer;
  }
}

/** The next token from its logits [vocabulary]: temperature, then top-k, then top-p, as transformers orders them. */
export function chooseToken(
  logits: Float32Array,
  { temperature, topK, topP, random }: Pick<GenerationOptions, "temperature" | "topK" | "topP" | "random">,
): number {
  if (temperature === 0) return logits.reduce((best, value, i) => (value > logits[best]! ? i : best), 0);
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let candidates = Array.from(logits, (value, token) => ({ token, weight: Math.exp((value - max) / temperature) }));
  candidates.sort((a, b) => b.weight - a.weight || a.token - b.token);
  if (topK > 0) candidates = candidates.slice(0, topK);
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  if (topP < 1) {
    let reached = 0;
    candidates = candidates.filter(({ weight }) => {
      const before = reached;
      reached += weight;
      return before === 0 || before < topP * total;
    });
  }
  let left = random.uniform() * candidates.reduce((sum, { weight }) => sum + weight, 0);
  for (const { token, weight } of candidates) {
    left -= weight;
    if (left < 0) return token;
  }
  return candidates.at(-1)!.token;
}
