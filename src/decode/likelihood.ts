import type { Params } from "../tensor/params.ts";
import type { Decoder } from "./decoder.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { PROMPT_PIECE, readPrompt, sharedTokens } from "./prompt.ts";
import { logProbabilities } from "./token-score.ts";

/** Scores each of several answers to a prompt: the sum of its tokens' log-probabilities, nats. */
export type Likelihoods = (
  prompt: Int32Array,
  answers: readonly (readonly number[])[],
  signal?: AbortSignal,
) => Promise<{ logProbability: number; tokens: number }[]>;

/**
 * Scores answers with the key-value cache. A prompt is read once for all its answers. The beginning that it shares with the
 * prompt before (mostly worked examples) is not read again.
 */
export function likelihoods(decoder: Decoder, adapter: Params): Likelihoods {
  /** Row 0 holds the prompt, the others its answers. */
  let cache: KeyValueCache | undefined;
  let rows = 0;
  let capacity = 0;
  let read: Int32Array = new Int32Array();
  return async (prompt, answers, signal) => {
    if (prompt.length === 0) throw new RangeError("likelihoods: a prompt needs at least one token");
    const longest = answers.reduce((most, { length }) => Math.max(most, length), 0);
    if (cache === undefined || rows < answers.length + 1 || capacity < prompt.length + longest) {
      rows = answers.length + 1;
      capacity = Math.min(decoder.maxLength, Math.max(2 * capacity, prompt.length + longest + PROMPT_PIECE));
      cache = decoder.openCache(rows, Math.max(capacity, prompt.length + longest));
      read = new Int32Array();
    }
    const from = sharedTokens(read, prompt);
    cache.truncate(0, from);
    // If the reading fails, only these tokens are in the cache.
    read = prompt.slice(0, from);
    const first = logProbabilities(await readPrompt(decoder, adapter, { cache, row: 0, prompt, from, signal }));
    read = prompt;

    const scores = answers.map(([token, ...rest]) => ({
      logProbability: token === undefined ? 0 : first(token),
      tokens: token === undefined ? 0 : rest.length + 1,
    }));
    // Answers of several tokens continue together, each in its row. The longest are first, so the last to end are the first rows.
    const going = answers
      .map((tokens, answer) => ({ tokens, answer }))
      .filter(({ tokens }) => tokens.length > 1)
      .sort((a, b) => b.tokens.length - a.tokens.length || a.answer - b.answer);
    going.forEach((_, i) => cache!.move(0, i + 1));
    for (let position = 1; position < longest; position++) {
      signal?.throwIfAborted();
      const left = going.filter(({ tokens }) => tokens.length > position);
      const next = await decoder.extend(
        adapter,
        cache,
        1,
        left.map(({ tokens }) => [tokens[position - 1]!]),
      );
      left.forEach(({ tokens, answer }, i) => {
        scores[answer]!.logProbability += logProbabilities(next[i]!)(tokens[position]!);
      });
    }
    return scores;
  };
}
