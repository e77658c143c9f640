import type { Params } from "../tensor/params.ts";
import type { Decoder } from "./decoder.ts";
import type { KeyValueCache } from "./key-value-cache.ts";

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
 * Counts the tokens that a prompt shares with the start of an earlier one. The prompt's last token never counts: it has to be
 * read, because the logits come after it.
 */
export function sharedTokens(before: Int32Array, prompt: Int32Array): number {
  const most = Math.min(before.length, prompt.length - 1);
  let same = 0;
  while (same < most && before[same] === prompt[same]) same++;
  return same;
}
