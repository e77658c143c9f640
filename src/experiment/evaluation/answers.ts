import type { Params } from "../../tensor/params.ts";
import type { Runtime } from "../../train/runtime.ts";
import { openInference } from "../inference.ts";
import type { Prepared } from "../prepare.ts";
import type { PromptAnswer } from "../results/summary.ts";

/** Answers the configured prompts greedily, with two adapters side by side. */
export async function answerPrompts(
  prepared: Prepared,
  runtime: Runtime,
  adapters: { readonly before: Params; readonly after: Params },
  signal: AbortSignal | undefined,
): Promise<PromptAnswer[]> {
  const { config, lora } = prepared;
  const { prompts, maxNewTokens } = config.evaluation;
  const engine = openInference(prepared, runtime);
  const answers = async (params: Params): Promise<string[]> => {
    const generator = await engine.withAdapter({ shape: lora, params });
    const tokens = prompts.map((content) => generator.encode([{ role: "user", content }]));
    const texts = await generator.generate(tokens, { maxNewTokens, seed: config.seed, signal });
    return texts.map(({ text }) => text.trim());
  };
  try {
    const before = await answers(adapters.before);
    const after = await answers(adapters.after);
    return prompts.map((prompt, i) => ({ prompt, before: before[i]!, after: after[i]! }));
  } finally {
    await engine.dispose();
  }
}
