import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Decoder } from "./decoder.ts";
import { PROMPT_PIECE, readPrompt, sharedTokens } from "./prompt.ts";
import { type TokenScore, scoreOf } from "./token-score.ts";
import { adjustLogits, chooseToken, type TokenSampling } from "./token-sampling.ts";

export interface GenerationOptions extends TokenSampling {
  readonly maxNewTokens: number;
  readonly stopTokens: ReadonlySet<number>;
  /**
   * The stream of a draw, by the prompt's place in the list and the token's place in the answer. It is a pure function of
   * both, so an answer does not depend on the others that run at the same time.
   */
  readonly random: (prompt: number, position: number) => RandomStream;
  /** Called after each token: true where that prompt's answer is complete (a stop string). */
  readonly isComplete?: ((prompt: number) => boolean) | undefined;
  /**
   * Scores each token of an answer, with so many of the likeliest beside it. The scores are the model's own: before
   * temperature, penalties and biases. Default: no scores.
   */
  readonly alternatives?: number | undefined;
  /** Number of sequences that run at once. The cache takes memory for all of them. */
  readonly batchSize: number;
  readonly signal?: AbortSignal | undefined;
}

/** `stop`: by a stop token, which is not yielded, or by `isComplete`. `length`: no more tokens were allowed. */
export type FinishReason = "stop" | "length";

/** A token of the answer to one prompt, named by its place in the list, or the end of that answer. */
export type Generated =
  | { readonly prompt: number; readonly token: number; readonly score?: TokenScore }
  | { readonly prompt: number; readonly finish: FinishReason };

interface Sequence {
  readonly prompt: number;
  /** Longest answer, tokens. */
  readonly limit: number;
  /** Tokens of prompt and answer. */
  readonly seen: Set<number>;
  /** How often the answer holds each of its tokens. */
  readonly counts: Map<number, number>;
  generated: number;
  /** Scores of the next token, [vocabulary]. */
  logits: Float32Array;
}

/**
 * Continues prompts token by token, `batchSize` of them at once. When one ends, the next takes its place. Each token is
 * yielded as it is chosen.
 */
export async function* generate(
  decoder: Decoder,
  adapter: Params,
  prompts: readonly Int32Array[],
  options: GenerationOptions,
): AsyncGenerator<Generated, void, undefined> {
  const { maxNewTokens, stopTokens, random, isComplete, alternatives, signal } = options;
  const longestAnswerTo = ({ length }: Int32Array): number => Math.min(maxNewTokens, decoder.maxLength - length);
  const batchSize = Math.min(options.batchSize, prompts.length);
  // The last token of an answer is never fed.
  const capacity = prompts.reduce(
    (longest, tokens) => Math.max(longest, tokens.length + longestAnswerTo(tokens) - 1),
    1,
  );
  // One more row keeps the prompt that was read last: the next prompt does not read a common beginning again.
  const kept = batchSize;
  const cache = decoder.openCache(batchSize + (prompts.length > 1 ? 1 : 0), capacity);
  let latestRead: Int32Array = new Int32Array();
  /** Sequence i is in row i of the cache. */
  const running: Sequence[] = [];

  const read = async (tokens: Int32Array): Promise<Float32Array> => {
    const row = running.length;
    // In whole pieces, so that a prompt is always read in the same pieces.
    const alike = sharedTokens(latestRead, tokens);
    const shared = alike - (alike % PROMPT_PIECE);
    if (shared === 0) cache.clear(row);
    else {
      cache.move(kept, row);
      cache.truncate(row, shared);
    }
    const logits = await readPrompt(decoder, adapter, { cache, row, prompt: tokens, from: shared, signal });
    if (prompts.length > 1) {
      cache.move(row, kept);
      latestRead = tokens;
    }
    return logits;
  };

  /** Chooses the next token; undefined where the answer ends before it. */
  const choose = (sequence: Sequence): number | undefined => {
    const { prompt, generated, logits } = sequence;
    const adjusted = adjustLogits(logits, sequence, options);
    const token = chooseToken(adjusted, { ...options, random: random(prompt, generated) });
    return stopTokens.has(token) ? undefined : token;
  };

  for (let next = 0; ;) {
    while (running.length < batchSize && next < prompts.length) {
      const prompt = next++;
      const tokens = prompts[prompt]!;
      const limit = longestAnswerTo(tokens);
      if (tokens.length === 0) throw new RangeError("generate: a prompt needs at least one token");
      if (limit < 1) yield { prompt, finish: "length" };
      else {
        const logits = await read(tokens);
        running.push({ prompt, limit, seen: new Set(tokens), counts: new Map(), generated: 0, logits });
      }
    }
    if (running.length === 0) return;
    signal?.throwIfAborted();

    const latest: [number][] = [];
    // A row that ends gives its place to the last one, so the running rows stay the first of the cache.
    for (let row = 0; row < running.length;) {
      const sequence = running[row]!;
      const { prompt, limit, seen, counts, logits } = sequence;
      const token = choose(sequence);
      let finish: FinishReason | undefined = token === undefined ? "stop" : undefined;
      if (token !== undefined) {
        seen.add(token);
        counts.set(token, (counts.get(token) ?? 0) + 1);
        sequence.generated++;
        yield alternatives === undefined
          ? { prompt, token }
          : { prompt, token, score: scoreOf(logits, token, alternatives) };
        finish = isComplete?.(prompt) === true ? "stop" : sequence.generated === limit ? "length" : undefined;
      }
      if (finish === undefined) {
        latest.push([token!]);
        row++;
        continue;
      }
      yield { prompt, finish };
      const last = running.pop()!;
      if (last === sequence) continue;
      running[row] = last;
      cache.move(running.length, row);
    }
    if (running.length === 0) continue;
    const logits = await decoder.extend(adapter, cache, 0, latest);
    running.forEach((sequence, row) => (sequence.logits = logits[row]!));
  }
}
