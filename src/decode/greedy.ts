import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { Decoder } from "./decoder.ts";
import { generate } from "./generation.ts";

export interface GreedyOptions {
  readonly maxNewTokens: number;
  readonly stopTokens: ReadonlySet<number>;
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The likeliest token after each prompt, and the one after that, and so on: one list a prompt, without the stop token. */
export async function greedyTokens(
  decoder: Decoder,
  adapter: Params,
  prompts: readonly Int32Array[],
  { batchSize = 8, ...options }: GreedyOptions,
): Promise<number[][]> {
  const answers: number[][] = prompts.map(() => []);
  const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, random: () => stream(0) };
  for await (const event of generate(decoder, adapter, prompts, { ...options, ...greedy, batchSize })) {
    if ("token" in event) answers[event.prompt]!.push(event.token);
  }
  return answers;
}
