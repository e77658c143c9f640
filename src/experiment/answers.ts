import { generateTexts } from "../decode/text-generation.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Params } from "../tensor/params.ts";
import { openDecoder } from "../decode/decoder.ts";
import type { Runtime } from "../train/runtime.ts";
import { type Prepared, stopTokens } from "./prepare.ts";
import type { PromptAnswer } from "./summary.ts";

/** Answers the configured prompts greedily, with two adapters side by side. */
export async function answerPrompts(
  { config, model, lora, template, tokenizer }: Prepared,
  runtime: Runtime,
  adapters: { readonly before: Params; readonly after: Params },
  signal: AbortSignal | undefined,
): Promise<PromptAnswer[]> {
  const { prompts, maxNewTokens } = config.evaluation;
  const decoder = await openDecoder({ runtime, ...model, lora, maxLength: config.data.maxLength });
  const tokens = prompts.map((content) =>
    encodeMessages([{ role: "user", content }], template, tokenizer, config.data),
  );
  const answers = async (adapter: Params): Promise<string[]> => {
    const options = { maxNewTokens, temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, stop: [], signal };
    const texts = await generateTexts(decoder, adapter, tokens, tokenizer, {
      ...options,
      seed: config.seed,
      stopTokens: stopTokens(model, tokenizer),
    });
    return texts.map(({ text }) => text.trim());
  };
  try {
    const before = await answers(adapters.before);
    const after = await answers(adapters.after);
    return prompts.map((prompt, i) => ({ prompt, before: before[i]!, after: after[i]! }));
  } finally {
    await decoder.dispose();
  }
}
