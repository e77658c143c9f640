import type { Params } from "../../src/tensor/params.ts";
import { stream } from "../../src/tensor/random.ts";
import type { Decoder } from "../../src/decode/decoder.ts";
import { generate, type GenerationOptions } from "../../src/decode/generation.ts";
import { GREEDY } from "../../src/decode/token-sampling.ts";

/** The tokens of every answer, greedy unless said otherwise. */
export async function answersOf(
  decoder: Decoder,
  adapter: Params,
  prompts: readonly Int32Array[],
  options: Partial<GenerationOptions>,
): Promise<number[][]> {
  const answers: number[][] = prompts.map(() => []);
  const ended = new Set<number>();
  const events = generate(decoder, adapter, prompts, {
    maxNewTokens: 24,
    ...GREEDY,
    stopTokens: new Set(),
    random: (prompt, position) => stream(1, "test", prompt, position),
    batchSize: prompts.length,
    ...options,
  });
  for await (const event of events) {
    if (ended.has(event.prompt)) throw new Error(`prompt ${event.prompt} goes on after its end`);
    if ("token" in event) answers[event.prompt]!.push(event.token);
    else ended.add(event.prompt);
  }
  if (ended.size < prompts.length) throw new Error(`${ended.size} of ${prompts.length} answers ended`);
  return answers;
}
