import type { Params } from "../tensor/params.ts";
import type { Decoder } from "./decoder.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { scoreOf, type TokenScore } from "./token-score.ts";

/**
 * Number of tokens of a prompt that are read at once, one prompt at a time. Pieces keep the square of attention small.
 * Several rows at once would need padding, and a piece is enough for products at full speed.
 */
export const PROMPT_PIECE = 256;

interface PromptReading {
  readonly cache: KeyValueCache;
  /** Row of the cache. */
  readonly row: number;
  readonly prompt: Int32Array;
  readonly from?: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads a prompt from its token `from` on into a row of the cache that has the tokens before, and returns the logits
 * [vocabulary] after its last token. At least one token must be left to read.
 */
export async function readPrompt(
  decoder: Decoder,
  adapter: Params,
  { cache, row, prompt, from = 0, signal }: PromptReading,
): Promise<Float32Array> {
  let logits: Float32Array | undefined;
  for (let at = from; at < prompt.length; at += PROMPT_PIECE) {
    signal?.throwIfAborted();
    [logits] = await decoder.extend(adapter, cache, row, [prompt.subarray(at, at + PROMPT_PIECE)]);
  }
  return logits!;
}

/**
 * Tokens of a prompt that are read at once where each gets its logits: a vocabulary of 150,000 then takes 38 MB.
 */
const SCORED_PIECE = 64;

/** Scores each token of a prompt but its first by the tokens before it, with so many of the likeliest beside it. */
export async function scorePrompt(
  decoder: Decoder,
  adapter: Params,
  prompt: Int32Array,
  { alternatives, signal }: { readonly alternatives: number; readonly signal?: AbortSignal | undefined },
): Promise<TokenScore[]> {
  const scores: TokenScore[] = [];
  // Nothing is read after the last token.
  const read = prompt.subarray(0, -1);
  const cache = decoder.openCache(1, Math.max(1, read.length));
  for (let at = 0; at < read.length; at += SCORED_PIECE) {
    signal?.throwIfAborted();
    const logits = await decoder.extendEach(adapter, cache, 0, read.subarray(at, at + SCORED_PIECE));
    logits.forEach((each, i) => scores.push(scoreOf(each, prompt[at + i + 1]!, alternatives)));
  }
  return scores;
}

/**
 * Counts the tokens that a prompt shares with the start of an earlier one. The prompt's last token never counts: it has to be
 * read, because the logits come after it.
 */
export function sharedTokens(before: Int32Array, prompt: Int32Array): number {
  const most = Math.min(before.length, prompt.length - 1);
  let same = 0;
  while (same < most && before[same] === prompt[same]) same++;
  return same;
}
